/** The table of states in the contract: each state, what each operation answers, and the state after it. */
import assert from "node:assert/strict";
import type { AnyRepository, Document } from "../support/repository.ts";

const VERSION = "v1.0.2";
const rollback = (
  ...flags: readonly string[]
) => ["release", "rollback", VERSION, "--reason", "test", ...flags];

/** How a version comes into each state, after it was published. */
const ways = {
  active: [],
  yanked: [["release", "yank", VERSION, "--reason", "test"]],
  bad: [["release", "mark", VERSION, "bad", "--reason", "test"]],
  partial: [rollback("--artifact", "**/app.txt")],
  emptied: [rollback("--type", "artifacts_only")],
  hidden: [rollback("--type", "index_only")],
  removed: [rollback()],
} as const satisfies Readonly<Record<string, readonly (readonly string[])[]>>;

type State = keyof typeof ways | "absent";

const operations = {
  full: () => rollback("--type", "full"),
  artifacts_only: () => rollback("--type", "artifacts_only"),
  index_only: () => rollback("--type", "index_only"),
  restore: () => ["release", "restore", VERSION],
  publish_same: (repository: AnyRepository) => ["release", "publish", VERSION, repository.source(VERSION)],
  publish_other: (
    repository: AnyRepository,
  ) => ["release", "publish", VERSION, repository.source(VERSION, "other")],
} as const;

type Operation = keyof typeof operations;

/** A state is where it ends with exit code 0; a number is the refusal, which changes nothing. */
type Answer = State | 40 | 46;

const table: Readonly<Record<State, Readonly<Record<Operation, Answer>>>> = {
  absent: row(40, 40, 40, 40, "active", "active"),
  active: row("removed", "emptied", "hidden", 46, "active", 46),
  yanked: row("removed", "emptied", "hidden", 46, "yanked", 46),
  bad: row("removed", "emptied", "hidden", 46, "bad", 46),
  partial: row("removed", "emptied", "hidden", "active", 46, 46),
  emptied: row("removed", 46, "removed", "active", 46, 46),
  hidden: row("removed", "removed", 46, "active", 46, 46),
  removed: row(46, 46, 46, "active", 46, 46),
};

function row(
  full: Answer,
  artifacts_only: Answer,
  index_only: Answer,
  restore: Answer,
  publish_same: Answer,
  publish_other: Answer,
) {
  return { full, artifacts_only, index_only, restore, publish_same, publish_other };
}

/** One field of the table. */
export interface StateCase {
  readonly name: string;
  readonly state: State;
  readonly operation: Operation;
  readonly answer: Answer;
}

export const STATE_CASES: readonly StateCase[] = (Object.keys(table) as State[]).flatMap((state) =>
  (Object.keys(operations) as Operation[]).map((operation) => {
    const answer = table[state][operation];
    return { name: `${state}, ${operation}: ${answer}`, state, operation, answer };
  })
);

/** Brings `VERSION` into the case's state, in a repository that is not there yet. */
export async function bringInto(repository: AnyRepository, { state }: StateCase): Promise<void> {
  await repository.publish("v1.0.1");
  if (state !== "absent") {
    await repository.publish(VERSION);
    for (const way of ways[state]) await repository.json(0, ...way);
  }
  assert.equal(await repository.state(VERSION), state, "the test could not make the state");
}

/** Does the operation in the state, and looks at what it answered and left. @returns its report */
export async function checkCase(repository: AnyRepository, stateCase: StateCase): Promise<Document> {
  const { state, operation, answer } = stateCase;
  const report = await repository.json(
    typeof answer === "number" ? answer : 0,
    ...operations[operation](repository),
  );
  assert.equal(await repository.state(VERSION), typeof answer === "number" ? state : answer);
  if (state === "removed" && operation.startsWith("publish")) {
    assert.match(report.error.hint, /restore/);
  }
  assert.deepEqual((await repository.json(0, "audit", "verify")).problems, []);
  await repository.json(0, "release", "verify", "v1.0.1");
  return report;
}

/** A dry run answers a refusal with the real run's code and changes nothing. @returns its exit code */
export async function dryRunCode(repository: AnyRepository, stateCase: StateCase): Promise<number> {
  const { state, operation } = stateCase;
  const { code } = await repository.cli(...operations[operation](repository), "--dry-run", "--json");
  assert.equal(await repository.state(VERSION), state);
  return code;
}
