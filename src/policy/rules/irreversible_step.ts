import { defineRule, type Rule } from "#/policy/rule.ts";

/** What cannot be taken back is done knowingly, or not at all. */
export const irreversibleStep: Rule = defineRule({
  id: "irreversible-step",
  purpose: "everything that a restore does can be taken back",
  hint: "Leave the target out with --target, or go on with --force and --reason.",
  severity: "deny",
  operations: ["snapshot_restore"],
  check: ({ snapshot }) =>
    (snapshot?.targets ?? []).filter(({ undo, changes }) => undo === "none" && changes > 0)
      .map(({ name, type }) => ({
        reason: `a restore of ${name} (${type}) cannot be taken back`,
        hint: "Leave it out: name the other targets with --target.",
      })),
});
