import { defineRule, type Finding, type Rule } from "#/policy/rule.ts";

/** A channel must have somewhere good to go when its version leaves. */
export const channelTarget: Rule = defineRule({
  id: "channel-target",
  purpose: "channels of the version have an active version to go to",
  hint: "Choose an active version with --channel-to, or publish or restore one first.",
  severity: "deny",
  operations: ["rollback"],
  check: ({ plan }) => {
    const stuck = plan.stuck_channels.map(({ channel, candidates }): Finding => ({
      reason: `channel ${channel} has no earlier version to go back to that is active and not bad`,
      hint: candidates.length === 0
        ? "No active release is left for it; going on removes the channel. Publish or restore one first."
        : `Choose one with --channel-to: ${candidates.slice(0, 5).join(", ")}.`,
      channels: [channel],
    }));
    if (plan.bad_channel_target === "") return stuck;
    return [...stuck, {
      reason: plan.bad_channel_target,
      hint: "Choose an active version with --channel-to.",
    }];
  },
});
