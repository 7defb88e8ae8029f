import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { messageOf, UsageError } from "#/core/errors.ts";
import type { ReleaseHooks } from "#/core/hook.ts";
import { isJsonObject, parseJson } from "#/core/json.ts";
import type { JsonObject } from "#/core/json.ts";
import { runChange } from "./change.ts";
import type { Command } from "./command.ts";
import { changeFlags, policyFlags } from "./context.ts";
import { reportFlags } from "./report_files.ts";
import { defined, listOption, textOption } from "./values.ts";

export const command: Command = {
  summary: "Publish a folder as a new version",
  description:
    "Publish the files of a folder as a new version. The files are copied and checked before the index " +
    "names them; a version that is published already with the same bytes is left alone.",
  arguments: [
    { name: "<version>", description: "name of the new version, for example v1.0.2" },
    { name: "<dir>", description: "folder whose files become the release" },
  ],
  options: [
    {
      flags: "--channel <name>",
      description: "point this channel at it (repeatable)",
      repeat: true,
      completes: "none",
    },
    {
      flags: "--depends-on <version>",
      description: "a version it needs (repeatable)",
      repeat: true,
      completes: "none",
    },
    {
      flags: "--metadata <file>",
      description: "JSON object with further fields for the index",
      completes: "file",
    },
    {
      flags: "--hooks <file>",
      description: "YAML or JSON file with hooks that the release brings along; needs --sign-audit-log",
      completes: "file",
    },
    ...policyFlags,
    ...reportFlags,
    ...changeFlags,
  ],
  examples: [
    {
      command: "backout release publish v1.0.2 ./dist -r /srv/releases --channel stable",
      note: "publish a folder and let the stable channel name it",
    },
    {
      command: "backout release publish v1.0.2 ./dist -r /srv/releases --depends-on v1.0.1 --dry-run",
      note: "see what would be published",
    },
  ],
  run: async (args, context) => {
    const { publishRelease } = await import("#/mod/release.ts");
    const [version = "", directory = ""] = args.positionals;
    const metadata = textOption(args.options, "metadata");
    const hooks = textOption(args.options, "hooks");
    const release = defined({
      version,
      directory: resolve(context.cwd, directory),
      channels: listOption(args.options, "channel"),
      dependsOn: listOption(args.options, "dependsOn"),
      metadata: metadata === undefined ? undefined : readMetadata(resolve(context.cwd, metadata)),
      hooks: hooks === undefined ? undefined : await readHooks(resolve(context.cwd, hooks)),
    });
    return await runChange(args, context, {
      operate: (options) => publishRelease({ ...options, ...release }),
    });
  },
};

async function readHooks(path: string): Promise<ReleaseHooks> {
  const { loadReleaseHooks } = await import("#/config/release_hooks.ts");
  return loadReleaseHooks(path);
}

function readMetadata(path: string): JsonObject {
  try {
    const value = parseJson(readFileSync(path, "utf8"));
    if (isJsonObject(value)) return value;
  } catch (cause) {
    throw new UsageError(`Cannot read the metadata ${path}: ${messageOf(cause)}`, { cause });
  }
  throw new UsageError(`Cannot use the metadata ${path}: it is not a JSON object`);
}
