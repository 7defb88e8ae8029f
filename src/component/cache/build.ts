/** `cache build`: runs the build of a component only where no store has what it makes from the same inputs. */
import { join } from "node:path";
import { FileChangedError } from "#/core/digest.ts";
import { IntegrityError, messageOf, RollbackError } from "#/core/errors.ts";
import type { SnapshotManifest } from "#/store/model.ts";
import type { SnapshotStore } from "#/store/store.ts";
import { addEntry } from "../entry/add_entry.ts";
import { entryId, type EntryView, viewOf } from "../entry/entry.ts";
import { entryHash } from "../entry/entry_tree.ts";
import { scanSource } from "../entry/scan_source.ts";
import { isDamaged, provenTree } from "../entry/stage_entry.ts";
import { actor, type EntryOptions, type EntryStores, withStores } from "../entry/stores.ts";
import { dropDamaged, fetchEntry, sendEntries, sendPending } from "../entry/transfer.ts";
import { endOfLog, runStep } from "../run_step.ts";
import { treeOfSource } from "../entry/add_entry.ts";
import { makeLogFolder } from "../logs.ts";
import { takeTurn } from "./build_lock.ts";
import { type BuildInputs, type InputOptions, readInputs } from "./inputs.ts";

export interface BuildOptions extends EntryOptions, Omit<InputOptions, "folder" | "signal"> {
  /** Builds although a store has it, and keeps what comes of it instead. @default false */
  readonly force?: boolean;
  readonly dryRun?: boolean;
}

export interface BuiltView {
  readonly component: string;
  readonly key: string;
  /** `hit`: it was there; `built`: the command ran; `kept`: there is no command, the source was kept as it is. */
  readonly state: "hit" | "built" | "kept" | "would build";
  /** Where it was found; null where it was not. */
  readonly from: "local" | "remote" | null;
  readonly entry: EntryView | null;
  readonly seconds: number;
  /** What the command printed; null where none ran. */
  readonly log: string | null;
  readonly remote: "sent" | "already there" | "waiting" | null;
}

/** @throws {RollbackError} 49: the build failed, or changed its own inputs; nothing was kept */
export async function buildCached(options: BuildOptions): Promise<BuiltView> {
  const began = performance.now();
  const inputs = await readInputs(options);
  return await withStores(options, async (stores) => {
    if (options.dryRun === true) return await dryView(stores, inputs, options);
    const make = (from: BuildInputs) => makeAnew(stores, from, options, began);
    const hit = await hitView(stores, inputs, options);
    if (hit !== undefined) return hit;
    if (inputs.command === undefined) return await make(inputs);
    using turn = await takeTurn(inputs, options);
    if (!turn.waited) return await make(inputs);
    const now = await readInputs(options);
    return await hitView(stores, now, options) ?? await make(now);
  });
}

async function hitView(
  stores: EntryStores,
  { component, key }: BuildInputs,
  options: BuildOptions,
): Promise<BuiltView | undefined> {
  const found = options.force === true ? undefined : await lookUp(stores, options, key);
  if (found === undefined) return undefined;
  const { from, manifest } = found;
  const remote = from === "local" ? await share(stores, options, manifest, false) : null;
  await sendPending(stores, options);
  return { component, key, state: "hit", from, entry: viewOf(manifest), seconds: 0, log: null, remote };
}

async function makeAnew(
  stores: EntryStores,
  inputs: BuildInputs,
  options: BuildOptions,
  began: number,
): Promise<BuiltView> {
  const { component, key } = inputs;
  const log = await runBuild(inputs, options);
  const manifest = await keepOutputs(stores, inputs, options);
  const remote = await share(stores, options, manifest, true);
  await sendPending(stores, options);
  const entry = viewOf(await stores.local.readSnapshot(manifest.id) ?? manifest);
  const seconds = Math.round(performance.now() - began) / 1000;
  return { component, key, state: log === null ? "kept" : "built", from: null, entry, seconds, log, remote };
}

/** Looks, and brings nothing here. */
async function dryView(stores: EntryStores, inputs: BuildInputs, options: BuildOptions): Promise<BuiltView> {
  const { component, key } = inputs;
  const view = { component, key, seconds: 0, log: null, remote: null };
  const look = (store: SnapshotStore) => store.readSnapshot(entryId("cache", key));
  if (options.force !== true) {
    const here = await orDamaged(options, () => look(stores.local));
    const there = here ?? await orDamaged(options, () => stores.remote(look));
    const from = here === undefined ? "remote" : "local";
    if (there !== undefined) return { ...view, state: "hit", from, entry: viewOf(there) };
  }
  return { ...view, state: "would build", from: null, entry: null };
}

export interface CacheHit {
  readonly manifest: SnapshotManifest;
  readonly from: "local" | "remote";
}

/** What is damaged, here or there, is as good as not there: that is said, and it is built anew. */
export async function lookUp(
  stores: EntryStores,
  options: EntryOptions,
  key: string,
): Promise<CacheHit | undefined> {
  const id = entryId("cache", key);
  const here = await orDamaged(options, async () => {
    const manifest = await stores.local.readSnapshot(id);
    if (manifest !== undefined) await provenTree(stores.local, manifest);
    return manifest;
  });
  if (here !== undefined) return { manifest: here, from: "local" };
  const fetched = await orDamaged(options, () => fetchEntry(stores, id, options.signal));
  return fetched === undefined ? undefined : { manifest: fetched, from: "remote" };
}

async function orDamaged<T>(
  options: EntryOptions,
  work: () => Promise<T | undefined>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof IntegrityError)) throw error;
    options.onWarning(`A cached build is damaged and is not used: ${messageOf(error)}`);
    return undefined;
  }
}

/** @returns the log; null where there is no command */
async function runBuild(inputs: BuildInputs, options: BuildOptions): Promise<string | null> {
  const { component, command, source, version } = inputs;
  if (command === undefined) return null;
  const now = options.now?.() ?? new Date();
  const log = join(makeLogFolder(options.folder, `build-${stamp(now)}`), `${component}-build.log`);
  const variables = { BACKOUT_COMPONENT: component, BACKOUT_COMPONENT_VERSION: version ?? "" };
  const end = await runStep({ argv: command, folder: source, log, variables, signal: options.signal });
  if (end.code !== 0) {
    throw new RollbackError(`The build of ${component} failed (${endWords(end)}): ${endOfLog(log)}`, {
      hint: `All that it printed is in ${log}.`,
      context: { component, log, code: end.code },
    });
  }
  await assertInputsStayed(inputs, options);
  return log;
}

export function endWords(
  { code, signal }: { readonly code: number; readonly signal: string | null },
): string {
  return signal === null ? `exit code ${code}` : `ended by ${signal}`;
}

/** `20261130T074500Z-1a2b`: two runs never have the same. */
export function stamp(now: Date): string {
  const time = now.toISOString().replace(/[-:]|\.\d+/g, "");
  return `${time}-${crypto.randomUUID().slice(0, 8)}`;
}

/** What changed while it was built would be kept under the key of something else. */
async function assertInputsStayed(inputs: BuildInputs, { signal }: BuildOptions): Promise<void> {
  const { source, leaveOut, tree, component } = inputs;
  const now = await treeOfSource(await scanSource(source, { leaveOut, signal }), signal);
  if (entryHash(now) === entryHash(tree)) return;
  const before = new Map(tree.items.map((item) => [item.path, JSON.stringify(item)]));
  const paths = now.items.filter((item) => before.get(item.path) !== JSON.stringify(item)).map((it) =>
    it.path
  );
  const here = new Set(now.items.map(({ path }) => path));
  const gone = [...before.keys()].filter((path) => !here.has(path));
  const changed = [...paths, ...gone];
  throw new RollbackError(
    `The build of ${component} is not kept: it changed its own inputs (${changed.slice(0, 5).join(", ")}${
      changed.length > 5 ? ", …" : ""
    })`,
    {
      hint:
        "Name what it makes with --produces, what it leaves behind with --exclude; or somebody edited the source meanwhile.",
      context: { component, changed },
    },
  );
}

async function keepOutputs(
  { local }: EntryStores,
  inputs: BuildInputs,
  options: BuildOptions,
): Promise<SnapshotManifest> {
  const { key, component, source, version, command, outputs, leaveOut } = inputs;
  const { signal, remote } = options;
  const isOutput = (path: string) =>
    outputs.some((it) => path === it || path.startsWith(`${it}/`) || it.startsWith(`${path}/`));
  const made = command === undefined
    ? await scanSource(source, { leaveOut, signal })
    : await scanSource(source, { leaveOut: (path) => !isOutput(path), signal });
  const missing = outputs.find((it) => !made.items.some(({ path }) => path === it));
  if (missing !== undefined) {
    throw new RollbackError(`The build of ${component} did not make ${missing}`, {
      hint: "Look at --produces, or at `outputs` in the manifest.",
      context: { component, output: missing },
    });
  }
  if (options.force === true || await isDamaged(local, entryId("cache", key))) {
    await local.deleteSnapshot(entryId("cache", key));
  }
  const { manifest } = await addEntry(local, made, {
    ...{ kind: "cache", key, component, version, workspace: options.folder, signal, pendingFor: remote },
    ...{ now: options.now?.() ?? new Date(), by: actor(options) },
  });
  if (command === undefined && viewOf(manifest).hash !== entryHash(inputs.tree)) {
    await local.deleteSnapshot(manifest.id);
    throw new FileChangedError(source);
  }
  return manifest;
}

async function share(
  stores: EntryStores,
  options: BuildOptions,
  manifest: SnapshotManifest,
  isNew: boolean,
): Promise<BuiltView["remote"]> {
  if (options.remote === undefined) return null;
  if (isNew) await replaceDamaged(stores, options, manifest.id);
  const sent = await sendEntries(stores, options, [manifest]);
  return sent === undefined ? "waiting" : sent.sent.length > 0 ? "sent" : "already there";
}

/** What was found damaged there, or is to be built anew, makes room for what was built now. */
async function replaceDamaged(stores: EntryStores, options: BuildOptions, id: string): Promise<void> {
  if (options.force === true) await stores.remote((store) => store.deleteSnapshot(id));
  else await dropDamaged(stores, id);
}
