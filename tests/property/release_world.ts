/** A real repository in the words of the model, and what must hold of it after every step. */
import assert from "node:assert/strict";
import { verifyAudit, verifyBackups, verifyReleases } from "#/mod.ts";
import { parseBackupFolderName } from "#/core/ids.ts";
import type { BackupManifest } from "#/repository/backup_folder.ts";
import type { Channel, ReleaseEntry, RepositoryIndex } from "#/repository/index_format.ts";
import { contentOf, type Model, type ModelChannel, type ModelEntry, sorted } from "./release_model.ts";

/** Ticks are ten seconds. */
const EPOCH = Date.parse("2026-03-01T00:00:00.000Z");

export function timeOf(tick: number): Date {
  return new Date(EPOCH + tick * 10_000);
}

function tickOf(time: string): number {
  return Math.round((Date.parse(time) - EPOCH) / 10_000);
}

/** `<version>-<time>-<id>` as `<version>@<tick>`. */
function keyOf(folder: string): string {
  const { version, at } = parseBackupFolderName(folder)!;
  return `${version}@${tickOf(at)}`;
}

export function readIndex(root: string): RepositoryIndex {
  return JSON.parse(Deno.readTextFileSync(`${root}/index.json`));
}

function namesIn(folder: string): readonly string[] {
  try {
    return [...Deno.readDirSync(folder)].map((entry) => entry.name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** The folder of a backup by its key in the model; a name of no backup when it is gone. */
export function backupFolder(root: string, key: string): string {
  const found = namesIn(`${root}/.rollback-backups`).find((name) => keyOf(name) === key);
  return found ?? `${key.replace("@", "-")}-20200101_000000-00000000`;
}

/** Everything below `root` but backout's own. Bytes are checked on the way. */
function filesBelow(root: string, folder: string, skip: ReadonlySet<string>): readonly string[] {
  return [...Deno.readDirSync(folder === "" ? root : `${root}/${folder}`)].flatMap((entry) => {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (skip.has(path)) return [];
    if (entry.isDirectory) {
      const below = filesBelow(root, path, skip);
      assert.ok(below.length > 0, `the empty folder ${path} was left`);
      return below;
    }
    assert.equal(Deno.readTextFileSync(`${root}/${path}`), contentOf(path), `${path} has other bytes`);
    return [path];
  });
}

const OWN = new Set([".backout", ".rollback-backups", "index.json", "index.md"]);
const MANIFEST = new Set(["manifest.json"]);

/** What is on the disk, as a model. */
export function observe(root: string): Model {
  const index = readIndex(root);
  const stones = (index.rolled_back ?? []).map((stone) =>
    [stone.version, {
      state: stone.state,
      backups: stone.backups.map(keyOf),
      entry: stone.entry === undefined ? null : toEntry(stone.entry),
    }] as const
  );
  const folders = namesIn(`${root}/.rollback-backups`);
  return {
    releases: index.releases.map(toEntry),
    stones: Object.fromEntries(stones),
    channels: toChannels(index.channels ?? {}),
    pins: sorted(Object.keys(index.backup_pins ?? {}).map(keyOf)),
    backups: Object.fromEntries(folders.map((name) => [keyOf(name), toBackup(root, name)])),
    tree: sorted(filesBelow(root, "", OWN)),
  };
}

function toEntry(entry: ReleaseEntry): ModelEntry {
  return {
    version: entry.version,
    artifacts: entry.artifacts,
    tick: entry.version.startsWith("t") ? Number(entry.version.slice(1)) - 4 : tickOf(entry.timestamp!),
    recorded: entry.record_sha256 !== undefined,
    status: entry.status ?? null,
    yanked: entry.yanked === undefined ? null : tickOf(entry.yanked.at),
    mark: entry.mark === undefined ? null : { verdict: entry.mark.verdict, tick: tickOf(entry.mark.at) },
    removed: entry.removed_artifacts ?? [],
    backups: (entry.backups ?? []).map(keyOf),
    depends: entry.depends_on ?? [],
  };
}

function toChannels(channels: Readonly<Record<string, Channel>>): Readonly<Record<string, ModelChannel>> {
  return Object.fromEntries(
    Object.entries(channels).map(([name, { version, since, history, previous }]) => {
      assert.equal(previous, history?.[0] ?? null, "previous is the newest of the history");
      return [name, { version, since: tickOf(since), history: history ?? [] }];
    }),
  );
}

function toBackup(root: string, name: string): Model["backups"][string] {
  const folder = `${root}/.rollback-backups/${name}`;
  const manifest: BackupManifest = JSON.parse(Deno.readTextFileSync(`${folder}/manifest.json`));
  const files = sorted(filesBelow(folder, "", MANIFEST));
  assert.deepEqual(
    sorted(manifest.artifacts.map((file) => file.path)),
    files,
    `${name} is not what its manifest says`,
  );
  return {
    version: manifest.version,
    files,
    entry: toEntry(manifest.entry),
    before: toChannels(manifest.channels_before),
    after: toChannels(manifest.channels_after),
  };
}

/** Sets of names compare as sets, and keys in any order. */
export function comparable(model: Model): unknown {
  const inOrder = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(inOrder);
    if (typeof value !== "object" || value === null) return value;
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(entries.map(([key, inner]) => [
      key,
      ["artifacts", "removed"].includes(key) ? sorted(inner as string[]) : inOrder(inner),
    ]));
  };
  return inOrder(model);
}

/** What must hold whatever happened. @param full also read and digest everything (slower) */
export async function checkInvariants(root: string, full: boolean): Promise<void> {
  const index = readIndex(root);
  assert.equal(index.total_releases, index.releases.length);
  assert.deepEqual(index.publisher, { name: "tars", schema: 1 }, "a foreign field was lost");
  assert.match(Deno.readTextFileSync(`${root}/index.json`), /"schema": 1\.0\b/);
  for (const entry of index.releases) checkReader(root, entry);
  for (const folder of ["operations", "tmp"]) {
    assert.deepEqual(namesIn(`${root}/.backout/${folder}`), [], `something was left in .backout/${folder}`);
  }
  assert.ok(!namesIn(root).includes(".backout-scratch"), "the scratch was left");
  assert.ok(!namesIn(`${root}/.backout`).includes("lock"), "the lock was left");
  const markdown = Deno.readTextFileSync(`${root}/index.md`);
  if ((index.serial ?? 0) > 0) {
    const rows = markdown.split("\n").flatMap((line) => /^\| ([tv]\d) \|/.exec(line)?.[1] ?? []);
    assert.deepEqual(rows, index.releases.map((entry) => entry.version), "index.md is not in step");
  }
  assert.deepEqual((await verifyAudit({ repository: root })).problems, []);
  if (!full) return;
  assert.deepEqual((await verifyReleases({ repository: root })).problems, []);
  const backups = await verifyBackups({ repository: root, readData: true });
  assert.deepEqual(backups.flatMap((backup) => backup.problems), []);
}

/** Who reads the index finds every published artifact. */
function checkReader(root: string, entry: ReleaseEntry): void {
  const removed = new Set(entry.removed_artifacts ?? []);
  for (const path of entry.artifacts.filter((path) => !removed.has(path))) {
    assert.equal(Deno.readTextFileSync(`${root}/${path}`), contentOf(path), `${entry.version}: ${path}`);
  }
}
