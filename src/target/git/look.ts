/** Reads what a repository looks like. Changes nothing, not even the times in the index. */
import { sha256Hex } from "#/core/sha256.ts";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { canonicalJson } from "#/core/json.ts";
import { Pacer } from "#/core/pace.ts";
import * as posix from "#/core/posix.ts";
import { assertAtRest, openRepository, paths, type Repository } from "./git.ts";
import { describeFiles, isReached } from "../kept/files.ts";
import type { KeptFile } from "../kept/model.ts";
import type { GitState, IndexEntry, RepositoryState, Sparse } from "./model.ts";

const GITLINK = "160000";
const SPARSE_SETTINGS = ["core.sparseCheckout", "core.sparseCheckoutCone", "index.sparse"] as const;
const SKIP_WORKTREE = 0x40000000;
const INTENT_TO_ADD = 0x20000000;
/** Flags of an index entry that mean something to people: assume-unchanged besides. */
const FLAGS = 0x8000 | SKIP_WORKTREE | INTENT_TO_ADD;
const ENTRY = /^(\d+) ([0-9a-f]+) (\d)\t([\s\S]*)$/;
const DEBUG =
  /^ {2}ctime: \d+:\d+\n {2}mtime: \d+:\d+\n {2}dev: \d+\tino: \d+\n {2}uid: \d+\tgid: \d+\n {2}size: \d+\tflags: ([0-9a-f]+)\n/;

export interface LookOptions {
  readonly includeIgnored: boolean;
  readonly submodules: boolean;
}

/** A repository and what it looks like. */
export interface Looked {
  readonly repository: Repository;
  readonly state: RepositoryState;
  /** Untracked repositories inside the work tree: not looked into. */
  readonly nested: readonly string[];
}

/**
 * The repository and its submodules that are checked out.
 * @throws {RollbackError} something is under way in one of them
 */
export async function look(
  repository: Repository,
  options: LookOptions,
  path = "",
): Promise<readonly Looked[]> {
  assertAtRest(repository);
  const index = await readIndex(repository);
  const { kept, nested } = await keptFiles(repository, index.entries, options);
  const state: RepositoryState = {
    path,
    ...await readHead(repository),
    entries: index.entries,
    indexDigest: index.digest,
    kept,
    modes: await unusualModes(repository, index.entries, kept),
    sparse: await readSparse(repository),
  };
  const all: Looked[] = [{ repository, state, nested }];
  if (!options.submodules) return all;
  for (const entry of index.entries) {
    if (entry.mode !== GITLINK) continue;
    const folder = join(repository.folder, entry.path);
    if (!isReached(repository.folder, `${entry.path}/.git`)) continue;
    if (posix.lstat(join(folder, ".git")) === undefined) continue; // not checked out
    all.push(
      ...await look(await openRepository(folder, repository.git.context), options, join(path, entry.path)),
    );
  }
  return all;
}

export async function readHead(
  { git }: Repository,
): Promise<{ readonly branch: string | null; readonly commit: string | null }> {
  const branch = await git.maybe(["symbolic-ref", "-q", "HEAD"]);
  const commit = await git.maybe(["rev-parse", "-q", "--verify", "HEAD^{commit}"]);
  return { branch: branch ?? null, commit: commit ?? null };
}

/** The entries of the repository's own index, or of another. */
export async function readIndex(
  { git }: Repository,
  index?: string,
): Promise<{ readonly entries: readonly IndexEntry[]; readonly digest: string }> {
  const args = ["ls-files", "--stage", "-z", "--debug", "--full-name"];
  const bytes = await git.bytes(args, index === undefined ? {} : { index });
  // Names of unchanged files may be anything: bytes as they are, one character each.
  const parts = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1").split("\0");
  const digest = createHash("sha256");
  const entries: IndexEntry[] = [];
  for (let i = 0; i + 1 < parts.length; i++) {
    const line = i === 0 ? parts[0]! : parts[i]!.replace(DEBUG, "");
    const flags = Number.parseInt(DEBUG.exec(parts[i + 1]!)?.[1] ?? "0", 16) & FLAGS;
    const [, mode = "", oid = "", stage = "0", name = ""] = ENTRY.exec(line) ?? [];
    digest.update(`${mode} ${oid} ${stage} ${flags} ${name}\0`);
    entries.push({
      path: utf8(name),
      mode,
      oid,
      stage: Number(stage),
      skipWorktree: (flags & SKIP_WORKTREE) !== 0,
      announced: (flags & INTENT_TO_ADD) !== 0,
    });
  }
  return { entries, digest: digest.digest("hex") };
}

function utf8(latin1: string): string {
  // deno-lint-ignore no-control-regex -- plain ASCII is the same in both
  if (/^[\u0000-\u007f]*$/.test(latin1)) return latin1;
  return Buffer.from(latin1, "latin1").toString("utf8");
}

async function keptFiles(
  repository: Repository,
  entries: readonly IndexEntry[],
  options: LookOptions,
): Promise<{ kept: readonly KeptFile[]; nested: readonly string[] }> {
  const { git, folder } = repository;
  const changed = await changedPaths(repository);
  const standard = options.includeIgnored ? [] : ["--exclude-standard"];
  const untracked = paths(await git.bytes(["ls-files", "--others", "-z", ...standard]), folder);
  const links = new Set(entries.filter((it) => it.mode === GITLINK).map((it) => it.path));
  // What is in the way of a submodule, and other repositories, are not ours.
  const nested = untracked.filter((it) => it.endsWith("/"));
  const names = [...new Set([...changed, ...untracked])]
    .filter((it) => !it.endsWith("/") && !links.has(it) && !isOwn(it)).sort();
  const described = [
    ...await describeFiles(names, folder, git.context.signal),
    // A submodule that is not checked out is an empty folder.
    ...[...links].filter((it) => posix.lstat(join(folder, it)) === undefined).map((path) => ({
      path,
      kind: "absent" as const,
    })),
  ];
  const clean = new Map(entries.filter((it) => it.stage === 0 && !it.announced).map((it) => [it.path, it]));
  const kept = (await withOids(repository, described)).filter((it) => !isAsIndexed(it, clean.get(it.path)));
  return { kept, nested };
}

/** Tracked paths that are not as the index says; nothing for those that are to be missing (sparse). */
export function changedPaths({ git }: Repository, index?: string): Promise<readonly string[]> {
  const args = ["diff-files", "-z", "--name-only", "--no-renames", "--ignore-submodules=all"];
  return git.list(args, index === undefined ? {} : { index }).then((it) => [...new Set(it)]);
}

/** Git lists what was only touched as changed, too. */
function isAsIndexed({ kind, oid, mode }: KeptFile, entry: IndexEntry | undefined): boolean {
  if (entry === undefined || oid === undefined || oid !== entry.oid) return false;
  if (kind === "symlink") return entry.mode === "120000";
  return entry.mode === ((mode! & 0o100) === 0 ? "100644" : "100755");
}

/** backout's own folder of a workspace may lie in the repository. */
function isOwn(path: string): boolean {
  return path.startsWith(".backout/") || path.includes("/.backout/");
}

/** What git calls the contents, with its filters, so that a changed file can be told from a committed one. */
async function withOids(repository: Repository, kept: readonly KeptFile[]): Promise<readonly KeptFile[]> {
  const asked = kept.filter((it) => it.kind === "file" && !it.path.includes("\n"));
  const oids = new Map<string, string>();
  if (asked.length > 0) {
    const stdin = new TextEncoder().encode(asked.map((it) => `${it.path}\n`).join(""));
    const said = (await repository.git.text(["hash-object", "--stdin-paths"], { stdin })).split("\n");
    for (const [index, file] of asked.entries()) oids.set(file.path, said[index]!);
  }
  const links = kept.filter((it) => it.kind === "symlink");
  const format = links.length === 0 ? "" : await repository.git.text(["rev-parse", "--show-object-format"]);
  for (const { path, target } of links) oids.set(path, linkOid(target!, format));
  return kept.map((it) => oids.has(it.path) ? { ...it, oid: oids.get(it.path)! } : it);
}

function linkOid(target: string, format: string): string {
  const bytes = new TextEncoder().encode(target);
  return createHash(format).update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
}

async function unusualModes(
  { folder, git }: Repository,
  entries: readonly IndexEntry[],
  kept: readonly KeptFile[],
): Promise<Readonly<Record<string, number>>> {
  const others = new Set(kept.map((it) => it.path));
  const pacer = new Pacer(git.context.signal);
  const modes: Record<string, number> = {};
  for (const { path, mode, skipWorktree, stage } of entries) {
    if (pacer.due()) await pacer.rest();
    if (!mode.startsWith("100") || skipWorktree || stage !== 0 || others.has(path)) continue;
    const info = posix.lstat(join(folder, path));
    if (info === undefined || !info.isFile) continue;
    const bits = info.mode! & 0o7777;
    if (bits !== usualMode(mode)) modes[path] = bits;
  }
  return modes;
}

/** What most files that git wrote have. */
export function usualMode(mode: string): number {
  return mode === "100755" ? 0o755 : 0o644;
}

async function readSparse({ git, gitDir }: Repository): Promise<Sparse> {
  const settings: Record<string, string | null> = {};
  const said =
    await git.maybe(["config", "--get-regexp", "^(core\\.sparsecheckout(cone)?|index\\.sparse)$"]) ?? "";
  for (const name of SPARSE_SETTINGS) {
    const line = said.split("\n").findLast((it) => it.toLowerCase().startsWith(`${name.toLowerCase()} `));
    settings[name] = line?.slice(name.length + 1) ?? null;
  }
  const file = join(gitDir, "info/sparse-checkout");
  return { settings, patterns: posix.lstat(file) === undefined ? null : await Deno.readTextFile(file) };
}

/** Equal for equal states; nothing of it depends on times, or on where the repository lies. */
export function fingerprintOf(state: GitState): string {
  const file = (
    it: KeptFile,
  ) => [it.path, it.kind, it.mode ?? null, it.sha256 ?? it.target ?? null, it.owner ?? null];
  const repositories = state.repositories.map((it) => ({
    path: it.path,
    branch: it.branch,
    commit: it.commit,
    index: it.indexDigest,
    kept: it.kept.map(file),
    modes: it.modes,
    sparse: it.sparse,
  }));
  const value = canonicalJson({ repositories, config_files: state.configFiles.map(file) });
  return sha256Hex(value);
}
