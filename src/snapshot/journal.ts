/**
 * The journal of a restore: `.backout/target-operations/<id>/journal.jsonl`, one record in each line, with its checksum.
 *
 * The first line is the whole plan, written before anything is touched; the others are appended, each durable before
 * what it announces happens. A last line that a crash cut short is dropped.
 * What the records say: no `begin` → nothing was touched; `begin`, but no `committed` → it is taken back, in reverse
 * order; `committed` → it is finished; `waiting_for_confirmation` → it stands until then, and is taken back after.
 */
import { sha256Hex } from "#/core/sha256.ts";
import { UnfinishedOperationError } from "#/core/errors.ts";
import { isJsonObject } from "#/core/json.ts";
import * as posix from "#/core/posix.ts";
import { isOperationId } from "#/core/safe_path.ts";
import { attempt } from "#/core/system_error.ts";
import type { Scope } from "#/release/scope.ts";
import type { OperationReport } from "#/report/model.ts";
import { FilesystemTree } from "#/storage/filesystem/tree.ts";
import type { UndoClass } from "#/store/model.ts";

/** Apart from the releases' operations: neither recovery mistakes the other's journals for its own. */
export const TARGET_OPERATIONS = ".backout/target-operations";
const MAX_JOURNAL_BYTES = 64 * 1024 * 1024;

/** One target that is restored. Its configuration and state are in the two snapshots. */
export interface PlannedTarget {
  readonly name: string;
  readonly type: string;
  readonly undo: UndoClass;
  /** One line for people. */
  readonly summary: string;
}

/** Everything that a recovery needs to know. Holds no secret: hooks and configurations are read anew. */
export interface RestorePlan {
  readonly format: 1;
  readonly id: string;
  /** For people, a noun: `restore of rb-0123456789ab`. */
  readonly title: string;
  readonly snapshot: string;
  /** The snapshot of the state before. */
  readonly safety: string;
  readonly targets: readonly PlannedTarget[];
  readonly paths: readonly string[];
  readonly discard_changes: boolean;
  readonly rollback_on_failure: boolean;
  /** How long a confirmation is waited for, in milliseconds; null where it needs none. */
  readonly confirm_within_ms: number | null;
  /** What is checked afterwards, by name. */
  readonly checks: readonly string[];
  /** Programs around it, without their arguments. */
  readonly hooks: { readonly before: readonly string[]; readonly after: readonly string[] };
  readonly machine_id: string;
  readonly host: string;
  readonly by: string;
  /** The report as far as it is known when the operation starts: what recovery completes and records. */
  readonly report: OperationReport;
  /** Where the audit entry's signing key is, by reference. */
  readonly signing_key_file: string | null;
}

export type JournalRecord =
  | { readonly record: "prepared"; readonly plan: RestorePlan }
  /** The hooks before it are about to run: those after it must. */
  | { readonly record: "hooks" }
  /** The targets of which the safety snapshot has the state before: what did not exist then is not among them. */
  | { readonly record: "kept"; readonly targets: readonly string[] }
  | { readonly record: "begin"; readonly step: number }
  | { readonly record: "end"; readonly step: number }
  | { readonly record: "committed" }
  /** Until RFC 3339. */
  | { readonly record: "waiting_for_confirmation"; readonly until: string }
  /** Only this direction goes on after a second crash. */
  | { readonly record: "reverting"; readonly why: string };

/** What a journal says, all records together. */
export interface JournalState {
  readonly plan: RestorePlan;
  readonly hooksBegan: boolean;
  readonly kept: readonly string[];
  /** Steps that were begun, in that order, with whether they ended. */
  readonly begun: readonly { readonly step: number; readonly ended: boolean }[];
  readonly committed: boolean;
  /** Undefined where none is waited for. */
  readonly waitingUntil: string | undefined;
  /** Why it is being taken back; undefined where it is not. */
  readonly reverting: string | undefined;
}

export function journalKey(id: string): string {
  return `${TARGET_OPERATIONS}/${id}/journal.jsonl`;
}

/** A journal that is written on. */
export class TargetJournal {
  readonly #path: string;
  #length: number;
  #state: JournalState;

  private constructor(path: string, length: number, state: JournalState) {
    this.#path = path;
    this.#length = length;
    this.#state = state;
  }

  /** Writes the plan durably: from here on recovery knows of the operation. */
  static async create(scope: Scope, plan: RestorePlan): Promise<TargetJournal> {
    const bytes = encodeRecord({ record: "prepared", plan });
    const key = journalKey(plan.id);
    await scope.store.create(key, bytes);
    return new TargetJournal(pathOf(scope, key), bytes.length, stateOf([], plan));
  }

  /**
   * Undefined when the operation left none: it had not begun.
   * @throws {UnfinishedOperationError} it is damaged
   * @throws {UnsafePathError} a symlink is on the way to it
   */
  static async open(scope: Scope, id: string): Promise<TargetJournal | undefined> {
    const key = journalKey(id);
    const stored = await scope.store.read(key, { maxBytes: MAX_JOURNAL_BYTES });
    if (stored === undefined) return undefined;
    const { records, length } = decode(stored.bytes, id);
    const first = records[0];
    if (first?.record !== "prepared") throw damaged(id, "its plan is missing");
    const problem = planProblem(first.plan, id);
    if (problem !== undefined) throw damaged(id, problem);
    const state = stateOf(records, first.plan);
    if (state.begun.some(({ step }) => first.plan.targets[step] === undefined)) {
      throw damaged(id, "it names a step that is not in its plan");
    }
    return new TargetJournal(pathOf(scope, key), length, state);
  }

  get state(): JournalState {
    return this.#state;
  }

  /** Durable when it returns. */
  append(record: Exclude<JournalRecord, { record: "prepared" }>): void {
    const bytes = encodeRecord(record);
    attempt("write", this.#path, () => posix.appendDurably(this.#path, bytes, this.#length));
    this.#length += bytes.length;
    this.#state = withRecord(this.#state, record);
  }
}

/** Ids of operations that left something behind, oldest first. */
export async function unfinishedTargetIds(scope: Pick<Scope, "store">): Promise<readonly string[]> {
  return (await scope.store.listNames(TARGET_OPERATIONS)).filter(isOperationId).toSorted();
}

/** Forgets an operation: the journal first, durably; then its private folders. */
export async function forgetOperation({ store }: Pick<Scope, "store">, id: string): Promise<void> {
  await store.removeFiles([journalKey(id)]);
  await store.flush();
  await store.removeTree(`${TARGET_OPERATIONS}/${id}`);
}

function pathOf(scope: Scope, key: string): string {
  return new FilesystemTree(scope.store.location).guard().resolve(key);
}

function encodeRecord(record: JournalRecord): Uint8Array {
  const json = JSON.stringify(record);
  return new TextEncoder().encode(`{"sha256":"${sha256Hex(json)}","entry":${json}}\n`);
}

const LINE = /^\{"sha256":"([0-9a-f]{64})","entry":(.*)\}$/s;

/** The records, and the length of what is valid. */
function decode(bytes: Uint8Array, id: string): { records: readonly JournalRecord[]; length: number } {
  const records: JournalRecord[] = [];
  let at = 0;
  while (at < bytes.length) {
    const end = bytes.indexOf(10, at);
    const record = end < 0 ? undefined : decodeLine(bytes.subarray(at, end));
    if (record === undefined) {
      const isLast = end < 0 || end === bytes.length - 1;
      if (isLast && records.length > 0) break; // cut short: what it announces did not happen
      throw damaged(id, `line ${records.length + 1} does not match its checksum`);
    }
    records.push(record);
    at = end + 1;
  }
  return { records, length: at };
}

function decodeLine(bytes: Uint8Array): JournalRecord | undefined {
  const match = LINE.exec(new TextDecoder().decode(bytes));
  if (match === null || sha256Hex(match[2]!) !== match[1]) return undefined;
  const record: unknown = JSON.parse(match[2]!);
  return isJsonObject(record) ? record as unknown as JournalRecord : undefined;
}

function planProblem(plan: RestorePlan, id: string): string | undefined {
  if (plan.format !== 1) return `its format is ${String(plan.format)}, and this program knows 1`;
  if (plan.id !== id) return "it belongs to another operation";
  if (!Array.isArray(plan.targets) || !Array.isArray(plan.paths)) return "it is incomplete";
  if (typeof plan.snapshot !== "string" || typeof plan.safety !== "string") return "it is incomplete";
  return undefined;
}

function stateOf(records: readonly JournalRecord[], plan: RestorePlan): JournalState {
  const empty: JournalState = {
    plan,
    hooksBegan: false,
    kept: [],
    begun: [],
    committed: false,
    waitingUntil: undefined,
    reverting: undefined,
  };
  return records.reduce(withRecord, empty);
}

function withRecord(state: JournalState, record: JournalRecord): JournalState {
  switch (record.record) {
    case "prepared":
      return state;
    case "hooks":
      return { ...state, hooksBegan: true };
    case "kept":
      return { ...state, kept: record.targets };
    case "begin":
      if (state.begun.some(({ step }) => step === record.step)) return state; // done again by a recovery
      return { ...state, begun: [...state.begun, { step: record.step, ended: false }] };
    case "end": {
      const begun = state.begun.map((one) => one.step === record.step ? { ...one, ended: true } : one);
      return { ...state, begun };
    }
    case "committed":
      return { ...state, committed: true, waitingUntil: undefined };
    case "waiting_for_confirmation":
      return { ...state, waitingUntil: record.until };
    case "reverting":
      return { ...state, reverting: record.why, waitingUntil: undefined };
    default:
      return record satisfies never;
  }
}

function damaged(id: string, what: string): UnfinishedOperationError {
  return new UnfinishedOperationError(`Cannot recover operation ${id}: its journal is damaged (${what})`, {
    hint:
      `Look at ${journalKey(id)} in the workspace: it names the snapshot of the state before. Bring the ` +
      `targets to the state that you want, then remove the folder ${TARGET_OPERATIONS}/${id}.`,
    context: { operation: id },
  });
}
