/** What people want to know of a stack in a snapshot: its services, images, volumes and commit. */
import { count, renderTable } from "#/report/mod.ts";
import type { SavedTarget } from "#/store/model.ts";
import { factLines } from "./view_text.ts";

const TYPE = "container";
/** As many digits as git shows of a commit. */
const SHORT_COMMIT = 8;
const SHORT_IMAGE = "sha256:".length + 12;

/** The facts of a stack as a capture notes them; what is missing (in a point of another tool) is empty. */
interface Stack {
  readonly services: readonly string[];
  readonly images: Readonly<Record<string, string>>;
  readonly imageIds: Readonly<Record<string, string>>;
  readonly replicas: Readonly<Record<string, string>>;
  readonly health: Readonly<Record<string, string>>;
  readonly volumes: readonly string[];
  readonly commit: string;
  readonly project: string;
  readonly engine: string;
  readonly keepsImages: boolean;
}

/** Undefined for a target that is no stack. */
function stackOf({ type, metadata }: SavedTarget): Stack | undefined {
  if (type !== TYPE) return undefined;
  return {
    services: texts(metadata.services),
    images: byName(metadata.docker_images),
    imageIds: byName(metadata.image_ids),
    replicas: byName(metadata.replicas),
    health: byName(metadata.health),
    volumes: texts(metadata.volumes),
    commit: text(metadata.git_commit),
    project: text(metadata.project),
    engine: text(metadata.engine),
    keepsImages: metadata.include_images === true,
  };
}

/** A target in the list of snapshots: `stack: api, redis (2 volumes, git 6c3d2010)`. @param wide whether there is room */
export function targetInList(target: SavedTarget, wide: boolean): string {
  const stack = stackOf(target);
  if (stack === undefined) return target.name;
  const { services, volumes, commit, keepsImages } = stack;
  const facts = [
    ...(wide ? [] : [count(services.length, "service")]),
    ...(volumes.length === 0 ? [] : [count(volumes.length, "volume")]),
    ...(keepsImages ? ["images"] : []),
    ...(wide && commit !== "" ? [`git ${commit.slice(0, SHORT_COMMIT)}`] : []),
  ];
  const names = wide && services.length > 0 ? `${target.name}: ${services.join(", ")}` : target.name;
  return facts.length === 0 ? names : `${names} (${facts.join(", ")})`;
}

/** What `snapshot show` says of a stack, empty for another target. */
export function stackText(
  target: SavedTarget,
  table: { readonly style: Style; readonly width: number },
): string {
  const stack = stackOf(target);
  if (stack === undefined) return "";
  const facts = factLines([
    ["Stack", `${target.name}: project ${stack.project}, ${stack.engine}`],
    ["Git commit", stack.commit === "" ? undefined : stack.commit],
    ["Volumes", stack.volumes.length === 0 ? "not kept" : stack.volumes.join(", ")],
    ["Images", stack.keepsImages ? "kept in the store" : "by their ids; not kept in the store"],
  ]);
  if (stack.services.length === 0) return `\n${facts}`;
  const rows = stack.services.map((name) => [
    name,
    stack.images[name] ?? "",
    (stack.imageIds[name] ?? "").slice(0, SHORT_IMAGE),
    stack.replicas[name] ?? "",
    stack.health[name] ?? "",
  ]);
  return `\n${facts}\n${
    renderTable([["SERVICE", "IMAGE", "ID", "CONTAINERS", "HEALTH"], ...rows], { ...table, right: [3] })
  }`;
}

type Style = Parameters<typeof renderTable>[1]["style"];

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((it) => typeof it === "string") : [];
}

function byName(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== "object" || value === null) return {};
  return Object.fromEntries(Object.entries(value).map(([name, it]) => [name, String(it)]));
}
