/** Runs checks: at the same time, each with its tries and its time, all within a deadline. */
import { within } from "#/core/child_process.ts";
import { messageOf } from "#/core/errors.ts";
import { throwIfStopped } from "#/core/pace.ts";
import type { CheckContext, CheckDriver, CheckResult, CheckSight, CheckSpec } from "./check.ts";
import { checkTypes, isCheckType } from "./registry.ts";

const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_INTERVAL_MS = 1_000;
const AT_ONCE = 16;

export interface RunChecksOptions {
  /** For all of them together, in milliseconds; what has not passed by then has failed. @default none */
  readonly deadlineMs?: number;
  /** Called as each one ends. */
  readonly onResult?: (result: CheckResult) => void;
}

/**
 * What the checks see, in the order of `specs`. A check that cannot be made (a missing program, a wrong file) has failed,
 * and says why.
 * @throws the reason of `context.signal` when it is aborted
 */
export async function runChecks(
  specs: readonly CheckSpec[],
  context: CheckContext,
  options: RunChecksOptions = {},
): Promise<readonly CheckResult[]> {
  throwIfStopped(context.signal);
  const deadline = new AbortController();
  const timer = options.deadlineMs === undefined
    ? undefined
    : setTimeout(() => deadline.abort(), options.deadlineMs);
  const results = new Array<CheckResult>(specs.length);
  let next = 0;
  const worker = async () => {
    while (next < specs.length && !context.signal.aborted) {
      const index = next++;
      const result = await runCheck(specs[index]!, context, deadline.signal);
      if (context.signal.aborted) return;
      results[index] = result;
      options.onResult?.(result);
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, specs.length) }, worker));
  } finally {
    clearTimeout(timer);
  }
  throwIfStopped(context.signal);
  return results;
}

/** True when every check that must pass has passed. */
export function requiredPassed(results: readonly CheckResult[]): boolean {
  return results.every(({ passed, required }) => passed || !required);
}

async function runCheck(spec: CheckSpec, context: CheckContext, deadline: AbortSignal): Promise<CheckResult> {
  const began = performance.now();
  const stop = AbortSignal.any([context.signal, deadline]);
  let tries = 0;
  let sight: CheckSight = { passed: false, detail: "not looked at: the time for all checks is over" };
  const driver = await driverOf(spec);
  await pause(spec.startDelayMs ?? 0, stop);
  while (!stop.aborted) {
    tries++;
    const seen = await oneTry(driver, spec, { ...context, signal: stop });
    sight = stop.aborted && !seen.sight.passed && tries > 1 ? sight : seen.sight;
    if (sight.passed || seen.final || tries > (spec.retries ?? 0)) break;
    await pause(spec.intervalMs ?? DEFAULT_INTERVAL_MS, stop);
  }
  const cut = deadline.aborted && !sight.passed && tries > 0;
  return {
    type: spec.type,
    name: spec.name ?? `${spec.type} ${driver.subject(spec.config)}`,
    required: spec.required ?? true,
    ...sight,
    ...(cut ? { detail: `${sight.detail}; the time for all checks is over` } : {}),
    tries,
    seconds: Math.round(performance.now() - began) / 1000,
  };
}

async function driverOf({ type }: CheckSpec): Promise<CheckDriver> {
  if (!isCheckType(type)) throw new TypeError(`${type} is not a kind of check`);
  return (await checkTypes[type]()).driver;
}

interface Seen {
  readonly sight: CheckSight;
  /** Another try would see the same. */
  readonly final: boolean;
}

async function oneTry(driver: CheckDriver, spec: CheckSpec, context: CheckContext): Promise<Seen> {
  if (context.offline && driver.needsNetwork === true) {
    return { sight: failed("cannot be looked at with --offline: it needs the network"), final: true };
  }
  const timeoutMs = spec.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const late = new AbortController();
  const signal = AbortSignal.any([context.signal, late.signal]);
  const timer = setTimeout(() => late.abort(), timeoutMs);
  let outcome: Seen | undefined;
  const run = driver.run(spec.config, { ...context, signal }).then(
    (sight) => outcome = { sight, final: false },
    (error) => outcome = { sight: failed(`cannot be looked at: ${oneLine(messageOf(error))}`), final: true },
  );
  try {
    await within(run, undefined, signal);
    // It ends what it has begun; one that does not is left behind.
    if (outcome === undefined) await within(run, LAST_WORDS_MS);
  } finally {
    clearTimeout(timer);
  }
  if (signal.aborted && outcome?.sight.passed !== true) {
    const detail = late.signal.aborted
      ? `no answer within ${timeoutMs / 1000} s`
      : "stopped before it had an answer";
    return { sight: failed(detail), final: false };
  }
  return outcome!;
}

/** How long a check may take to end what it has begun (a program is given 2 s, then killed), in milliseconds. */
const LAST_WORDS_MS = 8_000;

function failed(detail: string): CheckSight {
  return { passed: false, detail };
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, " ");
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await within(new Promise(() => {}), ms, signal);
}
