/** Files of another tool's snapshot as a `configuration` target. */
import { sha256Hex } from "#/core/sha256.ts";
import { lstatRegular } from "#/core/digest.ts";
import { messageOf } from "#/core/errors.ts";
import { native } from "#/core/native.ts";
import type { SavedTarget } from "#/store/model.ts";
import type { StoreWriter } from "#/store/store.ts";
import type { TreeEntry } from "#/target/tree/entry.ts";
import { lookAt } from "#/target/tree/look.ts";
import { comparePaths } from "#/target/tree/path.ts";
import { TreeWriter } from "#/target/tree/tree.ts";
import type { FoundFile, FoundSnapshot } from "./found.ts";

/** Where nothing is there that says more. */
const PRIVATE_FILE = 0o600;

interface Loaded {
  readonly file: FoundFile;
  readonly bytes: Uint8Array;
  readonly sha256: string;
}

/** Undefined where none of the files can be used; the reasons go to `leftOut`. */
export async function configurationTarget(
  found: FoundSnapshot,
  writer: StoreWriter,
  leftOut: string[],
): Promise<SavedTarget | undefined> {
  const loaded = uniqueByPath(found.files).flatMap((file) => load(file, leftOut));
  if (loaded.length === 0) return undefined;
  const tree = new TreeWriter(writer);
  for (const one of loaded) await tree.add(await entryOf(one, found, writer));
  const roots = loaded.map(({ file }) => file.path);
  const { root, fingerprint } = await tree.end({
    format: 1,
    kind: "tree",
    roots,
    globs: [],
    exclude: [],
    one_file_system: false,
    limits: [],
  });
  return {
    name: "configuration",
    type: "configuration",
    undo: "exact",
    config: { config_files: roots },
    method: "configuration_files",
    metadata: {
      paths: roots,
      files: Object.fromEntries(loaded.map(({ file, sha256 }) => [file.path, sha256])),
      file_count: loaded.length,
    },
    state: { format: 1, tree: { ...root } },
    roots: [{ kind: "tree", content: root }],
    fingerprint,
    files: loaded.length,
    bytes: loaded.reduce((sum, { bytes }) => sum + bytes.length, 0),
    stored_bytes: writer.storedBytes,
    seconds: 0,
    warnings: [],
  };
}

/** In the order of a walk; none is below another one, as a file holds no files. */
function uniqueByPath(files: readonly FoundFile[]): readonly FoundFile[] {
  return [...new Map(files.map((file) => [file.path, file])).values()].toSorted((a, b) =>
    comparePaths(a.path, b.path)
  );
}

function load(file: FoundFile, leftOut: string[]): readonly Loaded[] {
  try {
    const bytes = "text" in file.content
      ? new TextEncoder().encode(file.content.text)
      : readCopy(file.content.copy);
    const sha256 = sha256Hex(bytes);
    if (file.sha256 === undefined || file.sha256 === sha256) return [{ file, bytes, sha256 }];
    leftOut.push(`the file ${file.path}: its copy is not what the other tool noted (sha256 ${file.sha256})`);
  } catch (error) {
    leftOut.push(`the file ${file.path}: ${messageOf(error)}`);
  }
  return [];
}

function readCopy(path: string): Uint8Array {
  lstatRegular(path); // a symlink could lead anywhere
  return Deno.readFileSync(path);
}

/** Owner and mode are those of the file that is there now: the other tools wrote into it, and kept them. */
async function entryOf(
  { file, bytes }: Loaded,
  found: FoundSnapshot,
  writer: StoreWriter,
): Promise<TreeEntry> {
  const there = lookAt(file.path);
  const copy = "copy" in file.content ? lookAt(file.content.copy) : undefined;
  const like = there?.type === "file" ? there : copy;
  // As precise as a look at the file says it here: else it would not be equal after its restore.
  const fraction = native() === undefined ? "000" : "000000000";
  const time = `${Math.max(0, Math.floor(Date.parse(found.created_at) / 1000))}.${fraction}`;
  return {
    path: file.path,
    type: "file",
    mode: like?.mode ?? PRIVATE_FILE,
    uid: like?.uid ?? Deno.uid() ?? 0,
    gid: like?.gid ?? Deno.gid() ?? 0,
    mtime: copy?.mtime ?? time,
    ctime: time,
    ino: 0,
    size: bytes.length,
    content: await writer.addBytes(bytes),
  };
}
