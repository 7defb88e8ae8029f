/** What a rollback of components was asked for, read: from the command line, the marks, or a lock file. */
import { relative } from "node:path";
import { RollbackVersionNotFoundError, UsageError } from "#/core/errors.ts";
import { readLock } from "#/component/lock.ts";
import { readMarks } from "#/component/marks.ts";
import { chosenComponents, type Lock, type Manifest } from "#/component/model.ts";
import type { Wanted } from "#/component/resolve.ts";
import { lookAt } from "#/target/components/checkout.ts";
import type { ComponentRollbackOptions, RollbackTarget } from "./options.ts";

/** What was asked, read: components with what they are wanted at, and the lock file that says so. */
export interface Asked {
  readonly wanted: readonly (Wanted & { readonly branch?: string | undefined })[];
  readonly lock: Lock | undefined;
  /** `v1.0.0`, `manifests/components.lock.prod.yaml`. */
  readonly label: string;
}

export function labelOf(target: RollbackTarget, root: string): string {
  switch (target.kind) {
    case "version":
      return target.version;
    case "commit":
      return target.commit;
    case "last_good":
      return "last-good";
    case "lock":
    case "snapshot":
      return shownPath(root, target.path);
    default:
      return target satisfies never;
  }
}

export function shownPath(root: string, path: string): string {
  const from = relative(root, path);
  return from.startsWith("..") ? path : from;
}

/** @throws {RollbackVersionNotFoundError} 40: no such component, lock file or mark. @throws {UsageError} */
export async function askedFor(manifest: Manifest, options: ComponentRollbackOptions): Promise<Asked> {
  const { target, folder, env } = options;
  switch (target.kind) {
    case "version":
    case "commit": {
      const [component] = chosenComponents(manifest, [target.component]);
      const { name, repo } = component!;
      const wanted = target.kind === "version"
        ? { version: target.version }
        : { commit: target.commit.toLowerCase() };
      return { wanted: [{ name, repo, ...wanted }], lock: undefined, label: labelOf(target, folder) };
    }
    case "last_good": {
      const [component] = chosenComponents(manifest, [target.component]);
      const { name, repo } = component!;
      const context = { env, signal: new AbortController().signal };
      const now = await lookAt(folder, name, [], context);
      const good = readMarks(folder, name).find(({ mark, commit }) =>
        mark === "good" && commit !== now.commit
      );
      if (good === undefined) throw noLastGood(name);
      return {
        wanted: [{ name, repo, version: good.version, commit: good.commit }],
        lock: undefined,
        label: good.version,
      };
    }
    case "lock":
    case "snapshot": {
      const names = target.kind === "lock" ? target.components : [];
      return askedOfLock(manifest, readLock(target.path), names, options);
    }
    default:
      return target satisfies never;
  }
}

function noLastGood(name: string): RollbackVersionNotFoundError {
  return new RollbackVersionNotFoundError(
    `No version of ${name} but the one that is checked out is marked good`,
    {
      hint: `Mark one with \`backout component mark ${name} VERSION good\`, or name one with --to-version.`,
      context: { component: name },
    },
  );
}

function askedOfLock(
  manifest: Manifest,
  lock: Lock,
  names: readonly string[],
  { folder, environment }: ComponentRollbackOptions,
): Asked {
  refuseOtherEnvironment(lock, environment, folder);
  const missing = names.find((name) => !lock.components.has(name));
  if (missing !== undefined) {
    chosenComponents(manifest, [missing]);
    throw new RollbackVersionNotFoundError(
      `${shownPath(folder, lock.path)} does not have the component ${missing}`,
      {
        hint: `It has ${[...lock.components.keys()].slice(0, 20).join(", ")}.`,
        context: { component: missing },
      },
    );
  }
  const chosen = [...lock.components.values()].filter(({ name }) =>
    names.length === 0 || names.includes(name)
  );
  const wanted = chosen.map(({ name, version, commit, repo, fields }) => ({
    name,
    version,
    commit,
    repo: manifest.components.get(name)?.repo ?? repo,
    branch: typeof fields["branch"] === "string" ? fields["branch"] : undefined,
  }));
  return { wanted, lock, label: shownPath(folder, lock.path) };
}

/** `components.lock.prod.previous.yaml` is of prod, and so must its content be. @throws {UsageError} */
function refuseOtherEnvironment(lock: Lock, environment: string | undefined, root: string): void {
  const path = shownPath(root, lock.path);
  const named = /components\.lock\.(?!previous\.)([A-Za-z0-9_-]+)(?:\.previous)?\.yaml$/.exec(lock.path)?.[1];
  const said = lock.environment ?? named;
  if (environment !== undefined && said !== undefined && said !== environment) {
    throw new UsageError(`The lock file ${path} is of the environment ${said}, not of ${environment}`, {
      hint: `Give a lock file of ${environment}, or --env ${said}.`,
      context: { lock: path, environment: said },
    });
  }
  if (lock.environment !== undefined && named !== undefined && named !== lock.environment) {
    throw new UsageError(`The lock file ${path} says that it is of the environment ${lock.environment}`, {
      hint: "It was copied or renamed; take the right one, or write it with `backout lock promote`.",
      context: { lock: path, environment: lock.environment },
    });
  }
}
