/**
 * Hooks: programs of the user's own that run before and after an operation. They get a clean environment with the facts
 * of the operation in it, a time limit, and no shell.
 */
import { cleanEnvironment } from "#/core/child_process.ts";
import { RollbackPolicyViolationError } from "#/core/errors.ts";
import type { Hook } from "#/core/hook.ts";
import type { JsonObject } from "#/core/json.ts";
import { throwIfStopped } from "#/core/pace.ts";
import { lastLines } from "./hook_output.ts";
import { type ProcessRequest, type ProcessResult, runProcess } from "./hook_process.ts";

export { cleanEnvironment };
export type { Hook } from "#/core/hook.ts";
export type HookRequest = ProcessRequest;
export type HookResult = ProcessResult;

export type HookPhase = "before" | "after";

/** What a hook is told of the operation, as `BACKOUT_…` variables. */
export interface HookFacts {
  readonly operation: string;
  readonly phase: HookPhase;
  /** The version asked for; several joined by a comma; empty where none applies. */
  readonly version: string;
  /** Null in a dry run. */
  readonly id: string | null;
  /** The repository's location, as reports show it. */
  readonly repository: string;
  readonly dry_run: boolean;
  readonly reason: string;
  /** Only known after the operation. */
  readonly status?: string;
  readonly exit_code?: number;
}

export interface HookTools {
  /** Reads this process's environment; only PATH, HOME, LANG and, on Windows, SYSTEMROOT are asked for. */
  readonly env: (name: string) => string | undefined;
  /** The folder that hooks run in: that of `backout.yaml`. */
  readonly cwd?: string;
  /** Stops the hooks before an operation, not those after it. */
  readonly signal?: AbortSignal;
}

export const HOOK_TIMEOUT_MS = 120_000;
/** A system refuses a variable of more than 128 KiB, and all of them together at some MiB. */
const LONGEST_VALUE = 8_192;

/** Runs one hook to its end. Never throws for anything that the hook does. */
export function runHook(request: HookRequest): Promise<HookResult> {
  return runProcess(request);
}

/** True when the hook ran and said that all is well. */
export function hookSucceeded(result: HookResult): boolean {
  return result.end === "exited" && result.exit_code === 0;
}

/** The whole environment of a hook. */
export function hookEnvironment(facts: HookFacts, env: HookTools["env"]): Record<string, string> {
  const told = {
    BACKOUT_OPERATION: facts.operation,
    BACKOUT_PHASE: facts.phase,
    BACKOUT_VERSION: facts.version,
    BACKOUT_ID: facts.id ?? "",
    BACKOUT_REPOSITORY: facts.repository,
    BACKOUT_DRY_RUN: String(facts.dry_run),
    BACKOUT_REASON: facts.reason,
    BACKOUT_STATUS: facts.status ?? "",
    BACKOUT_EXIT_CODE: facts.exit_code === undefined ? "" : String(facts.exit_code),
  };
  const values = Object.entries(told).map(([name, value]) => [name, environmentValue(value)]);
  return { ...cleanEnvironment(env), ...Object.fromEntries(values) };
}

function environmentValue(text: string): string {
  return text.replaceAll("\0", "\uFFFD").toWellFormed().slice(0, LONGEST_VALUE).toWellFormed();
}

/**
 * Runs the hooks before an operation, in order; the first that fails stops.
 * @throws {RollbackPolicyViolationError} with the hook's last lines
 * @throws {InterruptedError} when the signal was aborted
 */
export async function runBeforeHooks(
  hooks: readonly Hook[],
  facts: Omit<HookFacts, "phase">,
  tools: HookTools,
): Promise<readonly HookResult[]> {
  const results: HookResult[] = [];
  for (const hook of hooks) {
    const result = await runOne(hook, { ...facts, phase: "before" }, tools, tools.signal);
    if (result.end === "stopped") throwIfStopped(tools.signal);
    if (!hookSucceeded(result)) throw hookRefused(hook, facts.operation, result);
    results.push(result);
  }
  return results;
}

/**
 * Runs the hooks after an operation, all of them; what fails is a warning. The signal does not stop them: what a hook
 * before the operation has stopped must be started again.
 */
export async function runAfterHooks(
  hooks: readonly Hook[],
  facts: Omit<HookFacts, "phase">,
  tools: HookTools,
): Promise<{ readonly results: readonly HookResult[]; readonly warnings: readonly string[] }> {
  const results: HookResult[] = [];
  const warnings: string[] = [];
  for (const hook of hooks) {
    const result = await runOne(hook, { ...facts, phase: "after" }, tools);
    results.push(result);
    if (!hookSucceeded(result)) warnings.push(failureText(hook, facts.operation, "after", result));
  }
  return { results, warnings };
}

function runOne(
  hook: Hook,
  facts: HookFacts,
  tools: HookTools,
  signal?: AbortSignal,
): Promise<HookResult> {
  return runHook({
    command: hook.command,
    timeoutMs: hook.timeout_ms ?? HOOK_TIMEOUT_MS,
    env: hookEnvironment(facts, tools.env),
    ...(tools.cwd === undefined ? {} : { cwd: tools.cwd }),
    ...(signal === undefined ? {} : { signal }),
  });
}

/** The error of a hook that stops an operation. */
export function hookRefused(
  hook: Hook,
  operation: string,
  result: HookResult,
): RollbackPolicyViolationError {
  const context: JsonObject = {
    hook: hookName(hook),
    phase: "before",
    end: result.end,
    exit_code: result.end === "exited" ? result.exit_code : null,
    output: lastLines(result.output),
  };
  return new RollbackPolicyViolationError(failureText(hook, operation, "before", result), {
    hint: result.end === "not_found" || result.end === "not_started"
      ? "Mend it in `hooks:` of backout.yaml. Nothing was changed."
      : "Mend what the hook complains about, or take it out of `hooks:` in backout.yaml. Nothing was changed.",
    context,
  });
}

/** One sentence: which hook, how it ended, what it said last. */
export function failureText(hook: Hook, operation: string, phase: HookPhase, result: HookResult): string {
  const said = lastLines(result.output);
  const which = `The hook ${hookName(hook)} ${phase} the ${operation.replaceAll("_", " ")}`;
  return `${which} ${endText(result)}${said === "" ? "" : `: ${said}`}`;
}

/** The program alone: its arguments may hold what `${NAME}` put there. */
function hookName({ command }: Hook): string {
  return lastLines(command[0] ?? "", 1) || "(none)";
}

/** How a child ended, as the end of a sentence. */
export function endText(result: HookResult): string {
  switch (result.end) {
    case "exited":
      return result.exit_code === 0 ? "succeeded" : `failed with exit code ${result.exit_code}`;
    case "signaled":
      return `was ended by ${result.signal}`;
    case "timed_out":
      return `did not end within ${result.timeout_ms / 1000} s and was killed`;
    case "stopped":
      return "was stopped";
    case "not_found":
      return "was not found";
    case "not_started":
      return result.reason;
    default:
      return result satisfies never;
  }
}
