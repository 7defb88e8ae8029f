import { defineRule, type Rule } from "#/policy/rule.ts";

const SHOWN = 5;

/** An index that contradicts itself is not changed further without somebody having looked at it. */
export const indexConsistent: Rule = defineRule({
  id: "index-consistent",
  purpose: "the index does not contradict itself",
  hint: "See `backout doctor`, then mend index.json.",
  severity: "deny",
  operations: ["rollback"],
  check: ({ repository }) => {
    const findings = repository.problems.slice(0, SHOWN).map((reason) => ({
      reason,
      hint: "See `backout doctor`, then mend index.json.",
    }));
    const more = repository.problems.length - SHOWN;
    return more > 0 ? [...findings, { reason: `and ${more} more problems of the index` }] : findings;
  },
});
