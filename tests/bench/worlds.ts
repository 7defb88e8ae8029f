/** The repositories that are measured, and how each is put back for the next round. */
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { timed } from "./measure.ts";

export const BROKEN = "v1.0.2";

/** A repository with one large release, and a way to take a rollback back without copying a byte. */
export interface LargeWorld {
  readonly repository: string;
  readonly files: readonly string[];
  readonly reset: () => void;
}

/** Writes `count` files of `bytes` in all below `folder`; no two alike. */
export function writeFiles(folder: string, count: number, bytes: number): readonly string[] {
  const size = Math.floor(bytes / count);
  const pool = new Uint8Array(Math.max(size, 65536) + count);
  for (let at = 0; at < pool.length; at += 65536) crypto.getRandomValues(pool.subarray(at, at + 65536));
  const names: string[] = [];
  for (let i = 0; i < count; i++) {
    const name = `part-${Math.floor(i / 100)}/artifact-${String(i).padStart(4, "0")}.bin`;
    Deno.mkdirSync(dirname(join(folder, name)), { recursive: true });
    Deno.writeFileSync(join(folder, name), pool.subarray(i, i + size));
    names.push(name);
  }
  return names;
}

/** Publishes a small release, then the large one. */
export function publishLarge(
  command: readonly string[],
  folder: string,
  count: number,
  bytes: number,
): LargeWorld {
  const repository = join(folder, "repository");
  const small = join(folder, "small");
  const large = join(folder, "large");
  Deno.mkdirSync(small, { recursive: true });
  Deno.writeTextFileSync(join(small, "README.md"), "small\n");
  const names = writeFiles(large, count, bytes);
  timed([...command, "release", "publish", "v1.0.1", small, "-r", repository, "--channel", "stable"]);
  timed([...command, "release", "publish", BROKEN, large, "-r", repository, "--channel", "stable"]);
  Deno.removeSync(large, { recursive: true });
  return withReset(folder, repository, names.map((name) => `${BROKEN}/${name}`));
}

/** A large release as T.A.R.S. would have written it: nothing is copied, and nothing but the index knows of it. */
export function writeLarge(folder: string, count: number, bytes: number): LargeWorld {
  const repository = join(folder, "repository");
  const names = writeFiles(join(repository, BROKEN), count, bytes);
  const files = names.map((name) => `${BROKEN}/${name}`);
  const index = { releases: [{ version: BROKEN, artifacts: files, size_bytes: bytes }], total_releases: 1 };
  Deno.writeTextFileSync(join(repository, "index.json"), JSON.stringify(index, undefined, 2));
  return withReset(folder, repository, files);
}

function withReset(folder: string, repository: string, files: readonly string[]): LargeWorld {
  const saved = join(folder, "saved");
  timed([
    "sh",
    "-c",
    `mkdir -p "$1" && cp -a "$2/index.json" "$1/" && if [ -e "$2/.backout" ]; then cp -a "$2/.backout" "$1/"; fi`,
    "sh",
    saved,
    repository,
  ]);
  const reset = () => {
    const backups = join(repository, ".rollback-backups");
    for (const backup of names(backups)) {
      const moved = join(backups, backup, BROKEN);
      if (exists(moved)) Deno.renameSync(moved, join(repository, BROKEN));
    }
    timed([
      "sh",
      "-c",
      `rm -rf "$2/.rollback-backups" "$2/.backout" && cp -a "$1/." "$2/" && sync -f "$2"`,
      "sh",
      saved,
      repository,
    ]);
  };
  return { repository, files, reset };
}

/** 10,000 releases in the index and as many backups. */
export function writeMany(
  command: readonly string[],
  folder: string,
  count: number,
): { repository: string; reset: () => void } {
  const repository = join(folder, "many");
  const releases = [];
  for (let i = count; i > 0; i--) {
    const version = `v1.0.${i}`;
    Deno.mkdirSync(join(repository, version), { recursive: true });
    Deno.writeTextFileSync(join(repository, version, "app.txt"), `app ${version}\n`);
    releases.push({
      version,
      timestamp: "2026-01-01T10:00:00Z",
      sha256: createHash("sha256").update(version).digest("hex"),
      size_bytes: 12,
      artifacts: [`${version}/app.txt`],
    });
  }
  Deno.writeTextFileSync(
    join(repository, "index.json"),
    JSON.stringify({ releases, total_releases: count, last_updated: "2026-01-01T10:00:00Z" }, undefined, 2),
  );
  const top = `v1.0.${count}`;
  timed([...command, "release", "rollback", top, "-r", repository, "--reason", "measured"]);
  multiplyBackup(repository, top, count);
  timed([...command, "release", "restore", top, "-r", repository]);
  return {
    repository,
    reset: () => {
      timed([...command, "release", "restore", top, "-r", repository]);
    },
  };
}

/** Copies the one real backup under other names, each with its own manifest. */
function multiplyBackup(repository: string, version: string, count: number): void {
  const backups = join(repository, ".rollback-backups");
  const [name] = names(backups);
  const manifest = Deno.readTextFileSync(join(backups, name!, "manifest.json"));
  for (let i = 0; i < count; i++) {
    const id8 = i.toString(16).padStart(8, "0");
    const copy = `v0.0.${i}-20260102_030405-${id8}`;
    Deno.mkdirSync(join(backups, copy, `v0.0.${i}`), { recursive: true });
    Deno.writeTextFileSync(join(backups, copy, `v0.0.${i}`, "app.txt"), `app ${version}\n`);
    const text = manifest.replaceAll(name!, copy).replaceAll(version, `v0.0.${i}`);
    Deno.writeTextFileSync(join(backups, copy, "manifest.json"), text);
  }
}

function names(folder: string): readonly string[] {
  return exists(folder) ? [...Deno.readDirSync(folder)].map((it) => it.name) : [];
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
