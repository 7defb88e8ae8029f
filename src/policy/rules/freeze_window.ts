import { defineRule, type Rule } from "#/policy/rule.ts";
import { describeWindow, isInside } from "#/policy/window.ts";

/** At some times nothing that others see is changed. */
export const freezeWindow: Rule = defineRule({
  id: "freeze-window",
  purpose: "no change falls into a time that is frozen",
  hint: "Wait until it is over, or ask for a waiver.",
  severity: "deny",
  operations: [
    "publish",
    "rollback",
    "restore",
    "yank",
    "unyank",
    "channel_set",
    "channel_rollback",
    "snapshot_restore",
    "component_rollback",
    "changeset_rollback",
    "guard",
  ],
  parameters: {
    windows: {
      kind: "windows",
      about:
        "when: weekdays (`days`), `hours`, `dates`, `time_zone` (UTC), `reason`; all that is given must fit",
      required: true,
    },
    operations: { kind: "operations", about: "what is frozen" },
  },
  check: ({ now }, { windows }) =>
    windows
      .filter((window) => isInside(window, new Date(now)))
      .map((window) => ({
        reason: `it is frozen now: ${describeWindow(window)}${
          window.reason === undefined ? "" : `, ${window.reason}`
        }`,
        hint: "Wait until it is over, or ask for a waiver.",
      })),
});
