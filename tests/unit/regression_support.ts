/** Repositories and faults for the regression tests of release operations. */
import { type MutatingCall, setFaultHook } from "#/core/posix.ts";

export interface Entry {
  readonly version: string;
  readonly artifacts: readonly string[];
  readonly [field: string]: unknown;
}

/** A repository as another tool would leave it; every artifact's content is its own path unless given. */
export function makeRepository(
  root: string,
  releases: readonly Entry[],
  extra: Record<string, unknown> = {},
): string {
  const repository = `${root}/releases`;
  for (const path of releases.flatMap((release) => release.artifacts)) write(repository, path, path);
  write(repository, "index.json", JSON.stringify({ total_releases: releases.length, releases, ...extra }));
  return repository;
}

export function write(root: string, path: string, text: string): void {
  const file = `${root}/${path}`;
  Deno.mkdirSync(file.slice(0, file.lastIndexOf("/")), { recursive: true });
  Deno.writeTextFileSync(file, text);
}

// deno-lint-ignore no-explicit-any -- a JSON document, looked into freely
export function readIndex(repository: string): any {
  return JSON.parse(Deno.readTextFileSync(`${repository}/index.json`));
}

export function versions(repository: string): readonly string[] {
  return readIndex(repository).releases.map((entry: Entry) => entry.version);
}

export function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Fails the calls that `when` names while `work` runs. */
export async function withFailing<T>(
  when: (call: MutatingCall, path: string) => boolean,
  work: () => Promise<T>,
): Promise<T> {
  setFaultHook((call, path) => {
    if (when(call, path)) throw Object.assign(new Error("EIO: injected"), { code: "EIO" });
  });
  try {
    return await work();
  } finally {
    setFaultHook(undefined);
  }
}

export const V1: Entry = { version: "v1", artifacts: ["v1/a"] };
export const V2: Entry = { version: "v2", artifacts: ["v2/a", "v2/b"] };
export const V3: Entry = { version: "v3", artifacts: ["v3/a"] };
export const STABLE = { stable: { version: "v2", since: "2026-01-01T00:00:00Z", previous: "v1" } };
