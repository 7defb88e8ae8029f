/** Whether files have the bytes of a snapshot, where neither size nor times tell. */
import * as fs from "node:fs";
import { digestFiles } from "#/core/digest.ts";
import { RollbackError } from "#/core/errors.ts";
import { isSystemFailure } from "#/core/system_error.ts";
import type { ContentRef } from "#/store/model.ts";
import type { StoreReader } from "#/store/store.ts";

export interface Question {
  readonly path: string;
  readonly content: ContentRef;
}

/** In the order of the questions. A file that went, or changes while it is read, has not the same bytes. */
export async function haveContent(
  questions: readonly Question[],
  store: StoreReader,
  signal: AbortSignal,
): Promise<readonly boolean[]> {
  const known = questions.filter((it) => it.content.sha256 !== undefined);
  const digests = await digestsOf(known.map((it) => it.path), signal);
  const answers: boolean[] = [];
  for (const { path, content } of questions) {
    if (content.sha256 !== undefined) answers.push(digests.get(path) === content.sha256);
    else answers.push(content.size === 0 || await sameBytes(path, content, store));
  }
  return answers;
}

/** SHA-256 of regular files by path, without those that cannot be read as they stand. */
export async function digestsOf(paths: readonly string[], signal: AbortSignal): Promise<Map<string, string>> {
  try {
    const all = await digestFiles(paths, { signal });
    return new Map(all.map((it) => [it.path, it.sha256]));
  } catch (error) {
    if (!isAboutFile(error) || signal.aborted) throw error;
    if (paths.length <= 1) return new Map();
    const middle = paths.length >> 1;
    const [some, others] = [
      await digestsOf(paths.slice(0, middle), signal),
      await digestsOf(paths.slice(middle), signal),
    ];
    return new Map([...some, ...others]);
  }
}

function isAboutFile(error: unknown): boolean {
  return isSystemFailure(error) || error instanceof RollbackError && "path" in error.context;
}

async function sameBytes(path: string, content: ContentRef, store: StoreReader): Promise<boolean> {
  const fd = openFile(path);
  if (fd === undefined) return false;
  try {
    for await (const chunk of store.readStream(content)) {
      const found = new Uint8Array(chunk.length);
      let done = 0;
      while (done < found.length) {
        const count = fs.readSync(fd, found, done, found.length - done, null);
        if (count === 0) return false;
        done += count;
      }
      if (!equalBytes(found, chunk)) return false;
    }
    return fs.readSync(fd, new Uint8Array(1), 0, 1, null) === 0;
  } finally {
    fs.closeSync(fd);
  }
}

/** Undefined when it went, or is a symlink meanwhile. */
function openFile(path: string): number | undefined {
  try {
    return fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
  } catch (error) {
    if (!isSystemFailure(error)) throw error;
    return undefined;
  }
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
