/**
 * Progress of long work. What is shown is a pure function of state and width; a terminal gets a bar that is
 * drawn over itself, anything else a line now and then.
 */
import type { OperationEvent } from "#/report/model.ts";
import type { Printer } from "#/report/printer.ts";
import { formatBytes } from "#/report/units.ts";
import { displayWidth, truncate, visible } from "#/report/visible.ts";

/** What is known about the work that is going on. */
export interface ProgressState {
  /** The step that runs, from 1; 0 before the first. */
  readonly step: number;
  /** 0 where it is not known yet. */
  readonly steps: number;
  readonly description: string;
  /** How far the step, or the work before the first step, is; undefined where it does not say. */
  readonly within:
    | { readonly done: number; readonly total: number; readonly unit: "bytes" | "files" }
    | undefined;
  /** Set while the operation waits for another one. */
  readonly waiting: string | undefined;
}

export const initialProgress: ProgressState = {
  step: 0,
  steps: 0,
  description: "",
  within: undefined,
  waiting: undefined,
};

const REDRAW_MS = 100;
const LINE_MS = 5000;
const BAR_WIDTH = 20;
/** Columns that the bar and the beginning of its text keep. */
const NARROWEST_HEAD = 36;

/** The state after an event; the same object where the event changes nothing. */
export function nextProgress(state: ProgressState, event: OperationEvent): ProgressState {
  switch (event.event) {
    case "waiting_for_lock":
      return { ...state, waiting: event.holder };
    case "recovering":
      return { ...initialProgress, description: `Recovering ${event.operation} first` };
    case "hooks":
      return { ...initialProgress, description: `Running ${event.programs.join(", ")}` };
    case "step_started":
      return {
        step: event.step,
        steps: event.steps,
        description: event.description,
        within: undefined,
        waiting: undefined,
      };
    case "progress": {
      const { done, total, unit } = event;
      const description = state.step === 0 ? event.phase : state.description;
      return { ...state, description, within: { done, total, unit }, waiting: undefined };
    }
    case "step_finished":
      return { ...state, step: event.step, steps: event.steps, within: { done: 1, total: 1, unit: "files" } };
    case "started":
    case "policy":
    case "committed":
    case "warning":
    case "finished":
      return state;
    default:
      return event satisfies never;
  }
}

/** The bar with its text, cut to `width` columns: `[████████████░░░░░░░░] 60% (3/5) Move 3 artifacts`. Empty where nothing is known. */
export function renderProgress(state: ProgressState, width: number): string {
  const text = progressText(state);
  const fraction = progressFraction(state);
  if (state.waiting !== undefined || fraction === undefined) return truncate(text, width);
  const room = Math.min(BAR_WIDTH, Math.floor(width / 3));
  const filled = Math.floor(fraction * room);
  const bar = `[${"█".repeat(filled)}${"░".repeat(room - filled)}]`;
  return fitted(`${bar} ${headText(state)}`, withinText(state), width);
}

/** How far it is matters more than the end of a long description. */
function fitted(head: string, tail: string, width: number): string {
  const room = width - displayWidth(tail);
  if (room < NARROWEST_HEAD || displayWidth(head) <= room) return truncate(head + tail, width);
  return truncate(head, room) + tail;
}

/** The same without a bar, for logs: `60% (3/5) Move 3 artifacts, 1.2 GiB of 2 GiB`. */
export function progressText(state: ProgressState): string {
  if (state.waiting !== undefined) return `Waiting for the lock: held by ${visible(state.waiting)}`;
  return headText(state) + withinText(state);
}

function headText(state: ProgressState): string {
  const fraction = progressFraction(state);
  const percent = fraction === undefined ? "" : `${Math.floor(fraction * 100)}% `;
  const steps = state.steps > 0 ? `(${state.step}/${state.steps}) ` : "";
  return percent + steps + visible(state.description);
}

function progressFraction(state: ProgressState): number | undefined {
  const within = state.within === undefined || state.within.total <= 0
    ? undefined
    : Math.min(1, Math.max(0, state.within.done / state.within.total));
  if (state.steps <= 0) return within;
  return Math.min(1, (Math.max(0, state.step - 1) + (within ?? 0)) / state.steps);
}

function withinText({ within }: ProgressState): string {
  if (within === undefined || within.total <= 1) return "";
  return within.unit === "bytes"
    ? `, ${formatBytes(within.done)} of ${formatBytes(within.total)}`
    : `, ${within.done} of ${within.total}`;
}

export interface Progress {
  readonly handle: (event: OperationEvent) => void;
  /** Clears the bar. Call it once the work is over, however it ended. */
  readonly stop: () => void;
}

/**
 * Shows an operation's events as they come: a bar on a terminal (drawn at most 10 times a second),
 * elsewhere a line for every 5 seconds of work. Shows nothing when not `enabled`.
 * @param clock milliseconds that only grow
 */
export function createProgress(
  printer: Printer,
  enabled: boolean,
  clock: () => number = () => performance.now(),
): Progress {
  if (!enabled || printer.quiet) return { handle: () => {}, stop: () => {} };
  return printer.isTerminal ? barProgress(printer, clock) : lineProgress(printer, clock);
}

function barProgress(printer: Printer, clock: () => number): Progress {
  let state = initialProgress;
  let drawnAt = -Infinity;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const draw = (): void => {
    timer = undefined;
    drawnAt = clock();
    // One column stays free: a full last column makes some terminals wrap.
    const text = renderProgress(state, Math.min(printer.width, 200) - 1);
    printer.transient(text === "" ? undefined : text);
  };
  return {
    handle(event) {
      const next = nextProgress(state, event);
      if (next === state) return;
      state = next;
      const wait = drawnAt + REDRAW_MS - clock();
      if (wait <= 0) {
        clearTimeout(timer);
        draw();
      } else timer ??= setTimeout(draw, wait);
    },
    stop() {
      clearTimeout(timer);
      timer = undefined;
      printer.transient(undefined);
    },
  };
}

function lineProgress(printer: Printer, clock: () => number): Progress {
  let state = initialProgress;
  let saidAt = clock();
  return {
    handle(event) {
      const next = nextProgress(state, event);
      if (next === state) return;
      state = next;
      const startedWaiting = event.event === "waiting_for_lock";
      if (!startedWaiting && clock() - saidAt < LINE_MS) return;
      saidAt = clock();
      printer.line(progressText(state));
    },
    stop() {},
  };
}
