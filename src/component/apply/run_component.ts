/** The commands of one component, one after the other, until one fails. */
import { join } from "node:path";
import { InterruptedError, messageOf } from "#/core/errors.ts";
import * as posix from "#/core/posix.ts";
import { endWords } from "../cache/build.ts";
import type { ComponentStep } from "../commands.ts";
import { checkoutPath, type Component, COMPONENTS_FOLDER } from "../model.ts";
import { endOfLog, runStep } from "../run_step.ts";
import type { AppliedComponent, AppliedStep } from "./model.ts";

export interface ComponentRun {
  readonly component: Component;
  readonly steps: readonly ComponentStep[];
  /** The meta repository's root. */
  readonly folder: string;
  readonly environment: string | undefined;
  /** The folder of the logs. */
  readonly logs: string;
  readonly signal: AbortSignal | undefined;
}

/** Why no command of the component can run; undefined where nothing is known to be in the way. */
export function obstacleOf(folder: string, name: string): string | undefined {
  if (posix.lstat(checkoutPath(folder, name))?.isDirectory === true) return undefined;
  return `there is no checkout in ${COMPONENTS_FOLDER}/${name}`;
}

/** Never throws: whatever happens is in what it returns. */
export async function runComponent(run: ComponentRun): Promise<AppliedComponent> {
  const { component: { name }, steps, folder } = run;
  const began = performance.now();
  const seconds = () => Math.round(performance.now() - began) / 1000;
  const ended = (
    state: AppliedComponent["state"],
    done: readonly AppliedStep[],
    reason = "",
  ): AppliedComponent => {
    return { name, state, steps: done, seconds: seconds(), reason };
  };
  if (steps.length === 0) return ended("nothing to do", []);
  const done: AppliedStep[] = [];
  try {
    const obstacle = obstacleOf(folder, name);
    if (obstacle !== undefined) return ended("failed", [], obstacle);
    for (const step of steps) {
      const result = await runOne(run, step);
      done.push(result.step);
      if (result.reason !== undefined) return ended("failed", done, result.reason);
    }
    return ended("done", done);
  } catch (error) {
    if (error instanceof InterruptedError) {
      const step = steps[done.length]!;
      const stopped: AppliedStep = {
        name: step.name,
        state: "stopped",
        seconds: 0,
        code: null,
        log: logOf(run, step),
      };
      return ended("stopped", [...done, stopped], `it was stopped in ${step.name}`);
    }
    return ended("failed", done, messageOf(error));
  }
}

async function runOne(
  run: ComponentRun,
  step: ComponentStep,
): Promise<{ readonly step: AppliedStep; readonly reason: string | undefined }> {
  const { component, folder, environment, signal } = run;
  const log = logOf(run, step);
  const variables = {
    BACKOUT_ROOT: folder,
    BACKOUT_COMPONENT: component.name,
    BACKOUT_COMPONENT_VERSION: component.version ?? "",
    BACKOUT_ENV: environment ?? "",
  };
  const end = await runStep({
    argv: step.argv,
    folder: checkoutPath(folder, component.name),
    log,
    variables,
    signal,
  });
  const { code, seconds } = end;
  const isDone = code === 0;
  const result: AppliedStep = { name: step.name, state: isDone ? "done" : "failed", seconds, code, log };
  if (isDone) return { step: result, reason: undefined };
  const last = endOfLog(log);
  return { step: result, reason: `${step.name} failed (${endWords(end)})${last === "" ? "" : `: ${last}`}` };
}

function logOf({ logs, component }: ComponentRun, { name }: ComponentStep): string {
  return join(logs, `${component.name}-${name}.log`);
}
