/** What the tests of bad input share. */
import assert from "node:assert/strict";
import { type TestRepository, testRepository } from "../support/repository.ts";
import { readTree, type Tree, treeDifferences } from "../support/tree.ts";

/** All but history, audit and lock; also of a repository whose index cannot be read. */
export function visibleTree(root: string): Tree {
  return readTree(root, { ignore: (path) => /^\.backout(\/(history|audit|reserve|tmp)(\/|$))/.test(path) });
}

/** The command is refused with `code` and a sentence that matches, and changes nothing a reader could see. */
export async function refused(
  repository: TestRepository,
  code: number,
  sentence: RegExp,
  ...args: readonly string[]
): Promise<void> {
  const before = visibleTree(repository.path);
  const result = await repository.cli(...args);
  const said = `${args.join(" ")}: ${result.code}: ${result.stdout}${result.stderr}`;
  assert.equal(result.code, code, said);
  assert.match(result.stderr, sentence, said);
  assert.match(result.stderr, /Hint: \S|^ {2}Do +\S/m, `no hint: ${said}`);
  assert.doesNotMatch(result.stderr, /^\s+at /m, `a stack trace: ${said}`);
  assert.doesNotMatch(result.stderr, /Unexpected error/, said);
  assert.deepEqual(treeDifferences(before, visibleTree(repository.path)), [], said);
}

export async function published(cwd: string): Promise<TestRepository> {
  const repository = testRepository(cwd);
  for (const version of ["v1.0.0", "v1.0.1", "v1.0.2"]) await repository.publish(version);
  return repository;
}

export function must(...words: readonly [string, ...string[]]): void {
  const { success } = new Deno.Command(words[0], { args: words.slice(1) }).outputSync();
  assert.ok(success, words.join(" "));
}

export function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
