/** The `hooks:` block: which programs run before and after an operation. */
import { described, readTimeout, readWords, WORDS_SCHEMA } from "#/config/program_words.ts";
import type { Hook, HookLists, HooksByKind } from "#/core/hook.ts";
import { isBlock, own, type Path, type Problems, readBlock } from "#/policy/problem.ts";
import { OPERATION_KINDS } from "#/policy/view.ts";
import type { OperationKind } from "#/report/model.ts";

const KINDS: readonly OperationKind[] = [...OPERATION_KINDS, "recover"];
const LONGEST = { ms: 86_400_000, text: "1d" };

const hook = {
  anyOf: [WORDS_SCHEMA, {
    type: "object",
    properties: {
      command: WORDS_SCHEMA,
      timeout: { type: "string", description: `How long it may take (2m), at most ${LONGEST.text}.` },
    },
    required: ["command"],
    additionalProperties: false,
  }],
};
const lists = (phases: readonly (keyof HookLists)[]) => ({
  type: "object",
  properties: Object.fromEntries(phases.map((phase) => [phase, { type: "array", items: hook }])),
  additionalProperties: false,
});

export const hooksSchema = described({
  description: "Programs that run before and after operations, in the folder of this file.",
  type: "object",
  properties: Object.fromEntries(KINDS.map((kind) => [kind, lists(phasesOf(kind))])),
  additionalProperties: false,
});

/** Nothing may hold a recovery up. */
function phasesOf(kind: OperationKind): readonly (keyof HookLists)[] {
  return kind === "recover" ? ["after"] : ["before", "after"];
}

/** The hooks; what is wrong with them goes to `problems`. @param folder that of the file */
export function readHooks(value: unknown, path: Path, folder: string, problems: Problems): HooksByKind {
  return readHooksOf(KINDS, value, path, folder, problems);
}

/** The hooks of some kinds of operations. @param folder null where relative programs have none */
export function readHooksOf(
  kinds: readonly OperationKind[],
  value: unknown,
  path: Path,
  folder: string | null,
  problems: Problems,
): HooksByKind {
  if (value === undefined) return {};
  const block = readBlock(value, path, kinds, problems);
  if (block === undefined) return {};
  const known = kinds.filter((kind) => own(block, kind) !== undefined);
  return Object.fromEntries(
    known.map((kind) => [kind, readLists(kind, block[kind], [...path, kind], folder, problems)]),
  );
}

function readLists(
  kind: OperationKind,
  value: unknown,
  path: Path,
  folder: string | null,
  problems: Problems,
): HookLists {
  const phases = phasesOf(kind);
  if (!phases.includes("before") && isBlock(value) && own(value, "before") !== undefined) {
    const hint = "Use after: it runs when a recovery has recovered something.";
    problems.add({
      path: [...path, "before"],
      key: true,
      message: "hooks.recover has no before: nothing may hold a recovery up",
      hint,
    });
    return {};
  }
  const block = readBlock(value, path, phases, problems);
  if (block === undefined) return {};
  return Object.fromEntries(phases.flatMap((phase) => {
    const list = own(block, phase);
    return list === undefined ? [] : [[phase, readList(list, [...path, phase], folder, problems)]];
  }));
}

function readList(value: unknown, path: Path, folder: string | null, problems: Problems): readonly Hook[] {
  const hint =
    'Each program is a list of words, or {command: […], timeout: 5m}: [["systemctl", "stop", "app"]].';
  if (!Array.isArray(value)) {
    problems.value(path, "must be a list of programs", hint);
    return [];
  }
  if (typeof value[0] === "string") {
    // One pair of brackets too few: said once, not once per word.
    problems.value(path, "must be a list of programs, each a list of words", hint);
    return [];
  }
  return value.flatMap((entry: unknown, i) => readHook(entry, [...path, i], folder, problems) ?? []);
}

function readHook(value: unknown, path: Path, folder: string | null, problems: Problems): Hook | undefined {
  if (!isBlock(value)) {
    const command = readWords(value, path, folder, problems);
    return command === undefined ? undefined : { command };
  }
  const block = readBlock(value, path, ["command", "timeout"], problems);
  if (block === undefined) return undefined;
  const timeout_ms = readTimeout(own(block, "timeout"), [...path, "timeout"], LONGEST, problems);
  const words = own(block, "command");
  if (words === undefined) {
    return problems.value(path, "lacks command", 'Add it: command: ["systemctl", "stop", "app"]');
  }
  const command = readWords(words, [...path, "command"], folder, problems);
  if (command === undefined) return undefined;
  return { command, ...(timeout_ms === undefined ? {} : { timeout_ms }) };
}
