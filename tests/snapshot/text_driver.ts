/**
 * A kind of target for tests of the engine: one file, as bytes. Small, but real: it reads and writes through the calls
 * in which faults are put. A file beside it changes how it behaves: `<path>.refuse` makes every restore fail,
 * `<path>.hang` makes a capture wait for its signal.
 */
import { createHash } from "node:crypto";
import { basename, dirname, join } from "node:path";
import * as z from "zod";
import { RollbackBackupError, RollbackVersionNotFoundError } from "#/core/errors.ts";
import * as posix from "#/core/posix.ts";
import type { ContentRef, SavedTarget, UndoClass } from "#/store/model.ts";
import type { TargetChange, TargetDriver } from "#/target/target.ts";

interface TextConfig {
  readonly path: string;
  readonly undo: UndoClass;
  /** What is unsaved work: a word that the file holds. */
  readonly unsaved?: string | undefined;
}

const schema = z.strictObject({
  path: z.string(),
  undo: z.enum(["exact", "compensating", "none"]).default("exact"),
  unsaved: z.string().optional(),
});

function read(path: string): Uint8Array | undefined {
  return posix.lstat(path) === undefined ? undefined : Deno.readFileSync(path);
}

function digest(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? "absent" : createHash("sha256").update(bytes).digest("hex");
}

function changesOf(path: string, saved: SavedTarget): readonly TargetChange[] {
  const now = read(path);
  if (digest(now) === saved.fingerprint) return [];
  return [{ action: now === undefined ? "create" : "replace", path, bytes: saved.bytes }];
}

export const driver: TargetDriver<TextConfig> = {
  type: "text",
  summary: "One file, for tests.",
  schema: schema as unknown as z.ZodType<TextConfig>,
  undo: ({ undo }) => undo,
  programs: () => [],
  async capture({ config: { path } }, { writer, signal, previous }) {
    if (posix.lstat(`${path}.hang`) !== undefined) {
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    }
    const bytes = read(path);
    if (bytes === undefined) throw new RollbackVersionNotFoundError(`${path} does not exist`);
    const content = await writer.addBytes(bytes);
    return {
      method: "text",
      metadata: { had_previous: previous !== undefined },
      state: { content: content as never },
      roots: [{ kind: "content", content }],
      fingerprint: digest(bytes),
      files: 1,
      bytes: bytes.length,
      warnings: [],
    };
  },
  plan({ config: { path, unsaved } }, saved) {
    const changes = changesOf(path, saved);
    const text = new TextDecoder().decode(read(path));
    const problems = posix.lstat(dirname(path)) === undefined ? [`${dirname(path)} does not exist`] : [];
    return Promise.resolve({
      changes,
      summary: changes.length === 0 ? "nothing" : `write ${basename(path)}`,
      problems,
      uncommitted: unsaved !== undefined && text.includes(unsaved) ? [path] : [],
      warnings: [],
    });
  },
  async restore({ config: { path } }, saved, { store }) {
    if (posix.lstat(`${path}.refuse`) !== undefined) {
      throw new RollbackBackupError(`Cannot write ${path}: it is refused`);
    }
    const content = saved.state.content as unknown as ContentRef;
    const bytes = await store.readBytes(content, { maxBytes: 1 << 20 });
    const temporary = join(dirname(path), `.${basename(path)}.tmp`);
    if (posix.lstat(temporary) !== undefined) posix.unlink(temporary);
    posix.writeNewFile(temporary, bytes);
    if (posix.lstat(`${path}.late-refuse`) !== undefined) {
      throw new RollbackBackupError(`Cannot write ${path}: it is refused`);
    }
    posix.rename(temporary, path);
    return { method: "text_restore", changed: 1, removed: 0, bytes: bytes.length, details: {}, warnings: [] };
  },
  fingerprint: ({ config: { path } }) => Promise.resolve(digest(read(path))),
  diff: ({ config: { path } }, from, to) =>
    Promise.resolve(
      to === undefined
        ? changesOf(path, from)
        : from.fingerprint === to.fingerprint
        ? []
        : [{ action: "replace" as const, path }],
    ),
  async exportTo(saved, folder, { store }) {
    const bytes = await store.readBytes(saved.state.content as unknown as ContentRef, { maxBytes: 1 << 20 });
    Deno.writeFileSync(join(folder, "content"), bytes);
    return { method: "text_export", changed: 1, removed: 0, bytes: bytes.length, details: {}, warnings: [] };
  },
};
