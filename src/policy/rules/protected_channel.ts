import { matchesAny } from "#/policy/glob.ts";
import { defineRule, type Rule } from "#/policy/rule.ts";

/** What many people follow is not moved or emptied in passing. */
export const protectedChannel: Rule = defineRule({
  id: "protected-channel",
  purpose: "protected channels stay where they are, and their versions stay published",
  hint: "Ask whoever owns the channel for a waiver, or go on with --force and --reason.",
  severity: "deny",
  operations: ["rollback", "restore", "channel_set", "channel_rollback"],
  parameters: {
    channels: { kind: "names", about: "the channels, with * and ? for parts of a name", required: true },
    operations: { kind: "operations", about: "what is denied to them" },
  },
  check: ({ operation, plan }, { channels }) => {
    const leaving = operation.kind === "rollback" ? plan.releases : [];
    const named = leaving.flatMap(({ version, channels: names }) => names.map((name) => ({ name, version })));
    const moved = plan.channels.filter(({ name }) => !named.some((it) => it.name === name));
    return [
      ...named.map(({ name, version }) => ({
        name,
        what: `channel ${name} names ${version}`,
        versions: [version],
      })),
      ...moved.map(({ name, from, to }) => ({
        name,
        what: to === ""
          ? `channel ${name} would be removed`
          : `channel ${name} would move ${from === "" ? "" : `from ${from} `}to ${to}`,
        versions: plan.versions,
      })),
    ].filter(({ name }) => matchesAny(channels, name))
      .map(({ name, what, versions }) => ({
        reason: `${what}, and it is protected`,
        hint: "Ask whoever owns the channel for a waiver.",
        channels: [name],
        versions,
      }));
  },
});
