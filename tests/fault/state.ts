/** What a repository holds, in a form in which two runs of the same operation compare equal. */
import { createHash } from "node:crypto";
import { canonicalJson, isJsonObject, parseJson } from "#/core/json.ts";
import { FORWARD_FIELDS, readTree, type Tree } from "../support/tree.ts";

/** The channel that a sweep sets to see that the next writing command works. */
export const PROBE_CHANNEL = "probe";

const BACKUPS = ".rollback-backups";

/** Everything but history, audit, lock and reserve, with ids and times taken out. */
export function readState(root: string, options: { readonly temporary?: "allowed" } = {}): Tree {
  const ignore = (path: string) =>
    isBookkeeping(path) || (options.temporary === "allowed" && path.startsWith(".backout/tmp/"));
  const tree = readTree(root, { ignore, normalize });
  const state: Record<string, string> = {};
  for (const [path, what] of Object.entries(tree)) {
    if (path.startsWith(".backout") && what.startsWith("folder")) continue;
    if (path === BACKUPS) continue; // may stay, empty
    state[withoutIds(path)] = what;
  }
  return state;
}

export function isBookkeeping(path: string): boolean {
  return /^\.backout\/(lock|history|audit|reserve)([./-]|$)/.test(path);
}

export function normalize(path: string, bytes: Uint8Array): Uint8Array {
  if (!/\.(json|md)$/.test(path) || path.endsWith("README.md")) return bytes;
  const text = new TextDecoder().decode(bytes);
  const own = path === "index.json" ? indexText(text) : path === "index.md" ? withoutProbe(text) : text;
  return new TextEncoder().encode(withoutIds(own));
}

function indexText(text: string): string {
  const index = parseJson(text);
  if (!isJsonObject(index)) return text;
  const forward: readonly string[] = FORWARD_FIELDS;
  const kept = Object.fromEntries(Object.entries(index).filter(([key]) => !forward.includes(key)));
  if (isJsonObject(kept.channels)) {
    const { [PROBE_CHANNEL]: _probe, ...channels } = kept.channels;
    kept.channels = channels;
  }
  return canonicalJson(kept);
}

function withoutProbe(markdown: string): string {
  return markdown.split("\n").filter((line) => !line.startsWith(`| ${PROBE_CHANNEL} |`)).join("\n");
}

export function withoutIds(text: string): string {
  return text
    .replaceAll(/-\d{8}_\d{6}-[0-9a-f]{8}/g, "-<backup>")
    .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "<id>")
    .replaceAll(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?/g, "<time>")
    .replaceAll(/("record_sha256": ?)"[0-9a-f]{64}"/g, '$1"<record>"');
}

/** Artifact path to digest. */
export type Artifacts = ReadonlyMap<string, string>;

/** Every artifact that is published or in a backup. */
export function findArtifacts(root: string): Artifacts {
  const artifacts = new Map<string, string>();
  for (const release of listedReleases(root)) {
    for (const path of release.artifacts) {
      const digest = digestOf(`${root}/${path}`);
      if (digest !== undefined) artifacts.set(path, digest);
    }
  }
  for (const backup of backupFolders(root)) {
    for (const [path, what] of Object.entries(readTree(backup))) {
      if (what.startsWith("file") && path !== "manifest.json") artifacts.set(path, what.slice(-64));
    }
  }
  return artifacts;
}

/** The artifacts that are neither in their place nor in a backup: this must be empty at every instant. */
export function lostArtifacts(root: string, known: Artifacts): readonly string[] {
  const backups = backupFolders(root);
  return [...known].flatMap(([path, digest]) => {
    const places = [root, ...backups].map((folder) => `${folder}/${path}`);
    return places.some((place) => digestOf(place) === digest) ? [] : [`${path} is lost`];
  });
}

/** What somebody who reads the index and then the files would find wrong: this must be empty at every instant. */
export function readerProblems(root: string, known: Artifacts): readonly string[] {
  return listedReleases(root).flatMap((release) => {
    if (release.status === "emptied") return [];
    const removed = new Set(release.removed_artifacts ?? []);
    return release.artifacts.filter((path) => !removed.has(path)).flatMap((path) => {
      const digest = digestOf(`${root}/${path}`);
      if (digest === undefined) return [`${release.version} is listed, but ${path} is not there`];
      const expected = known.get(path);
      return expected !== undefined && digest !== expected ? [`${path} is listed with other bytes`] : [];
    });
  });
}

interface Listed {
  readonly version: string;
  readonly artifacts: readonly string[];
  readonly status?: string;
  readonly removed_artifacts?: readonly string[];
}

function listedReleases(root: string): readonly Listed[] {
  const index = JSON.parse(Deno.readTextFileSync(`${root}/index.json`)) as { releases: readonly Listed[] };
  return index.releases;
}

function backupFolders(root: string): readonly string[] {
  try {
    return [...Deno.readDirSync(`${root}/${BACKUPS}`)].map((it) => `${root}/${BACKUPS}/${it.name}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function digestOf(path: string): string | undefined {
  try {
    return createHash("sha256").update(Deno.readFileSync(path)).digest("hex");
  } catch {
    return undefined;
  }
}
