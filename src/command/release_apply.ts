import { resolve } from "node:path";
import { messageOf, RollbackManifestError, UsageError } from "#/core/errors.ts";
import { parseJson } from "#/core/json.ts";
import { runChange } from "./change.ts";
import type { Command } from "./command.ts";
import { changeFlags } from "./context.ts";
import { reportFlags } from "./report_files.ts";
import type { OutputPath } from "./report_files.ts";
import { defined, textOption } from "./values.ts";

export const command: Command = {
  summary: "Run a saved plan",
  description:
    "Run a plan that `backout release rollback --out` wrote. Everything is looked at again; when the steps " +
    "would not be the same any more, nothing is touched and the exit code is 55.",
  arguments: [{ name: "<planfile>", description: "the saved plan" }],
  options: [
    {
      flags: "--manifest-output-dir <dir>",
      description: "write VERSION.rollback-manifest.json here",
      completes: "folder",
      group: "Reports:",
    },
    {
      flags: "--audit-output-dir <dir>",
      description: "write VERSION.rollback-audit.json (and .sig) here",
      completes: "folder",
      group: "Reports:",
    },
    { flags: "--output-dir <dir>", description: "both of them here", completes: "folder", group: "Reports:" },
    ...reportFlags,
    ...changeFlags,
  ],
  examples: [
    {
      command: "backout release apply plan.json -r /srv/releases",
      note: "run a plan that somebody has read",
    },
  ],
  run: async (args, context) => {
    const { applyPlan } = await import("#/mod/release.ts");
    const [file = ""] = args.positionals;
    const plan = readPlan(resolve(context.cwd, file));
    const folder = (name: string): string | undefined => {
      const path = textOption(args.options, name) ?? textOption(args.options, "outputDir");
      return path === undefined ? undefined : resolve(context.cwd, path);
    };
    const manifestOutputDir = folder("manifestOutputDir");
    const auditOutputDir = folder("auditOutputDir");
    const outputs = [
      ["--manifest-output-dir", manifestOutputDir] as const,
      ["--audit-output-dir", auditOutputDir] as const,
    ].flatMap(([flag, path]): OutputPath[] => path === undefined ? [] : [{ flag, path, kind: "folder" }]);
    return await runChange(args, context, {
      operate: (options) =>
        applyPlan({ ...options, plan, ...defined({ manifestOutputDir, auditOutputDir }) }),
      outputs,
    });
  },
};

function readPlan(path: string): unknown {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (cause) {
    throw new UsageError(
      `Cannot read the plan ${path}: ${
        cause instanceof Deno.errors.NotFound ? "there is no such file" : messageOf(cause)
      }`,
      {
        hint: "Make one with `backout release rollback VERSION --out FILE`.",
        cause,
      },
    );
  }
  try {
    return parseJson(text);
  } catch (cause) {
    throw new RollbackManifestError(`The plan ${path} is damaged: it is not JSON`, {
      hint: "Make it again with `backout release rollback VERSION --out FILE`.",
      cause,
    });
  }
}
