import { showDuration } from "#/policy/parameters.ts";
import { defineRule, type Rule } from "#/policy/rule.ts";

/** Going far back takes more with it than whoever asks may think. */
export const snapshotAge: Rule = defineRule({
  id: "snapshot-age",
  purpose: "a rollback point that is restored is not too old",
  hint: "Look at what would be lost first: `backout snapshot diff ID`.",
  severity: "warn",
  operations: ["snapshot_restore"],
  parameters: { max_age: { kind: "duration", about: "how old it may be", required: true } },
  check: ({ snapshot, now }, { max_age }) => {
    if (snapshot === undefined) return [];
    const { id, created_at } = snapshot;
    const age = created_at === undefined ? NaN : Date.parse(now) - Date.parse(created_at);
    if (age <= max_age) return [];
    const reason = Number.isNaN(age)
      ? `it is not known when ${id} was made`
      : `${id} was made ${showDuration(age)} ago, and only what is younger than ${
        showDuration(max_age)
      } may be restored`;
    return [{ reason, hint: `Look at what would be lost first: \`backout snapshot diff ${id}\`.` }];
  },
});
