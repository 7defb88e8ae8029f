/** Data that a snapshot store is measured with; the same for the same seed. */
import * as crypto from "node:crypto";

const WORDS =
  ("function return const import export interface readonly string number promise await async class extends " +
    "public private value result error message context options index chunk file path buffer stream length offset")
    .split(" ");
const KIB = 1024;
const MIB = 1024 * KIB;
const PAGE = 64 * KIB;

/** Numbers from 0 to 1. */
export type Random = () => number;

export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Source code of a kind: shrinks to about a quarter. */
export function textOf(random: Random, length: number): Uint8Array {
  let text = "";
  while (text.length < length) {
    text += WORDS[Math.floor(random() * WORDS.length)]!;
    if (random() < 0.2) text += Math.floor(random() * 1e6).toString(36);
    text += random() < 0.1 ? ";\n" : " ";
  }
  return new TextEncoder().encode(text.slice(0, length));
}

export function noise(length: number): Uint8Array {
  return crypto.randomBytes(length);
}

/** 20,000 files of 200 bytes to 14 KB in 8,300 folders. */
export function writeSmallFiles(folder: string, count = 20_000): readonly string[] {
  const random = randomOf(42);
  const paths: string[] = [];
  for (let i = 0; i < count; i++) {
    const folderOf = `${folder}/a${i % 83}/b${Math.floor(i / 83) % 100}`;
    Deno.mkdirSync(folderOf, { recursive: true });
    const path = `${folderOf}/f${i}.ts`;
    Deno.writeFileSync(path, textOf(random, Math.floor(200 + random() ** 3 * 14_000)));
    paths.push(path);
  }
  return paths;
}

/** 1,000 files of about 1 MiB: archives, programs, texts. */
export function writeMixedFiles(folder: string, count = 1000): readonly string[] {
  const random = randomOf(7);
  Deno.mkdirSync(folder, { recursive: true });
  const text = textOf(random, 4 * MIB);
  return Array.from({ length: count }, (_, i) => {
    const size = Math.floor(random() ** 2 * 3 * MIB) + 1000;
    const path = `${folder}/f${i}`;
    const from = Math.floor(random() * MIB);
    Deno.writeFileSync(path, random() < 0.6 ? noise(size) : text.slice(from, from + size));
    return path;
  });
}

/** Pages of 64 KiB, half of them noise, the others rows of a kind. */
export function writePages(path: string, bytes: number): void {
  const random = randomOf(3);
  const texts = Array.from({ length: 64 }, () => textOf(random, PAGE));
  using file = Deno.openSync(path, { create: true, write: true, truncate: true });
  for (let at = 0; at < bytes; at += PAGE) {
    const page = random() < 0.5 ? noise(PAGE) : texts[Math.floor(random() * 64)]!.slice();
    if (random() < 0.999) page.set(noise(2 * KIB), Math.floor(random() * 30) * 2 * KIB);
    let done = 0;
    while (done < PAGE) done += file.writeSync(page.subarray(done));
  }
}

/** Writes other bytes into a share of the pages. */
export function changePages(path: string, share: number): void {
  const random = randomOf(99);
  using file = Deno.openSync(path, { write: true });
  const { size } = Deno.statSync(path);
  for (let at = 0; at < size; at += PAGE) {
    if (random() >= share) continue;
    file.seekSync(at, Deno.SeekMode.Start);
    file.writeSync(noise(PAGE));
  }
}

/** Puts bytes into the middle of a file. */
export async function insertInMiddle(path: string, inserted: number): Promise<void> {
  const { size } = Deno.statSync(path);
  const other = `${path}.new`;
  {
    using from = Deno.openSync(path);
    using to = Deno.openSync(other, { createNew: true, write: true });
    let left = Math.floor(size / 2);
    const buffer = new Uint8Array(MIB);
    while (left > 0) {
      const got = from.readSync(buffer.subarray(0, Math.min(left, MIB)));
      if (got === null) break;
      to.writeSync(buffer.subarray(0, got));
      left -= got;
    }
    to.writeSync(noise(inserted));
    await from.readable.pipeTo(to.writable).catch(() => {});
  }
  Deno.renameSync(other, path);
}
