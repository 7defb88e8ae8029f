/** What components look like now, and how two states differ. */
import { join } from "node:path";
import { RollbackVersionNotFoundError } from "#/core/errors.ts";
import { formatJson } from "#/core/json.ts";
import { makeFolders, writeOutputFile } from "#/core/output_file.ts";
import * as posix from "#/core/posix.ts";
import type { SavedTarget } from "#/store/model.ts";
import type { ComponentsConfig } from "../components.ts";
import type {
  CaptureContext,
  Captured,
  PlanContext,
  Restored,
  TargetChange,
  TargetContext,
  TargetSpec,
} from "../target.ts";
import { lookAt, openCheckout } from "./checkout.ts";
import { documentBytes, documentNow, readDocument } from "./files.ts";
import {
  type CheckoutState,
  type ComponentsState,
  describeCheckout,
  type FileState,
  fingerprintOf,
  shortCommit,
  stateJson,
  stateOf,
} from "./model.ts";

type Target = TargetSpec<ComponentsConfig>;

/** @throws {RollbackVersionNotFoundError} 40: there is no such folder */
export async function lookAtAll(
  { config }: Pick<Target, "config">,
  context: Pick<TargetContext, "env" | "signal">,
): Promise<ComponentsState> {
  const root = config.path;
  if (posix.lstat(root) === undefined) {
    throw new RollbackVersionNotFoundError(`There is no folder ${root}`, {
      hint: "Mend `path` of the target.",
      context: { path: root },
    });
  }
  const checkouts: CheckoutState[] = [];
  for (const name of config.components ?? foundComponents(root)) {
    checkouts.push(await lookAt(root, name, config.refs?.[name] ?? [], context));
  }
  const files = (config.files ?? foundFiles(root)).map((path): FileState => {
    const { sha256 } = documentNow(root, path);
    return { path, sha256 };
  });
  return { checkouts, files };
}

function foundComponents(root: string): readonly string[] {
  return (posix.readFolder(join(root, "components")) ?? [])
    .filter(({ name, isDirectory }) => isDirectory && /^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/.test(name))
    .map(({ name }) => name).sort().filter((name) => openCheckout(root, name) !== undefined);
}

function foundFiles(root: string): readonly string[] {
  return (posix.readFolder(join(root, "manifests")) ?? [])
    .filter(({ name, isFile }) => isFile && name.endsWith(".yaml"))
    .map(({ name }) => `manifests/${name}`).sort();
}

export async function capture(target: Target, context: CaptureContext): Promise<Captured> {
  const state = await lookAtAll(target, context);
  const files: FileState[] = [];
  let bytes = 0;
  for (const file of state.files) {
    const read = readDocument(target.config.path, file.path);
    bytes += read?.length ?? 0;
    files.push(read === undefined ? file : { ...file, content: await context.writer.addBytes(read) });
  }
  const commits = state.checkouts.map(({ name, commit }) => [name, commit] as const);
  return {
    method: "components",
    metadata: { components: Object.fromEntries(commits) },
    state: stateJson({ ...state, files }),
    roots: files.flatMap(({ content }) =>
      content === undefined ? [] : [{ kind: "content" as const, content }]
    ),
    fingerprint: fingerprintOf(state),
    files: files.length,
    bytes,
    warnings: [],
  };
}

export async function fingerprint(target: Target, context: TargetContext): Promise<string> {
  return fingerprintOf(await lookAtAll(target, context));
}

/** What is to be done to come from one state to the other. */
export function differences(from: ComponentsState, to: ComponentsState): readonly TargetChange[] {
  const before = new Map(from.checkouts.map((one) => [one.name, one]));
  const checkouts = to.checkouts.flatMap((one) => {
    const now = before.get(one.name);
    return now === undefined
      ? [checkoutChange({ ...one, commit: null, branch: null }, one)]
      : [checkoutChange(now, one)];
  });
  const gone = from.checkouts.filter(({ name, commit }) =>
    commit !== null && !to.checkouts.some((one) => one.name === name)
  );
  const files = new Map(from.files.map((file) => [file.path, file.sha256]));
  return [
    ...checkouts.filter((change) => change !== undefined),
    ...gone.map(({ name }): TargetChange => ({ action: "remove", path: name, detail: "it had no checkout" })),
    ...to.files.flatMap(({ path, sha256 }): TargetChange[] => {
      const now = files.get(path) ?? null;
      if (now === sha256) return [];
      return [{ action: now === null ? "create" : sha256 === null ? "remove" : "replace", path }];
    }),
  ];
}

function checkoutChange(now: CheckoutState, then: CheckoutState): TargetChange | undefined {
  const { name } = then;
  const refs = Object.entries(then.refs).filter(([ref, commit]) =>
    (now.refs[ref] ?? null) !== commit && !(ref === then.branch && commit === then.commit)
  );
  const moved = refs.map(([ref, commit]) => `${ref.replace(/^refs\/heads\//, "")} → ${shortCommit(commit)}`);
  if (now.branch === then.branch && now.commit === then.commit) {
    if (refs.length === 0) return undefined;
    return { action: "replace", path: name, detail: moved.join(", ") };
  }
  if (then.commit === null) return { action: "remove", path: name, detail: "it had no checkout" };
  const to = describeCheckout(then);
  if (now.commit === null) return { action: "create", path: name, detail: `check out ${to}` };
  return { action: "replace", path: name, detail: [`${describeCheckout(now)} → ${to}`, ...moved].join(", ") };
}

export async function diff(
  target: Target,
  from: SavedTarget,
  to: SavedTarget | undefined,
  context: PlanContext,
): Promise<readonly TargetChange[]> {
  return differences(stateOf(from), to === undefined ? await lookAtAll(target, context) : stateOf(to));
}

/** The documents, and the commits as \`checkouts.json\`. */
export async function exportTo(saved: SavedTarget, folder: string, context: PlanContext): Promise<Restored> {
  const { checkouts, files } = stateOf(saved);
  makeFolders(folder);
  let bytes = 0;
  for (const file of files) {
    const content = await documentBytes(file, context.store);
    if (content === undefined) continue;
    writeOutputFile(join(folder, file.path), content);
    bytes += content.length;
  }
  writeOutputFile(join(folder, "checkouts.json"), formatJson(checkouts));
  return {
    method: "components_export",
    changed: files.length + 1,
    removed: 0,
    bytes,
    details: { folder },
    warnings: [],
  };
}
