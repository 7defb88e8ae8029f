/** Configurations with receivers and hooks, hooks that write down what they were told, and an operation that is killed. */
import assert from "node:assert/strict";
import { runProgram } from "./cli.ts";

/** Writes `backout.yaml` into a folder. */
export function configure(folder: string, settings: Readonly<Record<string, unknown>>): void {
  // JSON is YAML.
  Deno.writeTextFileSync(`${folder}/backout.yaml`, JSON.stringify({ version: 1, ...settings }, undefined, 2));
}

/** A hook that appends a line with what it was told to `log`, then runs more of a shell's script. */
export function noting(log: string, more = ""): readonly string[] {
  const facts = ["PHASE", "OPERATION", "VERSION", "STATUS", "EXIT_CODE"].map((name) => `$BACKOUT_${name}`);
  return ["/bin/sh", "-c", `echo "${facts.join("|")}" >> "${log}"; ${more}`];
}

export function linesOf(file: string): readonly string[] {
  try {
    return Deno.readTextFileSync(file).split("\n").filter((line) => line !== "");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

const preload = new URL("./faulty_main.ts", import.meta.url).href;

/**
 * Runs a command from source and kills it just after it has replaced the index: its work is unfinished then.
 * @param folder is copied first, to find out when that is
 */
export async function killAfterCommit(
  folder: string,
  repository: string,
  args: readonly string[],
  cwd = folder,
): Promise<void> {
  const copy = `${folder}.copy`;
  copyFolder(`${folder}/${repository}`, `${copy}/${repository}`);
  const calls = `${folder}.calls`;
  const words = (root: string) => [...args, "-r", `${root}/${repository}`];
  const rehearsal = await runProgram(words(copy), {
    cwd: copy,
    preload,
    env: { BACKOUT_FAULT: `count:${calls}` },
  });
  const commit = linesOf(calls).findLast((line) => / rename /.test(line) && /index\.(new\.)?json/.test(line));
  assert.ok(commit !== undefined, `the index was never replaced: ${rehearsal.stderr}`);
  Deno.removeSync(copy, { recursive: true });
  Deno.removeSync(calls);
  const number = Number(commit.split(" ")[0]) + 1;
  const killed = await runProgram(words(folder), { cwd, preload, env: { BACKOUT_FAULT: `kill:${number}` } });
  assert.equal(killed.code, 137, killed.stderr);
}

function copyFolder(from: string, to: string): void {
  Deno.mkdirSync(to, { recursive: true });
  for (const entry of Deno.readDirSync(from)) {
    if (entry.isDirectory) copyFolder(`${from}/${entry.name}`, `${to}/${entry.name}`);
    else Deno.copyFileSync(`${from}/${entry.name}`, `${to}/${entry.name}`);
  }
}
