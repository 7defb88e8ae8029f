/** Which component comes after which: the order of dependencies. */
import { RollbackManifestError } from "#/core/errors.ts";
import { type Component, type Manifest, MANIFEST_PATH } from "./model.ts";

export interface Graph {
  /** Every component after all that it depends on; those that could go first in the order of the manifest. */
  readonly order: readonly string[];
  /** Names that each one depends on, directly. */
  readonly needs: ReadonlyMap<string, readonly string[]>;
  /** Names that depend on each one, directly. */
  readonly neededBy: ReadonlyMap<string, readonly string[]>;
  /** How many others come before it at least: 0 for what depends on nothing. */
  readonly level: ReadonlyMap<string, number>;
}

/**
 * @throws {RollbackManifestError} 48: components depend on each other in a circle, which is named
 */
export function graphOf(components: Manifest["components"]): Graph {
  const needs = new Map<string, readonly string[]>();
  const neededBy = new Map<string, string[]>([...components.keys()].map((name) => [name, []]));
  for (const { name, dependsOn } of components.values()) {
    const names = [...new Set(dependsOn.map((it) => it.name))];
    needs.set(name, names);
    for (const other of names) {
      if (!neededBy.has(other)) throw unnamed(name, other);
      neededBy.get(other)!.push(name);
    }
  }
  const left = new Map([...needs].map(([name, names]) => [name, names.length]));
  const level = new Map<string, number>();
  const order = [...left].filter(([, count]) => count === 0).map(([name]) => name);
  for (const name of order) level.set(name, 0);
  for (let i = 0; i < order.length; i++) {
    const name = order[i]!;
    for (const next of neededBy.get(name)!) {
      level.set(next, Math.max(level.get(next) ?? 0, level.get(name)! + 1));
      const count = left.get(next)! - 1;
      left.set(next, count);
      if (count === 0) order.push(next);
    }
  }
  if (order.length < needs.size) throw circle(cycleIn(needs, new Set(order)));
  return { order, needs, neededBy, level };
}

/** Those names and all that they depend on, in the graph's order. */
export function withNeeds({ order, needs }: Graph, names: readonly string[]): readonly string[] {
  return order.filter(reachable(needs, names));
}

/** All that depends on one, directly or not, in the graph's order. */
export function dependentsOf({ order, neededBy }: Graph, name: string): readonly string[] {
  const isReached = reachable(neededBy, [name]);
  return order.filter((it) => it !== name && isReached(it));
}

function reachable(
  edges: ReadonlyMap<string, readonly string[]>,
  from: readonly string[],
): (name: string) => boolean {
  const seen = new Set(from);
  const open = [...from];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    for (const next of edges.get(name) ?? []) {
      if (!seen.has(next)) open.push(next);
      seen.add(next);
    }
  }
  return (name) => seen.has(name);
}

/** One circle among what could not be put into an order: from a name back to itself. */
function cycleIn(
  needs: ReadonlyMap<string, readonly string[]>,
  done: ReadonlySet<string>,
): readonly string[] {
  const path: string[] = [];
  // Every one that is left depends on another that is left, so this comes back to one that it met.
  let name = [...needs.keys()].find((it) => !done.has(it))!;
  while (!path.includes(name)) {
    path.push(name);
    name = needs.get(name)!.find((it) => !done.has(it))!;
  }
  return [...path.slice(path.indexOf(name)), name];
}

function circle(path: readonly string[]): RollbackManifestError {
  return new RollbackManifestError(`Components depend on each other in a circle: ${path.join(" → ")}`, {
    hint: `Take one of these dependencies out of ${MANIFEST_PATH}.`,
    context: { cycle: [...path] },
  });
}

function unnamed(name: string, other: string): RollbackManifestError {
  return new RollbackManifestError(`${name} depends on ${other}, which ${MANIFEST_PATH} does not name`, {
    hint: "Add it, or take the dependency out.",
    context: { component: name, dependency: other },
  });
}

/** The components of a manifest, each after what it depends on. @throws {RollbackManifestError} 48 */
export function inOrder(components: Manifest["components"]): readonly Component[] {
  return graphOf(components).order.map((name) => components.get(name)!);
}
