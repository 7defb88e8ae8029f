import { showDuration } from "#/policy/parameters.ts";
import { defineRule, type Rule } from "#/policy/rule.ts";
import { judgeAges } from "#/policy/rules/age.ts";

/** What was published a moment ago may still be on its way to those who copy it. */
export const minimumAge: Rule = defineRule({
  id: "minimum-age",
  purpose: "the version has been published for long enough",
  hint: "Wait, or ask for a waiver.",
  severity: "deny",
  operations: ["rollback"],
  parameters: { age: { kind: "duration", about: "how long it must have been published", required: true } },
  check: (facts, { age }) =>
    judgeAges(facts, (ms, version) => {
      if (ms >= age) return undefined;
      return {
        reason: `${version} was published ${showDuration(ms)} ago, and only what is older than ${
          showDuration(age)
        } may leave`,
        hint: `Wait for another ${showDuration(age - ms)}.`,
      };
    }),
});
