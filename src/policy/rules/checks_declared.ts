import { defineRule, type Rule } from "#/policy/rule.ts";

/** A restore that nothing looks at is believed, not known. */
export const checksDeclared: Rule = defineRule({
  id: "checks-declared",
  purpose: "a check tells whether a restore did what it should",
  hint: "Declare checks in backout.yaml, or give some with --checks FILE.",
  severity: "warn",
  operations: ["snapshot_restore"],
  check: ({ snapshot }) =>
    // Without targets nothing is restored: it is put into a folder elsewhere.
    snapshot === undefined || snapshot.targets.length === 0 || snapshot.required_checks > 0 ? [] : [{
      reason: snapshot.checks > 0
        ? "no check that must pass is declared"
        : "no check is declared: nothing will tell whether the restore did what it should",
      hint: "Declare checks in backout.yaml, or give some with --checks FILE.",
    }],
});
