import { showDuration } from "#/policy/parameters.ts";
import { defineRule, type Rule } from "#/policy/rule.ts";
import { judgeAges } from "#/policy/rules/age.ts";

/** What has been out for long is relied upon. */
export const maximumAge: Rule = defineRule({
  id: "maximum-age",
  purpose: "the version has not been published for too long",
  hint: "Yank it instead: its artifacts stay for those who have it.",
  severity: "deny",
  operations: ["rollback"],
  parameters: { age: { kind: "duration", about: "how long it may have been published", required: true } },
  check: (facts, { age }) =>
    judgeAges(facts, (ms, version) => {
      if (ms <= age) return undefined;
      return {
        reason: `${version} was published ${showDuration(ms)} ago, and only what is younger than ${
          showDuration(age)
        } may leave`,
        hint: `Yank it instead: \`backout release yank ${version} --reason TEXT\`.`,
      };
    }),
});
