import assert from "node:assert/strict";
import type { OperationEvent } from "#/report/model.ts";
import {
  createEventWriter,
  createMemoryPrinter,
  createProgress,
  initialProgress,
  nextProgress,
  progressText,
  renderProgress,
} from "#/report/mod.ts";

const time = "2026-03-04T05:06:07.000Z";
const step = (step: number, steps = 5): OperationEvent => ({
  event: "step_started",
  time,
  step,
  steps,
  description: `Do thing ${step}`,
});
const bytes = (done: number, total: number): OperationEvent => ({
  event: "progress",
  time,
  phase: "Reading artifacts",
  done,
  total,
  unit: "bytes",
});
const after = (...events: readonly OperationEvent[]) => events.reduce(nextProgress, initialProgress);

Deno.test("the bar shows how much is done", () => {
  const done = after(step(3), {
    event: "step_finished",
    time,
    step: 3,
    steps: 5,
    description: "",
    seconds: 1,
  });
  assert.equal(renderProgress(done, 80), "[████████████░░░░░░░░] 60% (3/5) Do thing 3");
  const half = after(step(3), bytes(512 * 1024, 1024 * 1024));
  assert.equal(renderProgress(half, 80), "[██████████░░░░░░░░░░] 50% (3/5) Do thing 3, 512 KiB of 1 MiB");
});

Deno.test("before the first step the phase is shown", () => {
  assert.equal(
    renderProgress(after(bytes(1, 4)), 60),
    "[█████░░░░░░░░░░░░░░░] 25% Reading artifacts, 1 B of 4 B",
  );
  assert.equal(renderProgress(initialProgress, 60), "");
});

Deno.test("a total of nothing, or more done than there was, stays in bounds", () => {
  assert.equal(renderProgress(after(bytes(0, 0)), 60), "Reading artifacts");
  assert.match(renderProgress(after(bytes(9, 4)), 60), /^\[█{20}\] 100% /);
});

Deno.test("where the line is short, the description is cut and not how far it is", () => {
  const state = after(
    { ...step(1, 2), description: "copy 4 artifacts of v1.1.0 back, and verify them" } as OperationEvent,
    bytes(1, 4),
  );
  const text = renderProgress(state, 60);
  assert.match(text, /^\[█+░+\] 12% \(1\/2\) copy .*…, 1 B of 4 B$/);
  assert.equal([...text].length, 60);
});

Deno.test("it fits every width", () => {
  for (let width = 0; width <= 60; width++) {
    assert.ok([...renderProgress(after(step(2), bytes(1, 3)), width)].length <= width);
  }
});

Deno.test("waiting for the lock says who has it, without control characters", () => {
  const state = after({ event: "waiting_for_lock", time, holder: "ci\u001b[2J on build-7" });
  assert.equal(progressText(state), "Waiting for the lock: held by ci\\e[2J on build-7");
  assert.equal(progressText(nextProgress(state, step(1))), "0% (1/5) Do thing 1");
});

Deno.test("on a terminal the bar is drawn at most ten times a second and cleared at the end", () => {
  const printer = createMemoryPrinter({ isTerminal: true, width: 60 });
  let now = 0;
  const progress = createProgress(printer, true, () => now);
  for (let i = 0; i < 1000; i++) {
    now = i; // one second, a thousand events
    progress.handle(bytes(i, 1000));
  }
  progress.stop();
  const draws = printer.stderr.split("\r\u001b[K").length - 2; // the last one clears
  assert.equal(draws, 10);
  assert.ok(printer.stderr.endsWith("\r\u001b[K"));
  assert.equal(printer.stdout, "");
});

Deno.test("a line printed while the bar is shown stands above it", () => {
  const printer = createMemoryPrinter({ isTerminal: true, width: 80 });
  const progress = createProgress(printer, true, () => 0);
  progress.handle(step(1));
  const bar = "[░░░░░░░░░░░░░░░░░░░░] 0% (1/5) Do thing 1";
  printer.line("hello");
  progress.stop();
  const clear = "\r\u001b[K";
  assert.equal(printer.stderr, `${clear}${bar}${clear}hello\n${bar}${clear}`);
});

Deno.test("without a terminal there is a line for every five seconds of work", () => {
  const printer = createMemoryPrinter();
  let now = 0;
  const progress = createProgress(printer, true, () => now);
  for (; now < 12_000; now += 100) progress.handle(bytes(now, 12_000));
  progress.stop();
  assert.deepEqual(printer.stderr.trimEnd().split("\n"), [
    "41% Reading artifacts, 4.9 KiB of 11.7 KiB",
    "83% Reading artifacts, 9.8 KiB of 11.7 KiB",
  ]);
});

Deno.test("without a terminal waiting for the lock is said at once", () => {
  const printer = createMemoryPrinter();
  createProgress(printer, true, () => 0).handle({ event: "waiting_for_lock", time, holder: "ci" });
  assert.equal(printer.stderr, "Waiting for the lock: held by ci\n");
});

Deno.test("progress that is off, or quiet, shows nothing", () => {
  for (const [quiet, enabled] of [[true, true], [false, false]] as const) {
    const printer = createMemoryPrinter({ isTerminal: true, width: 60, quiet });
    const progress = createProgress(printer, enabled, () => 0);
    progress.handle(step(1));
    progress.stop();
    assert.equal(printer.stderr, "");
  }
});

Deno.test("quiet suppresses lines, not documents and not errors", () => {
  const printer = createMemoryPrinter({ quiet: true });
  printer.out("{}");
  printer.line("people");
  printer.error("Error: no");
  assert.equal(printer.stdout, "{}\n");
  assert.equal(printer.stderr, "Error: no\n");
});

Deno.test("events are one line of JSON each", () => {
  let written = "";
  const write = createEventWriter((line) => written += line);
  write({ event: "warning", time, message: "two\nlines" });
  write({ event: "committed", time, serial: 7 });
  const lines = written.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(lines, [{ event: "warning", time, message: "two\nlines" }, {
    event: "committed",
    time,
    serial: 7,
  }]);
});
