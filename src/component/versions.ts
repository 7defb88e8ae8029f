/** Versions of components: tags with or without a `v`, and the ranges that others ask for. Pure. */
import * as library from "semver";
import type { Component, Manifest } from "./model.ts";

interface SemverLibrary {
  satisfies(version: string, range: string, options: { loose: boolean; includePrerelease: boolean }): boolean;
  validRange(range: string, options: { loose: boolean }): string | null;
  parse(version: string, options: { loose: boolean }): { readonly version: string } | null;
  rcompare(a: string, b: string): number;
}
const module = library as unknown as { readonly default?: SemverLibrary } & SemverLibrary;
const semver = module.default ?? module;

const VERSION = /^[A-Za-z0-9](?:[A-Za-z0-9._+~/-]{0,126}[A-Za-z0-9_+~-])?$/;

/** Why `text` cannot be a version, which is a tag's name; undefined when it can. */
export function versionNameProblem(text: string): string | undefined {
  if (!VERSION.test(text)) {
    return "it must start and end with a letter or digit and use only letters, digits and . _ + ~ / -";
  }
  if (text.includes("..") || text.includes("//") || text.endsWith(".lock")) return "git has no such tags";
  return undefined;
}

/** The names that a version's tag may have, the given one first: `1.0.0` is also `v1.0.0`. */
export function tagNames(version: string): readonly string[] {
  return /^[vV]\d/.test(version)
    ? [version, version.slice(1)]
    : /^\d/.test(version)
    ? [version, `v${version}`]
    : [version];
}

export function isSameVersion(a: string, b: string): boolean {
  return tagNames(a).includes(b) || tagNames(b).includes(a);
}

/** The tag in the way in which the manifest has written versions so far: with its `v` or without. */
export function writtenLike(tag: string, before: string | undefined): string {
  if (before === undefined || !tagNames(tag).some((name) => name !== tag)) return tag;
  const had = /^[vV]\d/.test(before) ? "v" : /^\d/.test(before) ? "" : undefined;
  const bare = tag.replace(/^[vV]/, "");
  return had === undefined ? tag : `${had}${bare}`;
}

/** Whether a version is in a range; undefined where one of the two is none that can be compared. */
export function isInRange(version: string, range: string): boolean | undefined {
  const parsed = semver.parse(version, { loose: true });
  if (parsed === null || semver.validRange(range, { loose: true }) === null) return undefined;
  return semver.satisfies(parsed.version, range, { loose: true, includePrerelease: true });
}

/** Newest first; what is no version comes last, by name. */
export function newestFirst(tags: readonly string[]): readonly string[] {
  const parsed = tags.map((tag) => ({ tag, version: semver.parse(tag, { loose: true })?.version }));
  return parsed.sort((a, b) => {
    if (a.version !== undefined && b.version !== undefined) return semver.rcompare(a.version, b.version);
    if (a.version === undefined && b.version === undefined) return a.tag < b.tag ? 1 : -1;
    return a.version === undefined ? 1 : -1;
  }).map(({ tag }) => tag);
}

/** A component that would get a version which another does not accept. */
export interface BrokenRange {
  readonly dependent: string;
  readonly component: string;
  readonly range: string;
  readonly version: string;
  /** The dependent goes back too: its range is that of the version which it leaves. */
  readonly dependentMoves: boolean;
}

/**
 * What the manifest's ranges say of new versions.
 * @param versions by component; undefined where a commit has no version
 */
export function checkRanges(
  manifest: Manifest,
  versions: ReadonlyMap<string, string | undefined>,
): { readonly broken: readonly BrokenRange[]; readonly unknown: readonly string[] } {
  const broken: BrokenRange[] = [];
  const unknown: string[] = [];
  for (const { name: dependent, dependsOn } of manifest.components.values() as Iterable<Component>) {
    for (const { name: component, range } of dependsOn) {
      if (range === undefined || !versions.has(component)) continue;
      const version = versions.get(component);
      const fits = version === undefined ? undefined : isInRange(version, range);
      if (fits === false) {
        broken.push({
          dependent,
          component,
          range,
          version: version!,
          dependentMoves: versions.has(dependent),
        });
      }
      if (fits === undefined) {
        unknown.push(
          `${dependent} wants ${component} ${range}: ${version ?? "the commit"} is no version to compare`,
        );
      }
    }
  }
  return { broken, unknown };
}
