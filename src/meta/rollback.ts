/** `component rollback`: components go back to a version, a commit, or what a lock file says. */
import { join } from "node:path";
import { RollbackDependencyError } from "#/core/errors.ts";
import * as posix from "#/core/posix.ts";
import { type ComponentFields, setFields } from "#/component/edit.ts";
import { readText } from "#/component/document.ts";
import { readManifest } from "#/component/manifest.ts";
import { lockPath, type Manifest, MANIFEST_PATH } from "#/component/model.ts";
import { askAll, type ResolveContext, type Resolved, resolveWanted } from "#/component/resolve.ts";
import { type BrokenRange, checkRanges, isSameVersion, writtenLike } from "#/component/versions.ts";
import type { OperationReport } from "#/report/model.ts";
import { count } from "#/report/units.ts";
import { type Change, runChange } from "#/snapshot/change.ts";
import { mapLimited } from "#/storage/limit.ts";
import { openCheckout, readRef } from "#/target/components/checkout.ts";
import { type CheckoutState, shortCommit } from "#/target/components/model.ts";
import { Git } from "#/target/git/git.ts";
import { type Asked, askedFor, labelOf } from "./asked.ts";
import type { ComponentRollbackOptions } from "./options.ts";
import { carryOutWorkedOut, type DocumentChange, TARGET_NAME } from "./worked_out.ts";

const AT_ONCE = 4;

/**
 * Rolls components back, all of them or none.
 * @throws {UsageError}
 */
export function rollbackComponents(options: ComponentRollbackOptions): Promise<OperationReport> {
  const { target } = options;
  const version = labelOf(target, options.folder);
  const definition = { operation: "component_rollback", title: `roll back to ${version}`, version } as const;
  return runChange(options, definition, (change) => rollback(change, options));
}

async function rollback(change: Change, options: ComponentRollbackOptions): Promise<void> {
  const manifest = readManifest(options.folder);
  const asked = await askedFor(manifest, options);
  const { scope } = change.workspace;
  const context: ResolveContext = {
    root: options.folder,
    offline: options.offline ?? false,
    dryRun: change.dryRun,
    env: options.env,
    signal: scope.signal ?? new AbortController().signal,
    scratch: () => change.scratch.folder(TARGET_NAME),
  };
  const answers = await askAll(asked.wanted, context);
  const resolved = await mapLimited(
    asked.wanted,
    AT_ONCE,
    (one) => resolveWanted(one, { ...context, answers }),
    context.signal,
  );
  noteMoved(change, resolved);
  const versions = await versionsOf(asked, resolved, context);
  change.report = {
    ...change.report,
    version_exists: true,
    versions: resolved.map(({ name, commit }) => `${name}@${versions.get(name) ?? shortCommit(commit)}`),
  };
  refuseBrokenRanges(change, options, manifest, versions);
  const checkouts = await mapLimited(
    resolved,
    AT_ONCE,
    (one, i) => stateFor(one, asked.wanted[i]!, versions, context),
  );
  const documents = documentsFor(change, options, manifest, asked, resolved, versions);
  const what = resolved.length === 1 ? resolved[0]!.name : count(resolved.length, "component");
  await carryOutWorkedOut(change, options, {
    checkouts,
    documents,
    wording: {
      title: `roll ${what} back to ${asked.label}`,
      noun: `rollback of ${what} to ${asked.label}`,
      done: `Rolled ${what} back to ${asked.label}`,
      intended: `Would roll ${what} back to ${asked.label}`,
    },
  });
}

function noteMoved(change: Change, resolved: readonly Resolved[]): void {
  for (const { name, commit, moved } of resolved) {
    if (moved === undefined) continue;
    change.warn(
      `${name}: the tag ${moved.tag} moved since it was locked: it is ${
        shortCommit(moved.commit)
      } now, and the locked ` +
        `commit ${shortCommit(commit)} is taken`,
    );
  }
}

/** Versions by component; undefined where no tag comes to the commit. */
async function versionsOf(
  { wanted }: Asked,
  resolved: readonly Resolved[],
  context: ResolveContext,
): Promise<ReadonlyMap<string, string | undefined>> {
  const entries = await mapLimited(resolved, AT_ONCE, async ({ name, tag, commit, clone }, i) => {
    const given = wanted[i]!.version;
    if (tag !== undefined || given !== undefined) return [name, tag ?? given] as const;
    const folder = clone ?? openCheckout(context.root, name)!.folder;
    const args = [
      "for-each-ref",
      "--count=1",
      `--points-at=${commit}`,
      "--format=%(refname:strip=2)",
      "refs/tags",
    ];
    const found = clone === undefined && !await hasObject(folder, commit, context)
      ? ""
      : await new Git(folder, context).text(args);
    return [name, found === "" ? undefined : found] as const;
  });
  return new Map(entries);
}

/** What a dry run fetched is not there. */
async function hasObject(folder: string, commit: string, context: ResolveContext): Promise<boolean> {
  return await new Git(folder, context).maybe(["rev-parse", "-q", "--verify", `${commit}^{commit}`]) !==
    undefined;
}

function refuseBrokenRanges(
  change: Change,
  options: ComponentRollbackOptions,
  manifest: Manifest,
  versions: ReadonlyMap<string, string | undefined>,
): void {
  const { broken, unknown } = checkRanges(manifest, versions);
  unknown.forEach(change.warn);
  const say = ({ dependent, component, range, version }: BrokenRange) =>
    `${dependent} needs ${component} ${range}, and would get ${version}`;
  const moving = broken.filter((it) => it.dependentMoves);
  for (const it of moving) change.warn(`${say(it)}; but it goes back too, and may have asked for less then`);
  const refused = broken.filter((it) => !it.dependentMoves);
  if (refused.length === 0) return;
  const said = refused.map(say).join("; ");
  if (options.force === true || options.policyMode === "lenient") return change.warn(said);
  throw new RollbackDependencyError(`Refused: ${said}`, {
    hint: "Roll the dependents back with it (a lock file does), or say --force with --reason.",
    context: { broken: refused.map((it) => ({ ...it })) },
  });
}

async function stateFor(
  { name, commit, clone, newTag }: Resolved,
  { branch }: Asked["wanted"][number],
  versions: ReadonlyMap<string, string | undefined>,
  context: ResolveContext,
): Promise<CheckoutState> {
  const label = versions.get(name);
  const checkout = openCheckout(context.root, name);
  const ref = branch === undefined ? undefined : `refs/heads/${branch}`;
  // A branch that has gone on is not moved back: the commit is what counts.
  const attached = ref !== undefined && checkout !== undefined && /^[A-Za-z0-9][\w./-]*$/.test(branch!) &&
    !branch!.includes("..") && await readRef(checkout, ref, context) === commit;
  return {
    name,
    branch: attached ? ref : null,
    commit,
    refs: newTag === undefined ? {} : { [newTag.ref]: newTag.oid },
    known: true,
    ...(clone === undefined ? {} : { clone }),
    ...(label === undefined ? {} : { label }),
  };
}

/** The manifest and the lock file that say what is checked out then. */
function documentsFor(
  change: Change,
  { folder, environment, target }: ComponentRollbackOptions,
  manifest: Manifest,
  { lock }: Asked,
  resolved: readonly Resolved[],
  versions: ReadonlyMap<string, string | undefined>,
): readonly DocumentChange[] {
  const now = change.workspace.scope.now().toISOString();
  const inManifest: Record<string, Record<string, string>> = {};
  const inLock: Record<string, Record<string, string>> = {};
  for (const { name, commit } of resolved) {
    const version = versions.get(name);
    const before = manifest.components.get(name)?.version;
    const written = version === undefined ? commit : writtenLike(version, before);
    if (before === undefined || !isSameVersion(before, written)) inManifest[name] = { version: written };
    inLock[name] = { commit, version: version ?? commit };
  }
  const documents: DocumentChange[] = [];
  const changed = setFields(manifest.text, manifest.path, inManifest);
  if (changed !== manifest.text) documents.push({ path: MANIFEST_PATH, text: changed });
  const own = lockPath(environment ?? (target.kind === "lock" ? lock?.environment : undefined));
  const text = lockTextFor(folder, own, inLock, now, environment !== undefined && lock === undefined);
  if (text !== undefined) documents.push({ path: own, text });
  return documents;
}

/** Undefined where the lock file says so already, or there is none that must be there. */
function lockTextFor(
  root: string,
  path: string,
  fields: ComponentFields,
  now: string,
  required: boolean,
): string | undefined {
  const full = join(root, path);
  if (posix.lstat(full) === undefined && !required) return undefined;
  const before = readText(full, "lock file", "Write it with `backout component lock`, or leave out --env.");
  if (setFields(before, full, fields) === before) return undefined;
  return setFields(before, full, fields, { generated_at: now });
}
