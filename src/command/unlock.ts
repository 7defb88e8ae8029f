import { ExitCode } from "#/core/errors.ts";
import type { RepositoryOptions } from "#/repository/options.ts";
import { askOrRefuse, assertCanAsk } from "./change.ts";
import type { Command, CommandContext } from "./command.ts";
import { printView } from "./read.ts";
import { repositoryFlags } from "./repository_flags.ts";
import { flagOption } from "./values.ts";
import { scopeOptions } from "./workspace.ts";
import { describeLock } from "./view_text.ts";

export const command: Command = {
  summary: "Remove the lock of a dead operation",
  description:
    "Remove the lock whose holder is dead. A living holder is left alone, unless --force says that it is known " +
    "to be gone (a lost machine); then it asks first.",
  options: [
    { flags: "--force", description: "remove the lock even when the holder may be alive; asks first" },
    ...repositoryFlags,
  ],
  examples: [
    { command: "backout unlock -r /srv/releases", note: "after a machine died in the middle" },
    {
      command: "backout unlock -r /srv/releases --force --yes",
      note: "when the holder cannot be reached any more",
    },
  ],
  run: async (args, context) => {
    const { unlockRepository } = await import("#/mod/release.ts");
    const options = await scopeOptions(args.options, context);
    const force = flagOption(args.options, "force");
    if (context.globals.dryRun) return await showOnly(options, context);
    if (force) await askWithHolder(options, context);
    const view = await unlockRepository({ ...options, force });
    const text = ({ holder }: typeof view): string =>
      holder === null ? "There was no lock.\n" : `Removed the lock of ${describeLock(holder, new Date())}.\n`;
    printView(view, text, context);
    return ExitCode.done;
  },
};

async function showOnly(options: RepositoryOptions, context: CommandContext): Promise<ExitCode> {
  const { repositoryStatus } = await import("#/mod/release.ts");
  const { lock } = await repositoryStatus(options);
  const text = lock === null
    ? "There is no lock.\n"
    : `Would remove the lock of ${describeLock(lock, new Date())}.\n`;
  printView({ holder: lock }, () => text, context);
  return ExitCode.done;
}

async function askWithHolder(options: RepositoryOptions, context: CommandContext): Promise<void> {
  assertCanAsk(context, "Removing a lock by force");
  if (context.globals.yes) return;
  const { repositoryStatus } = await import("#/mod/release.ts");
  const { lock } = await repositoryStatus(options);
  if (lock === null) return;
  context.printer.error(`The lock is held by ${describeLock(lock, new Date())}.`);
  await askOrRefuse(context, "Removing a lock by force while its holder works loses data");
}
