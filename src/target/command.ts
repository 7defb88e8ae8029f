/**
 * A target that only its owner knows: one command writes what it looks like to standard output, another reads that from
 * standard input and makes it so again. No shell; they run in the workspace's folder with a clean environment.
 *
 *     capture: [etcdctl-dump, --all]         restore: [etcdctl-load]
 *
 * `fingerprint` prints something that is equal for equal states (without it, `capture` is run and its output compared),
 * `plan` (reads the saved state) prints a line for each thing that a restore would do, `export` (reads the saved state)
 * writes it into the folder $BACKOUT_EXPORT. All see $BACKOUT_PHASE and a folder of their own, $BACKOUT_SCRATCH.
 */
import { createHash } from "node:crypto";
import * as z from "zod";
import { lastLines } from "#/core/child_output.ts";
import { RollbackBackupError, RollbackError, UsageError } from "#/core/errors.ts";
import type { ContentRef, SavedTarget } from "#/store/model.ts";
import { backupError } from "./program_error.ts";
import { ProgramError, type ProgramRequest, runProgram, streamProgram } from "./run_program.ts";
import type {
  CaptureContext,
  Captured,
  PlanContext,
  RestoreContext,
  Restored,
  TargetChange,
  TargetContext,
  TargetDriver,
  TargetPlan,
  TargetSpec,
} from "./target.ts";

const words = z.array(z.string()).min(1).refine((it) => it[0] !== "", "the first word names the program");

const schema = z.strictObject({
  capture: words.describe("Program and arguments; its standard output is what is stored."),
  restore: words.describe(
    "Program and arguments; reads on standard input what `capture` wrote, and makes it so.",
  ),
  plan: words.optional().describe(
    "Reads the same, changes nothing, prints a line for each thing to be done.",
  ),
  fingerprint: words.optional().describe("Prints something that is equal for equal states."),
  export: words.optional().describe("Reads the same, writes it into the folder $BACKOUT_EXPORT."),
  undo: z.enum(["exact", "compensating", "none"]).optional().describe(
    "How a restore can be taken back. Default: compensating",
  ),
  env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string()).optional().describe(
    "Further environment variables of the commands",
  ),
});

export type CommandConfig = z.infer<typeof schema>;
type Target = TargetSpec<CommandConfig>;
type Phase = "capture" | "restore" | "plan" | "fingerprint" | "export";

export const driver: TargetDriver<CommandConfig> = {
  type: "command",
  summary: "Anything else: a command of your own that writes its state, and one that reads it back.",
  schema,
  restoreMethod: "command_restore",
  undo: ({ undo }) => undo ?? "compensating",
  programs: (config) =>
    (["capture", "restore", "plan", "fingerprint", "export"] as const)
      .flatMap((phase) => config[phase]?.slice(0, 1) ?? [])
      .map((program) => ({ program, package: "" })),
  needsNetwork: () => false,
  capture,
  plan,
  restore,
  fingerprint,
  diff,
  exportTo,
};

async function capture(target: Target, context: CaptureContext): Promise<Captured> {
  const request = requestOf("capture", target, context);
  const digest = createHash("sha256");
  try {
    const content = await context.writer.addStream(hashing(streamProgram(request), digest), {
      signal: context.signal,
    });
    const sha256 = digest.digest("hex");
    return {
      method: "command",
      metadata: { program: target.config.capture[0]!, sha256 },
      state: { content: { ...content } },
      roots: [{ kind: "content", content }],
      fingerprint: target.config.fingerprint === undefined ? sha256 : await fingerprint(target, context),
      files: 1,
      bytes: content.size,
      warnings: [],
    };
  } catch (error) {
    throw backupError(error);
  }
}

async function fingerprint(target: Target, context: TargetContext): Promise<string> {
  const phase = target.config.fingerprint === undefined ? "capture" : "fingerprint";
  const digest = createHash("sha256");
  for await (const _ of hashing(streamProgram(requestOf(phase, target, context)), digest)) {
    /* only hashed */
  }
  return digest.digest("hex");
}

async function plan(target: Target, saved: SavedTarget, context: PlanContext): Promise<TargetPlan> {
  const problems = context.options.paths.length === 0
    ? []
    : [`${target.name}: a command restores all or nothing, not single paths`];
  const changes = await fingerprint(target, context) === saved.fingerprint
    ? []
    : await plannedChanges(target, saved, context);
  return {
    changes,
    summary: changes.length === 0 ? "nothing to do" : `run ${target.config.restore[0]}`,
    problems,
    uncommitted: [],
    warnings: [],
  };
}

async function plannedChanges(
  target: Target,
  saved: SavedTarget,
  context: PlanContext,
): Promise<readonly TargetChange[]> {
  const path = target.config.restore[0]!;
  const { size } = contentOf(saved);
  if (target.config.plan === undefined) return [{ action: "run", path, bytes: size }];
  const stdin = context.store.readStream(contentOf(saved));
  const { stdout } = await runProgram({ ...requestOf("plan", target, context), stdin });
  const lines = new TextDecoder().decode(stdout).split("\n").map((it) => lastLines(it)).filter((it) =>
    it !== ""
  );
  // It sees nothing to do, the fingerprint does: the restore will run.
  if (lines.length === 0) return [{ action: "run", path, bytes: size }];
  return lines.map((detail) => ({ action: "run", path, detail }));
}

async function restore(target: Target, saved: SavedTarget, context: RestoreContext): Promise<Restored> {
  const result = (changed: number, warnings: readonly string[]): Restored => ({
    method: "command_restore",
    changed,
    removed: 0,
    bytes: changed === 0 ? 0 : contentOf(saved).size,
    details: { program: target.config.restore[0]! },
    warnings,
  });
  if (await isAsSaved(target, saved, context)) return result(0, []);
  const stdin = context.store.readStream(contentOf(saved));
  await runProgram({ ...requestOf("restore", target, context), stdin });
  if (await fingerprint(target, context) === saved.fingerprint) return result(1, []);
  const what = `${target.name}: ${
    target.config.restore[0]
  } ended well, but its state is not equal to the saved one`;
  if (driver.undo(target.config) === "exact") {
    throw new RollbackError(what, {
      hint:
        "Mend the restore command, or say `undo: compensating` where equal states look different each time.",
      context: { target: target.name },
    });
  }
  return result(1, [what]);
}

/** A state that cannot be read is one more reason to restore it. */
async function isAsSaved(target: Target, saved: SavedTarget, context: TargetContext): Promise<boolean> {
  try {
    return await fingerprint(target, context) === saved.fingerprint;
  } catch (error) {
    if (error instanceof ProgramError && error.end === "failed") return false;
    throw error;
  }
}

async function diff(
  target: Target,
  from: SavedTarget,
  to: SavedTarget | undefined,
  context: PlanContext,
): Promise<readonly TargetChange[]> {
  const now = to?.fingerprint ?? await fingerprint(target, context);
  if (now === from.fingerprint) return [];
  const bytes = to === undefined ? {} : { bytes: contentOf(to).size };
  return [{ action: "replace", path: target.name, ...bytes }];
}

async function exportTo(saved: SavedTarget, folder: string, context: PlanContext): Promise<Restored> {
  const content = contentOf(saved);
  const config = schema.parse(filledIn(saved.config, context.env));
  if (config.export === undefined) {
    await context.store.writeFiles([{ content, path: `${folder}/${saved.name}` }], {
      signal: context.signal,
    });
  } else {
    const target = { config, written: saved.config, name: saved.name };
    const request = requestOf("export", target, context, { BACKOUT_EXPORT: folder });
    await runProgram({ ...request, stdin: context.store.readStream(content) });
  }
  const details = { folder };
  return { method: "command_export", changed: 1, removed: 0, bytes: content.size, details, warnings: [] };
}

function requestOf(
  phase: Phase,
  { config, written, name }: Pick<Target, "config" | "written" | "name">,
  context: TargetContext,
  more: Readonly<Record<string, string>> = {},
): ProgramRequest {
  const [program, ...args] = config[phase]!;
  return {
    program: program!,
    args,
    package: "",
    context,
    cwd: context.folder,
    env: { ...config.env, ...more, BACKOUT_PHASE: phase, BACKOUT_SCRATCH: context.scratch },
    secrets: secretsOf(config, written),
    doing: `run the ${phase} command of ${name}`,
  };
}

/** Values that are not as they were written came from the environment. */
function secretsOf(config: CommandConfig, written: Target["written"]): readonly string[] {
  const plain = new Set<unknown>(Object.values((written["env"] ?? {}) as Record<string, unknown>));
  return Object.values(config.env ?? {}).filter((it) => it !== "" && !plain.has(it));
}

function contentOf(saved: SavedTarget): ContentRef {
  const content = saved.state["content"] as ContentRef | undefined;
  if (content !== undefined) return content;
  throw new RollbackBackupError(`The snapshot of ${saved.name} does not say where its content is`);
}

/** `${NAME}` in what a snapshot keeps of the configuration. */
function filledIn(config: SavedTarget["config"], env: TargetContext["env"]): unknown {
  return JSON.parse(
    JSON.stringify(config),
    (_key, value) =>
      typeof value !== "string"
        ? value
        : value.replaceAll(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_all, name) => {
          const found = env(name);
          if (found !== undefined) return found;
          throw new UsageError(`The environment has no ${name}, which the snapshot's configuration names`, {
            hint: `Set ${name} and run the command again.`,
          });
        }),
  );
}

function hashing(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  digest: ReturnType<typeof createHash>,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  return stream.pipeThrough(
    new TransformStream({
      transform(chunk, controller) {
        digest.update(chunk);
        controller.enqueue(chunk);
      },
    }),
  );
}
