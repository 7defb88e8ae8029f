import { resolve } from "node:path";
import { UsageError } from "#/core/errors.ts";
import type { RollbackTarget } from "#/meta/options.ts";
import { visible } from "#/report/mod.ts";
import type { Command, CommandContext, ParsedArguments } from "./command.ts";
import { endOptions, envFlag, oneOf, takeBackFlags } from "./component_flags.ts";
import { remoteOption } from "./entry_run.ts";
import { defined, textOption } from "./values.ts";
import { runWorkspaceChange } from "./workspace_change.ts";

const WAYS = {
  toVersion: "--to-version",
  toCommit: "--to-commit",
  toLastGood: "--to-last-good",
  toStore: "--to-store",
  lock: "--lock",
} as const;

export const command: Command = {
  summary: "Roll components back to a version, a commit, a lock file, or a store entry",
  description:
    "Check components out as they were, and bring the manifest and the lock file in step: all of them, or none. Refused where " +
    "uncommitted work is in the way (41), or where another component's version range would not hold any more (42). A missing " +
    "checkout is cloned, a missing commit fetched. The state before is kept as a snapshot, so that the rollback can be taken " +
    "back. Asks first on a terminal; needs --yes elsewhere.",
  arguments: [{ name: "[component...]", description: "which; with --lock none means all of the lock file" }],
  options: [
    { flags: "--to-version <version>", description: "a tag, with or without its v", completes: "none" },
    {
      flags: "--to-commit <commit>",
      description: "a commit id, or a unique beginning of one",
      completes: "none",
    },
    { flags: "--to-last-good", description: "the newest version marked good that is not checked out" },
    {
      flags: "--lock <file>",
      description: "what a lock file says, of all its components or of those named",
      completes: "file",
    },
    {
      flags: "--to-store <hash>",
      description: "what an entry of the store holds: a hash, or a unique beginning of one",
      completes: "none",
    },
    {
      flags: "--remote <location>",
      description: "with --to-store: a shared store that may have it",
      completes: "folder",
    },
    envFlag,
    ...takeBackFlags,
  ],
  examples: [
    {
      command: "backout component rollback scraper-capabilities --to-version v2.0.0",
      note: "asks first, and shows what will change",
    },
    {
      command: "backout component rollback scraper-capabilities --to-commit abc123def456",
      note: "to a commit",
    },
    {
      command: "backout component rollback --lock manifests/components.lock.prod.previous.yaml --yes",
      note: "everything, in a script",
    },
    {
      command:
        "backout component rollback scraper-capabilities --lock manifests/components.lock.dev.yaml --dry-run",
      note: "one of them, to look",
    },
    {
      command: "backout component rollback scraper-capabilities --to-store 3fa9c1d2 --yes",
      note: "what `store add` kept",
    },
  ],
  run: async (args, context) => {
    const { rollbackComponents, rollbackToEntry } = await import("#/mod/component.ts");
    const target = targetOf(args, context);
    const environment = textOption(args.options, "env");
    return await runWorkspaceChange(args, context, {
      destructive: `Rolling back ${args.positionals.join(", ") || "all components"}`,
      operate: async (options) => {
        const all = {
          ...options,
          ...await endOptions(args.options, context, options),
          ...defined({ environment }),
        };
        if (target.kind !== "store") return await rollbackComponents({ ...all, target });
        const { component, hash } = target;
        const onWarning = (message: string) => context.printer.line(`Warning: ${visible(message)}`);
        return await rollbackToEntry({
          ...all,
          ...{ component, hash, onWarning },
          ...defined({ remote: remoteOption(args.options, context) }),
        });
      },
    });
  },
};

type Target = RollbackTarget | { readonly kind: "store"; readonly component: string; readonly hash: string };

function targetOf({ positionals, options }: ParsedArguments, context: CommandContext): Target {
  const way = oneOf(options, WAYS);
  if (way === "lock") {
    return {
      kind: "lock",
      path: resolve(context.cwd, textOption(options, "lock")!),
      components: positionals,
    };
  }
  const [component] = positionals;
  if (component === undefined || positionals.length > 1) {
    throw new UsageError(`${WAYS[way as keyof typeof WAYS]} is about one component`, {
      hint: "Name one component; several at once go back with --lock FILE.",
    });
  }
  switch (way) {
    case "toVersion":
      return { kind: "version", component, version: textOption(options, "toVersion")! };
    case "toCommit":
      return { kind: "commit", component, commit: textOption(options, "toCommit")! };
    case "toStore":
      return { kind: "store", component, hash: textOption(options, "toStore")! };
    default:
      return { kind: "last_good", component };
  }
}
