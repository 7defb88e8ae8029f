import { defineRule, type Rule } from "#/policy/rule.ts";
import { OPERATION_KINDS } from "#/policy/view.ts";

/** What was done can be proved. */
export const signatureRequired: Rule = defineRule({
  id: "signature-required",
  purpose: "the audit entry is signed",
  hint: "Sign with --signing-key FILE, BACKOUT_SIGNING_KEY, or `audit:` in backout.yaml.",
  severity: "off",
  operations: OPERATION_KINDS,
  parameters: { operations: { kind: "operations", about: "what must be signed" } },
  check: ({ operation }) =>
    operation.signed ? [] : [{
      reason: "the audit entry would not be signed",
      hint: "Give --signing-key FILE; `backout audit keygen --out FILE` makes one.",
    }],
});
