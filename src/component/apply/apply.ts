/**
 * `component apply`: the commands of components, each after what it depends on, several at a time where nothing is between
 * them. What fails stops what depends on it.
 */
import { ExitCode, InterruptedError, type StopSignal } from "#/core/errors.ts";
import { stamp } from "../cache/build.ts";
import { type ComponentStep, stepsOf } from "../commands.ts";
import { dependentsOf, type Graph, graphOf, withNeeds } from "../graph.ts";
import { readManifest } from "../manifest.ts";
import { assertEnvironment, chosenComponents, type Component } from "../model.ts";
import { assertLocked } from "./locked.ts";
import { makeLogFolder } from "../logs.ts";
import type { AppliedComponent, ApplyOptions, ApplyReport } from "./model.ts";
import { type ComponentRun, obstacleOf, runComponent } from "./run_component.ts";

const DEFAULT_JOBS = 4;

/**
 * Runs `install`, `build` and `test` of components. Failures of commands are in the report, not thrown.
 * @throws {RollbackManifestError} 48: the manifest cannot be used, or has a circle
 * @throws {VerificationError} 51: `locked`, and a checkout is at another commit; nothing was run
 */
export async function applyComponents(options: ApplyOptions): Promise<ApplyReport> {
  const { folder, environment, now = () => new Date() } = options;
  if (environment !== undefined) assertEnvironment(environment);
  const manifest = readManifest(folder);
  const graph = graphOf(manifest.components);
  const names = options.components.length === 0 ? [...manifest.components.keys()] : options.components;
  const chosen = new Map(chosenComponents(manifest, names).map((it) => [it.name, it]));
  const order = graph.order.filter((name) => chosen.has(name));
  const work = order.map((name): Work => ({
    component: chosen.get(name)!,
    steps: stepsOf(chosen.get(name)!),
  }));
  if (options.locked === true) await assertLocked(options, order);
  const began = now();
  if (options.dryRun === true) return report(options, began, work.map((it) => plannedOf(it, folder)), null);
  const logs = makeLogFolder(folder, `apply-${stamp(began)}`);
  const schedule = new Schedule(graph, work, { ...options, logs });
  const components = await schedule.run();
  return report(options, began, components, logs);
}

interface Work {
  readonly component: Component;
  readonly steps: readonly ComponentStep[];
}

function plannedOf({ component: { name }, steps }: Work, folder: string): AppliedComponent {
  if (steps.length === 0) return { name, state: "nothing to do", steps: [], seconds: 0, reason: "" };
  const obstacle = obstacleOf(folder, name);
  if (obstacle !== undefined) return { name, state: "failed", steps: [], seconds: 0, reason: obstacle };
  return {
    name,
    state: "planned",
    steps: steps.map(({ name }) => ({ name, state: "planned", seconds: 0, code: null, log: null })),
    seconds: 0,
    reason: "",
  };
}

/** Who runs now, who may run next, and who never will. */
class Schedule {
  readonly #graph: Graph;
  readonly #options: ApplyOptions & { readonly logs: string };
  readonly #work: ReadonlyMap<string, Work>;
  readonly #open: Set<string>;
  /** All that each one depends on, also through components that are not applied. */
  readonly #before: ReadonlyMap<string, readonly string[]>;
  readonly #running = new Map<string, Promise<void>>();
  readonly #ended = new Map<string, AppliedComponent>();
  #hasFailed = false;

  constructor(graph: Graph, work: readonly Work[], options: ApplyOptions & { readonly logs: string }) {
    this.#graph = graph;
    this.#options = options;
    this.#work = new Map(work.map((it) => [it.component.name, it]));
    this.#open = new Set(this.#work.keys());
    this.#before = new Map(
      [...this.#open].map((name) => [name, withNeeds(graph, [name]).filter((it) => it !== name)]),
    );
  }

  /** @returns in the order of dependencies */
  async run(): Promise<readonly AppliedComponent[]> {
    const { jobs = DEFAULT_JOBS } = this.#options;
    while (this.#open.size > 0 || this.#running.size > 0) {
      if (this.#mustStop()) this.#skipRest();
      for (const name of this.#ready()) {
        if (this.#running.size >= jobs) break;
        this.#open.delete(name);
        this.#running.set(name, this.#start(name));
      }
      if (this.#running.size > 0) await Promise.race(this.#running.values());
    }
    return [...this.#work.keys()].map((name) => this.#ended.get(name)!);
  }

  #mustStop(): boolean {
    return this.#options.signal?.aborted === true || (this.#hasFailed && this.#options.keepGoing !== true);
  }

  /** Whose dependencies, of those that are applied at all, have ended. */
  #ready(): readonly string[] {
    const isWaited = (name: string) => this.#open.has(name) || this.#running.has(name);
    return [...this.#open].filter((name) => !this.#before.get(name)!.some(isWaited));
  }

  async #start(name: string): Promise<void> {
    const { component, steps } = this.#work.get(name)!;
    const { folder, environment, logs, signal } = this.#options;
    this.#emit("step_started", `${[...this.#running.keys(), name].join(", ")}`, 0);
    const run: ComponentRun = { component, steps, folder, environment, logs, signal };
    const ended = await runComponent(run);
    this.#running.delete(name);
    this.#end(ended);
    if (ended.state === "failed") this.#fail(name);
  }

  #fail(name: string): void {
    this.#hasFailed = true;
    for (const other of dependentsOf(this.#graph, name)) {
      this.#skip(other, `${name} failed, which it depends on`);
    }
  }

  #skipRest(): void {
    const why = this.#options.signal?.aborted === true
      ? "it was stopped before"
      : "something else failed before";
    for (const name of [...this.#open]) this.#skip(name, why);
  }

  #skip(name: string, reason: string): void {
    if (!this.#open.delete(name)) return;
    this.#end({ name, state: "skipped", steps: [], seconds: 0, reason });
  }

  #end(ended: AppliedComponent): void {
    this.#ended.set(ended.name, ended);
    this.#emit("step_finished", `${ended.name}: ${ended.state}`, ended.seconds);
  }

  /** How many have ended, of all. */
  #emit(event: "step_started" | "step_finished", description: string, seconds: number): void {
    const { onEvent, now = () => new Date() } = this.#options;
    const common = { time: now().toISOString(), steps: this.#work.size, description };
    if (event === "step_finished") onEvent?.({ event, step: this.#ended.size, ...common, seconds });
    else onEvent?.({ event, step: Math.min(this.#ended.size + 1, this.#work.size), ...common });
  }
}

function report(
  options: ApplyOptions,
  began: Date,
  components: readonly AppliedComponent[],
  logs: string | null,
): ApplyReport {
  const { environment = null, jobs = DEFAULT_JOBS, signal, now = () => new Date() } = options;
  const countOf = (...states: readonly AppliedComponent["state"][]) =>
    components.filter(({ state }) => states.includes(state)).length;
  const [failed, skipped] = [countOf("failed"), countOf("skipped")];
  const done = countOf("done", "nothing to do");
  const isStopped = signal?.aborted === true && done < components.length;
  const status = logs === null ? "dry_run" : isStopped ? "stopped" : failed > 0 ? "failed" : "success";
  return {
    ...{ format: 1, operation: "component_apply", status, timestamp: began.toISOString() },
    seconds: Math.max(0, now().getTime() - began.getTime()) / 1000,
    ...{ environment, jobs, components, done, failed, skipped, logs },
    exit_code: isStopped ? stopCode(signal?.reason) : failed > 0 ? failureOf(status) : ExitCode.done,
    summary: summaryOf(status, components, done),
  };
}

function summaryOf(
  status: ApplyReport["status"],
  components: readonly AppliedComponent[],
  done: number,
): string {
  const all = components.length;
  const total = `${all} component${all === 1 ? "" : "s"}`;
  switch (status) {
    case "success":
      return `Applied ${total}`;
    case "dry_run": {
      const obstacles = components.filter(({ state }) => state === "failed");
      if (obstacles.length === 0) return `Would apply ${total}`;
      return `Would fail: ${obstacles.map(({ name, reason }) => `${name}: ${reason}`).join("; ")}`;
    }
    case "stopped":
      return `Stopped: ${done} of ${total} applied`;
    case "failed": {
      const names = components.filter(({ state }) => state === "failed").map(({ name }) => name);
      return `${names.join(", ")} failed; ${done} of ${total} applied`;
    }
    default:
      return status satisfies never;
  }
}

function failureOf(status: ApplyReport["status"]): ExitCode {
  return status === "dry_run" ? ExitCode.dryRun : ExitCode.rollback;
}

function stopCode(reason: unknown): ExitCode {
  const known: readonly StopSignal[] = ["SIGHUP", "SIGINT", "SIGTERM", "timeout"];
  return new InterruptedError(known.find((name) => name === reason) ?? "SIGTERM").code;
}
