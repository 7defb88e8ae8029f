/**
 * What a meta repository is: a manifest that names components, lock files that fix them to commits, and a checkout for
 * each component. The documents are the meta CLI's; what they hold beyond this is kept as it is.
 *
 *     manifests/components.yaml                       components: {NAME: {repo, version, type, depends_on, …}}
 *     manifests/components.lock[.ENV][.previous].yaml generated_at, environment, components: {NAME: {version, commit, repo, …}}
 *     components/NAME                                 the checkout
 *
 * How it is read: `readManifest` of `manifest.ts`, `readLock` of `lock.ts`.
 */
import { join } from "node:path";
import { RollbackVersionNotFoundError, UsageError } from "#/core/errors.ts";
import type { JsonObject } from "#/core/json.ts";
import { nearest } from "#/core/nearest.ts";
import { quoteShort } from "#/core/safe_path.ts";

export const MANIFEST_PATH = "manifests/components.yaml";
export const MANIFEST_FOLDER = "manifests";
export const COMPONENTS_FOLDER = "components";
export const META_STORE_FOLDER = ".meta-store";
export const CHANGESETS_FOLDER = ".meta/changesets";

/** The folder that has `manifests/` and `components/`, absolute. */
export interface MetaRoot {
  readonly root: string;
}

/** Another component that one needs. */
export interface Dependency {
  readonly name: string;
  /** A semver range; undefined where any version does. */
  readonly range: string | undefined;
}

/** A component as the manifest names it. */
export interface Component {
  readonly name: string;
  /** Where it is cloned from, as written; undefined where the manifest does not say. */
  readonly repo: string | undefined;
  /** A tag, or a version without its `v`; undefined where none is wanted. */
  readonly version: string | undefined;
  readonly type: string | undefined;
  readonly dependsOn: readonly Dependency[];
  /** Everything that the manifest says of it, also what is not understood here. */
  readonly fields: JsonObject;
}

export interface Manifest {
  /** Absolute. */
  readonly path: string;
  /** The bytes that were read, as text: what an edit starts from. */
  readonly text: string;
  /** In the order of the file. */
  readonly components: ReadonlyMap<string, Component>;
}

/** A component as a lock file fixes it. */
export interface LockedComponent {
  readonly name: string;
  readonly version: string | undefined;
  /** Full commit id, or a unique beginning of one. */
  readonly commit: string;
  readonly repo: string | undefined;
  readonly fields: JsonObject;
}

export interface Lock {
  /** Absolute. */
  readonly path: string;
  readonly text: string;
  /** RFC 3339 as written; undefined where it is not said. */
  readonly generatedAt: string | undefined;
  /** `dev`, `prod`, …; undefined where the lock is of none. */
  readonly environment: string | undefined;
  readonly components: ReadonlyMap<string, LockedComponent>;
}

const COMPONENT_NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/;
const ENVIRONMENT_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** Why `name` cannot name a component, which is a folder below `components/`; undefined when it can. */
export function componentNameProblem(name: string): string | undefined {
  if (name === "") return "it is empty";
  if (name.length > 100) return "it is longer than 100 characters";
  if (!COMPONENT_NAME.test(name)) {
    return "it must start with a letter, a digit or _ and use only letters, digits and . _ -";
  }
  if (name.includes("..") || name.endsWith(".")) return "it has two dots in a row, or ends with one";
  if (name in Object.prototype) return "it is a word of the language";
  return undefined;
}

/** @throws {UsageError} `name` cannot be a component */
export function assertComponentName(name: string): void {
  const problem = componentNameProblem(name);
  if (problem === undefined) return;
  throw new UsageError(`Cannot use ${quoteShort(name)} as the name of a component: ${problem}`, {
    hint: `Give a name as it stands in ${MANIFEST_PATH}, for example user-api.`,
  });
}

/** @throws {UsageError} `name` cannot be an environment, which is a part of a file's name */
export function assertEnvironment(name: string): void {
  if (ENVIRONMENT_NAME.test(name) && name !== "previous") return;
  throw new UsageError(
    `Cannot use ${quoteShort(name)} as an environment: it must use only letters, digits, _ and -` +
      (name === "previous" ? ", and `previous` has a meaning of its own" : ""),
    { hint: "For example --env prod." },
  );
}

/** The checkout of a component, absolute. @throws {UsageError} the name climbs out */
export function checkoutPath(root: string, name: string): string {
  assertComponentName(name);
  return join(root, COMPONENTS_FOLDER, name);
}

/** From the root: `manifests/components.lock[.ENV][.previous].yaml`. */
export function lockPath(environment?: string, previous = false): string {
  if (environment !== undefined) assertEnvironment(environment);
  const parts = ["components.lock", ...(environment === undefined ? [] : [environment])];
  return `${MANIFEST_FOLDER}/${parts.join(".")}${previous ? ".previous" : ""}.yaml`;
}

/** The components of these names, in the order of the names. @throws {RollbackVersionNotFoundError} there is no such */
export function chosenComponents(manifest: Manifest, names: readonly string[]): readonly Component[] {
  return [...new Set(names)].map((name) => {
    assertComponentName(name);
    const component = manifest.components.get(name);
    if (component !== undefined) return component;
    const known = [...manifest.components.keys()];
    const near = nearest(name, known);
    throw new RollbackVersionNotFoundError(`There is no component ${quoteShort(name)} in ${MANIFEST_PATH}`, {
      hint: near !== undefined
        ? `Did you mean ${near}?`
        : `It has ${known.slice(0, 20).join(", ") || "none"}${known.length > 20 ? ", …" : ""}.`,
      context: { component: name },
    });
  });
}
