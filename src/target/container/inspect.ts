/** Differences between two states of a stack, and a copy of what was saved elsewhere. */
import { join } from "node:path";
import { makeFolders } from "#/core/output_file.ts";
import type { SavedTarget } from "#/store/model.ts";
import type { PlanContext, Restored, TargetChange } from "../target.ts";
import { diffTrees } from "../tree/diff.ts";
import { readRoot } from "../tree/tree.ts";
import { placeData } from "./data.ts";
import { decide } from "./decide.ts";
import { shortId } from "./images.ts";
import { lookAtStack, type Target } from "./look.ts";
import type { SavedData, SavedStack } from "./model.ts";
import { changesOfStack } from "./plan.ts";
import { readStack } from "./stack.ts";

export async function diff(
  target: Target,
  from: SavedTarget,
  to: SavedTarget | undefined,
  context: PlanContext,
): Promise<readonly TargetChange[]> {
  const before = readStack(from);
  if (to === undefined) {
    return changesOfStack(
      await decide(target, before, await lookAtStack(target, context, before), context),
    );
  }
  const after = readStack(to);
  const trees = [
    await treeChanges(before.config, after.config, context),
    ...await Promise.all(before.data.map((it) => treeChanges(it, sameData(it, after), context))),
  ];
  return [...serviceChanges(before, after), ...trees.flat()];
}

function sameData(data: SavedData, stack: SavedStack): SavedData | undefined {
  return stack.data.find((it) => it.name === data.name && it.kind === data.kind);
}

async function treeChanges(
  before: Pick<SavedData, "tree">,
  after: Pick<SavedData, "tree"> | undefined,
  context: PlanContext,
): Promise<readonly TargetChange[]> {
  if (after === undefined) return [];
  const [left, right] = [
    await readRoot(context.store, before.tree),
    await readRoot(context.store, after.tree),
  ];
  return await diffTrees(left, right, context.store, []);
}

function serviceChanges(before: SavedStack, after: SavedStack): readonly TargetChange[] {
  const [left, right] = [containersOf(before), containersOf(after)];
  const names = [...new Set([...left.keys(), ...right.keys()])].sort();
  return names.flatMap((name): readonly TargetChange[] => {
    const [a, b] = [left.get(name), right.get(name)];
    if (b === undefined) return [{ action: "remove", path: name }];
    if (a === undefined) return [{ action: "create", path: name, detail: b.image }];
    const parts = [
      ...a.image_id === b.image_id
        ? []
        : [`image ${a.image} (${shortId(a.image_id)}) becomes ${b.image} (${shortId(b.image_id)})`],
      ...a.tag_id === b.tag_id ? [] : [`${b.image} is the name of another image`],
      ...a.config_hash === b.config_hash ? [] : ["made from another configuration"],
      ...a.state === b.state ? [] : [`${a.state} becomes ${b.state}`],
    ];
    return parts.length === 0 ? [] : [{ action: "replace", path: name, detail: parts.join(", ") }];
  });
}

function containersOf(stack: SavedStack) {
  return new Map(
    stack.services.flatMap((service) =>
      service.containers.map((it) =>
        [it.name, { ...it, image: service.image, tag_id: service.tag_id }] as const
      )
    ),
  );
}

/** `config/…` by path, `volumes/NAME/…`, `images/ID.tar`, and what compose made of the files. */
export async function exportTo(saved: SavedTarget, folder: string, context: PlanContext): Promise<Restored> {
  const stack = readStack(saved);
  makeFolders(join(folder, "config"));
  let [changed, bytes] = [0, 0];
  const place = async (tree: SavedData["tree"], moves: readonly { from: string; to: string }[]) => {
    const outcome = await placeData({ tree, moves, exclude: [] }, context);
    changed += outcome.changed;
    bytes += outcome.bytes;
  };
  const { roots, tree } = stack.config;
  await place(tree, roots.map((from) => ({ from, to: join(folder, "config", from) })));
  for (const data of stack.data) {
    const to = join(folder, data.kind === "volume" ? "volumes" : "config", data.name);
    makeFolders(join(to, ".."));
    await place(data.tree, [{ from: data.path, to }]);
  }
  const files = [
    ...stack.resolved === null ? [] : [{ content: stack.resolved, path: join(folder, "resolved.yml") }],
    ...stack.images.map(({ id, archive }) => ({
      content: archive,
      path: join(folder, "images", `${id.slice("sha256:".length)}.tar`),
    })),
  ];
  if (stack.images.length > 0) makeFolders(join(folder, "images"));
  await context.store.writeFiles(files, { signal: context.signal });
  return {
    method: "compose_export",
    changed: changed + files.length,
    removed: 0,
    bytes: bytes + files.reduce((sum, it) => sum + it.content.size, 0),
    details: { folder },
    warnings: [],
  };
}
