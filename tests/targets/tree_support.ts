/** A target of files with a store in memory, and an independent look at what is on the disk. */
import { createHash } from "node:crypto";
import { native } from "#/core/native.ts";
import type { SavedTarget } from "#/store/model.ts";
import { driver as fileSystem } from "#/target/file_system.ts";
import type {
  CaptureContext,
  PlanContext,
  Restored,
  TargetChange,
  TargetPlan,
  TargetSpec,
} from "#/target/target.ts";
import { WatchedStore } from "./tree_watched_store.ts";

interface FileSystemKeys {
  readonly paths: readonly string[];
  readonly exclude?: readonly string[];
  readonly one_file_system?: boolean;
  readonly backup_location?: string;
}

/** A `file_system` target that is captured and restored without an engine around it. */
export class TreeWorld {
  readonly store = new WatchedStore();
  readonly warnings: string[] = [];
  readonly #folder: string;
  config: FileSystemKeys;

  constructor(folder: string, config: FileSystemKeys) {
    this.#folder = folder;
    this.config = config;
  }

  spec(): TargetSpec<ReturnType<typeof fileSystem.schema.parse>> {
    return {
      name: "data",
      type: "file_system",
      config: fileSystem.schema.parse(this.config),
      written: {},
      after: [],
    };
  }

  context(paths: readonly string[] = []): PlanContext & CaptureContext {
    return {
      folder: this.#folder,
      env: () => undefined,
      signal: new AbortController().signal,
      scratch: `${this.#folder}/scratch`,
      offline: true,
      now: () => new Date(),
      onProgress: () => {},
      warn: (message) => this.warnings.push(message),
      store: this.store,
      writer: this.store,
      previous: undefined,
      options: { paths, discardChanges: false },
    };
  }

  async capture(previous?: SavedTarget): Promise<SavedTarget> {
    const captured = await fileSystem.capture(this.spec(), { ...this.context(), previous });
    return {
      ...captured,
      name: "data",
      type: "file_system",
      undo: "exact",
      config: {},
      stored_bytes: 0,
      seconds: 0,
    };
  }

  plan(saved: SavedTarget, paths?: readonly string[]): Promise<TargetPlan> {
    return fileSystem.plan(this.spec(), saved, this.context(paths));
  }

  restore(saved: SavedTarget, paths?: readonly string[]): Promise<Restored> {
    return fileSystem.restore(this.spec(), saved, this.context(paths));
  }

  fingerprint(): Promise<string> {
    return fileSystem.fingerprint(this.spec(), this.context());
  }

  diff(from: SavedTarget, to?: SavedTarget): Promise<readonly TargetChange[]> {
    return fileSystem.diff(this.spec(), from, to, this.context());
  }

  exportTo(saved: SavedTarget, folder: string): Promise<Restored> {
    return fileSystem.exportTo(saved, folder, this.context());
  }
}

/** What `find` says of everything below a folder, with digests, attributes and which names are one file. */
export function describeTree(root: string): Record<string, string> {
  const format = ["%P", "%y", "%m", "%U", "%G", "%T@", "%s", "%l", "%n", "%D:%i"].join("\\0") + "\\0";
  const found = new Deno.Command("find", { args: [root, "-printf", format], stdin: "null" }).outputSync();
  if (!found.success) throw new Error(new TextDecoder().decode(found.stderr));
  const words = new TextDecoder().decode(found.stdout).split("\0");
  const rows: string[][] = [];
  for (let at = 0; at + 10 <= words.length; at += 10) rows.push(words.slice(at, at + 10));
  rows.sort((a, b) => (a[0]! < b[0]! ? -1 : 1));
  const first = new Map<string, string>();
  const tree: Record<string, string> = {};
  for (const [path, type, mode, uid, gid, time, size, target, links, inode] of rows) {
    const full = path === "" ? root : `${root}/${path}`;
    if (Number(links) > 1 && type === "f" && !first.has(inode!)) first.set(inode!, path!);
    const attributes = [...native()?.readAttributes(full) ?? []].map(([name, value]) => `${name}=${value}`);
    tree[path!] = [
      type,
      type === "l" ? "" : mode,
      `${uid}:${gid}`,
      time,
      type === "f" ? `${size} ${digest(full)} ${first.get(inode!) ?? ""}` : target,
      ...attributes,
    ].join(" ");
  }
  return tree;
}

function digest(path: string): string {
  return createHash("sha256").update(Deno.readFileSync(path)).digest("hex").slice(0, 16);
}

/** Runs a program and waits for it. @throws when it fails */
export function run(program: string, ...args: readonly string[]): void {
  const result = new Deno.Command(program, { args: [...args], stdin: "null" }).outputSync();
  if (!result.success) {
    throw new Error(`${program} ${args.join(" ")}: ${new TextDecoder().decode(result.stderr)}`);
  }
}
