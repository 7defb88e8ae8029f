/** A file that a caller asked for, written piece by piece: for what should not be held in memory. */
import { dirname, join } from "node:path";
import { makeFolders, writeOutputFile } from "#/core/output_file.ts";
import * as posix from "#/core/posix.ts";

/** Gathered before each write, which is durable. */
const CHUNK_CHARACTERS = 1024 * 1024;

/**
 * Writes a file, whole or not at all; its folder is made. What is no plain file (`/dev/stdout`) gets it all at once.
 * @param fill gives the text, piece by piece
 * @throws the system's error, or what `fill` throws
 */
export async function writeOutputLines<T>(
  path: string,
  fill: (write: (text: string) => void) => Promise<T>,
): Promise<T> {
  const existing = posix.lstat(path);
  if (existing !== undefined && !existing.isFile) return await writeAtOnce(path, fill);
  makeFolders(dirname(path));
  const temporary = join(dirname(path), `.backout-${crypto.randomUUID()}.tmp`);
  try {
    const result = await writeInPieces(temporary, fill);
    posix.rename(temporary, path);
    return result;
  } catch (error) {
    if (posix.lstat(temporary) !== undefined) posix.unlink(temporary);
    throw error;
  }
}

async function writeAtOnce<T>(path: string, fill: (write: (text: string) => void) => Promise<T>): Promise<T> {
  const pieces: string[] = [];
  const result = await fill((text) => void pieces.push(text));
  writeOutputFile(path, pieces.join(""));
  return result;
}

async function writeInPieces<T>(
  path: string,
  fill: (write: (text: string) => void) => Promise<T>,
): Promise<T> {
  using file = posix.openNewFile(path, 0o666);
  let waiting: string[] = [];
  let characters = 0;
  const flush = () => {
    posix.writeOpenFile(file, path, new TextEncoder().encode(waiting.join("")));
    waiting = [];
    characters = 0;
  };
  const result = await fill((text) => {
    waiting.push(text);
    characters += text.length;
    if (characters >= CHUNK_CHARACTERS) flush();
  });
  flush();
  return result;
}
