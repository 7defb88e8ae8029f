/** What a restore would do, for people and for a dry run. */
import { RollbackBackupError, RollbackError } from "#/core/errors.ts";
import type { SavedTarget } from "#/store/model.ts";
import type { PlanContext, TargetChange, TargetPlan } from "../target.ts";
import { changesOf, problemsOf } from "../tree/plan.ts";
import { dataTask, isSame } from "./data.ts";
import { decide, type Decision, isDone, type Wanted } from "./decide.ts";
import { shortId } from "./images.ts";
import { lookAtStack, type Target } from "./look.ts";
import type { Container } from "./model.ts";
import { readStack } from "./stack.ts";

export async function plan(target: Target, saved: SavedTarget, context: PlanContext): Promise<TargetPlan> {
  const stack = readStack(saved);
  const world = await lookAtStack(target, context, stack);
  const decision = await decide(target, stack, world, context);
  const files = problemsOf(await dataTask(decision.config.place, context), decision.config.comparison);
  return {
    changes: changesOfStack(decision),
    summary: isDone(decision) ? "nothing to do" : summaryOf(decision),
    problems: [...decision.problems, ...files],
    uncommitted: [],
    warnings: warningsOf(decision),
  };
}

export function warningsOf({ warnings, config }: Decision): readonly string[] {
  if (config.skipped.length === 0) return warnings;
  return [
    ...warnings,
    `Not restored, because they are outside of the project's folder and not named: ${
      config.skipped.join(", ")
    }`,
  ];
}

/** In the order in which it is done. */
export function changesOfStack(decision: Decision): readonly TargetChange[] {
  const { config, data, missingImages, remove, stop, tags, wanted, sources } = decision;
  const replaced = (service: string, number: number) =>
    wanted.some((it) =>
      it.now === undefined && it.service.name === service && it.container.number === number
    );
  return [
    ...missingImages.map((id): TargetChange => {
      const from = sources.get(id)?.snapshot;
      return {
        action: "create",
        path: shortId(id),
        detail: `load the image${from === undefined ? "" : ` from ${from}`}`,
      };
    }),
    ...[...stop].reverse().map((it): TargetChange => ({ action: "run", path: it.name, detail: "stop" })),
    ...[...remove].reverse().map((it): TargetChange => ({
      action: "remove",
      path: it.name,
      detail: replaced(it.service, it.number)
        ? "the container, to be made again"
        : "the container, which came later",
    })),
    ...isSame(config.comparison) ? [] : changesOf(config.comparison),
    ...data.map(({ saved, path }): TargetChange => ({
      action: path === undefined ? "create" : "replace",
      path: saved.name,
      bytes: saved.bytes,
      detail: saved.kind === "volume"
        ? `the volume's content, ${counted(saved.files, "file")}`
        : `the folder, ${counted(saved.files, "file")}`,
    })),
    ...wanted.flatMap(({ service, container, now }): readonly TargetChange[] => {
      const image = `${service.image} (${shortId(container.image_id)})`;
      if (now === undefined) {
        const start = container.state === "stopped" ? "" : " and start it";
        return [{ action: "create", path: container.name, detail: `from ${image}${start}` }];
      }
      const stopped = stop.includes(now);
      if (container.state === "stopped" || now.state === container.state && !stopped) return [];
      return [{
        action: "run",
        path: container.name,
        detail: container.state === "paused" ? "start and pause" : "start",
      }];
    }),
    ...tags.map(({ reference, id, now }): TargetChange => ({
      action: now === "" ? "create" : id === "" ? "remove" : "replace",
      path: reference,
      detail: id === "" ? "the name of the image" : `becomes the name of ${shortId(id)}`,
    })),
  ];
}

function summaryOf({ config, data, remove, stop, tags, wanted, missingImages }: Decision): string {
  const made = wanted.filter((it) => it.now === undefined);
  const again = made.filter((it) => remove.some((old) => isPlaceOf(it, old)));
  const later = remove.filter((old) => !made.some((it) => isPlaceOf(it, old)));
  const files = config.comparison.actions.filter((it) => it.kind !== "times").length;
  const started = wanted.filter(({ now, container }) =>
    now !== undefined && container.state !== "stopped" &&
    (now.state !== container.state || stop.includes(now))
  ).length;
  const parts = [
    ...some("load", missingImages.length, "image"),
    ...some("put back", files, "configuration file"),
    ...some("replace", data.length, "volume"),
    ...some("remove", later.length, "container"),
    ...some("make", again.length, "container", " again"),
    ...some("make", made.length - again.length, "container"),
    ...some("stop", stop.length, "container"),
    ...some("start", started, "container"),
    ...some("set", tags.length, "image name"),
  ];
  return parts.join(", ");
}

function isPlaceOf({ service, container }: Wanted, { service: name, number }: Container): boolean {
  return service.name === name && container.number === number;
}

function some(verb: string, count: number, what: string, after = ""): readonly string[] {
  return count === 0 ? [] : [`${verb} ${counted(count, what)}${after}`];
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

/** @throws {RollbackError} something is in the way */
export function refuse(target: Target, { problems }: Decision): void {
  if (problems.length === 0) return;
  const Refusal = problems.some((it) => it.includes("not enough space"))
    ? RollbackBackupError
    : RollbackError;
  throw new Refusal(`Cannot restore ${target.name}: ${problems.join("; ")}`, {
    hint: "Nothing was changed. Clear what is named, then restore again.",
    context: { problems: [...problems] },
  });
}
