/** Times the steps of a running plan and tells of them. */
import { type Scope, seconds } from "#/release/scope.ts";
import type { OperationReport, StepReport } from "#/report/model.ts";
import { describeStep, type RepositoryStep } from "#/step/repository_step.ts";

export class StepClock {
  #steps: StepReport[];
  #running: number[] = [];
  #since = performance.now();
  readonly #origin: number;

  constructor(private readonly scope: Scope, report: OperationReport) {
    this.#steps = [...report.steps];
    const before = scope.now().getTime() - Date.parse(report.timestamp);
    this.#origin = performance.now() - Math.max(0, before);
  }

  enterPreparation(steps: readonly RepositoryStep[]): void {
    const first = steps.findIndex((step) => step.kind === "commit_index");
    this.#enter(this.#steps.map((_, i) => i).slice(0, first));
  }

  begin(kind: RepositoryStep["kind"]): void {
    this.#enter(this.#steps.flatMap((step, i) => step.kind === kind && step.status === "planned" ? [i] : []));
  }

  beginStep(step: RepositoryStep): void {
    const description = describeStep(step);
    this.#enter(this.#steps.flatMap((each, i) => each.description === description ? [i] : []));
  }

  done(): readonly StepReport[] {
    this.#enter([]);
    return this.#steps;
  }

  /** The steps of an operation that was taken back: what ran when it failed is what failed. */
  takenBack(): readonly StepReport[] {
    const failed = new Set(this.#running);
    this.#enter([]);
    return this.#steps.map((step, i) => {
      if (failed.has(i)) return { ...step, status: "failed" };
      return step.status === "done" ? { ...step, status: "taken_back" } : step;
    });
  }

  #enter(next: number[]): void {
    const took = seconds(this.#since);
    for (const i of this.#running) {
      this.#steps[i] = { ...this.#steps[i]!, status: "done", seconds: took };
      this.#tell("step_finished", i);
    }
    this.#running = next;
    this.#since = performance.now();
    for (const i of next) {
      this.#steps[i] = { ...this.#steps[i]!, started_seconds: seconds(this.#origin) };
      this.#tell("step_started", i);
    }
  }

  #tell(event: "step_started" | "step_finished", i: number): void {
    const step = this.#steps[i]!;
    const told = { time: this.scope.now().toISOString(), step: i + 1, steps: this.#steps.length };
    if (event === "step_started") this.scope.emit({ event, ...told, description: step.description });
    else this.scope.emit({ event, ...told, description: step.description, seconds: step.seconds });
  }
}
