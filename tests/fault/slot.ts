/** One place to work: a repository that is set up once and put back as often as needed, always at the same path. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { recoverRepository, repositoryStatus, verifyAudit, verifyReleases } from "#/mod.ts";
import { type Tree, treeDifferences } from "../support/tree.ts";
import { makeRepository, type SweepOperation } from "./operations.ts";
import { type Program, readCalls, type Run, runProgram } from "./program.ts";
import { type Artifacts, findArtifacts, lostArtifacts, readerProblems, readState } from "./state.ts";

export interface Slot {
  readonly operation: SweepOperation;
  readonly program: Program;
  readonly folder: string;
  readonly repository: string;
  readonly newRelease: string;
  /** The state before the operation, and after it. */
  readonly before: Tree;
  readonly after: Tree;
  /** What must never be lost. */
  readonly known: Artifacts;
  /** The changing calls of the whole operation, in order. */
  readonly calls: readonly string[];
}

/** Makes the repository, runs the operation once without a fault, and puts the repository back. */
export async function makeSlot(program: Program, operation: SweepOperation, folder: string): Promise<Slot> {
  const repository = join(folder, "repository");
  const newRelease = join(folder, "new");
  makeRepository(operation, repository, newRelease, (argv) => {
    const run = runProgram(program, [...argv, "-r", repository, "--json"]);
    assert.equal(run.code, 0, `setting up with ${argv.join(" ")}: ${run.stdout}${run.stderr}`);
  });
  copyTree(repository, join(folder, "template"));
  const before = readState(repository);
  const known = new Map(
    [...findArtifacts(repository)].filter(([path]) =>
      !(operation.gives_up ?? []).some((version) => path.startsWith(`${version}/`))
    ),
  );
  const partial = { operation, program, folder, repository, newRelease, known };
  const { run, calls } = countCalls(partial, commandOf(partial));
  assert.equal(run.code, 0, `${operation.name} without a fault: ${run.stdout}${run.stderr}`);
  const after = readState(repository);
  assert.notDeepEqual(after, before, `${operation.name} changed nothing`);
  const slot = { ...partial, before, after, calls };
  await assertWhole(slot, `${operation.name} without a fault`, { deep: true });
  restoreTemplate(slot);
  return slot;
}

export function commandOf(
  slot: Pick<Slot, "operation" | "repository" | "newRelease">,
): readonly string[] {
  const argv = slot.operation.argv.map((it) => it.replace("{new}", slot.newRelease));
  return [...argv, "-r", slot.repository, "--json"];
}

/** Runs a command with a fault and says which changing calls it made. */
export function countCalls(
  slot: Pick<Slot, "program" | "folder">,
  argv: readonly string[],
  fault = "",
): { readonly run: Run; readonly calls: readonly string[] } {
  const file = join(slot.folder, "calls");
  removeTree(file);
  const run = runProgram(slot.program, argv, [`count:${file}`, fault].filter((it) => it !== "").join(","));
  return { run, calls: readCalls(file) };
}

/** What must hold at every instant, also right after a crash. */
export function assertInstant(slot: Slot, where: string): void {
  const problems = [
    ...lostArtifacts(slot.repository, slot.known),
    ...readerProblems(slot.repository, slot.known),
  ];
  assert.deepEqual(problems, [], `${where}: at the moment of the crash`);
}

/** What must hold once somebody recovered: the state before or after, and nothing left over. */
export async function assertWhole(
  slot: Slot,
  where: string,
  options: {
    /** Read every published file too. */
    readonly deep: boolean;
    /** A file could not be removed just now: a temporary file, or the lock of the dead, is the next command's to remove. */
    readonly temporary?: "allowed";
  },
): Promise<"before" | "after"> {
  const state = readState(slot.repository, options);
  const toBefore = treeDifferences(slot.before, state);
  const toAfter = treeDifferences(slot.after, state);
  if (toBefore.length > 0 && toAfter.length > 0) {
    const [name, differences] = toBefore.length < toAfter.length ? ["before", toBefore] : ["after", toAfter];
    assert.fail(`${where}: neither before nor after; from ${name}:\n  ${differences.join("\n  ")}`);
  }
  assertInstant(slot, where);
  const status = await repositoryStatus({ repository: slot.repository });
  assert.deepEqual(status.unfinished, [], `${where}: an operation is still unfinished`);
  const freed = status.lock === null || (options.temporary === "allowed" && status.lock.holder === "dead");
  assert.ok(freed, `${where}: the lock is still held: ${JSON.stringify(status.lock)}`);
  const audit = await verifyAudit({ repository: slot.repository });
  assert.deepEqual(audit.problems, [], `${where}: the audit log does not verify`);
  if (options.deep) {
    const releases = await verifyReleases({ repository: slot.repository });
    assert.deepEqual(releases.problems, [], `${where}: a release does not verify`);
  }
  return toAfter.length === 0 ? "after" : "before";
}

/** Recovers in this process. */
export async function recoverHere(slot: Slot): Promise<void> {
  await recoverRepository({ repository: slot.repository });
}

export function restoreTemplate(slot: Pick<Slot, "folder" | "repository">): void {
  removeTree(slot.repository);
  copyTree(join(slot.folder, "template"), slot.repository);
}

/** Keeps the crashed repository aside under `name`. */
export function keepAside(slot: Slot, name: string): void {
  const aside = join(slot.folder, name);
  removeTree(aside);
  copyTree(slot.repository, aside);
}

export function bringBack(slot: Slot, name: string): void {
  removeTree(slot.repository);
  copyTree(join(slot.folder, name), slot.repository);
}

/** Copies a small tree with its modes and times. */
export function copyTree(from: string, to: string): void {
  const info = Deno.lstatSync(from);
  if (info.isDirectory) {
    Deno.mkdirSync(to);
    for (const entry of Deno.readDirSync(from)) copyTree(`${from}/${entry.name}`, `${to}/${entry.name}`);
  } else if (info.isSymlink) {
    Deno.symlinkSync(Deno.readLinkSync(from), to);
    return;
  } else {
    Deno.copyFileSync(from, to);
  }
  if (info.mode !== null) Deno.chmodSync(to, info.mode & 0o7777);
  if (info.mtime !== null) Deno.utimeSync(to, info.mtime, info.mtime);
}

export function removeTree(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
