import { defineRule, type Rule } from "#/policy/rule.ts";

/** After a rollback, automation must not bring the bad version back before somebody has looked. */
export const hold: Rule = defineRule({
  id: "hold",
  purpose: "nothing is published and no channel moves while a hold is set",
  hint: "Release it with `backout hold release NAME` when its reason is gone.",
  severity: "deny",
  operations: ["publish", "channel_set", "channel_rollback"],
  appliesTo: ({ repository }) => repository.holds.length > 0,
  check: ({ repository }) =>
    repository.holds.map(({ name, reason }) => ({
      reason: `the hold ${name} is set${reason === "" ? "" : `: ${reason}`}`,
      hint: `When its reason is gone: \`backout hold release ${name}\`.`,
    })),
});
