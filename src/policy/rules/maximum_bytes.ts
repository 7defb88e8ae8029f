import { showValue } from "#/policy/parameters.ts";
import { defineRule, type Rule } from "#/policy/rule.ts";

/** A size that nobody expects is often a slip. */
export const maximumBytes: Rule = defineRule({
  id: "maximum-bytes",
  purpose: "one operation does not touch more bytes than expected",
  hint: "Do it in parts, or go on with --force and --reason.",
  severity: "deny",
  operations: ["rollback"],
  parameters: {
    size: { kind: "size", about: "how many bytes may leave or come", required: true },
    operations: { kind: "operations", about: "what is limited" },
  },
  check: ({ plan }, { size }) => {
    const touched = plan.total_bytes + plan.bytes_added;
    if (touched <= size) return [];
    return [{
      reason: `it touches ${showValue("size", touched)}, and at most ${showValue("size", size)} are allowed`,
      hint: "Check with --dry-run that this is what you want, or do it in parts.",
    }];
  },
});
