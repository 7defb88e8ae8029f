/** `pipe_runs/rollback_snapshots/<id>_metadata.json`: a file for each snapshot, with what it kept in it. */
import { messageOf } from "#/core/errors.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "#/core/json.ts";
import * as posix from "#/core/posix.ts";
import {
  type Found,
  type FoundFile,
  type FoundSnapshot,
  readDocument,
  textOf,
  timeOf,
  usablePath,
} from "./found.ts";

const SUFFIX = "_metadata.json";

/** The folder of the metadata files: this one, or where a project has it; undefined when there is none. */
export function metadataFolder(from: string): string | undefined {
  const places = [from, `${from}/rollback_snapshots`, `${from}/pipe_runs/rollback_snapshots`];
  return places.find((place) => (posix.readFolder(place) ?? []).some(({ name }) => name.endsWith(SUFFIX)));
}

/** @param project where relative paths of the snapshots start */
export function readMetadataFiles(folder: string, project: string): Found {
  const names = (posix.readFolder(folder) ?? []).map(({ name }) => name).filter((name) =>
    name.endsWith(SUFFIX)
  );
  const snapshots: FoundSnapshot[] = [];
  const refused: string[] = [];
  for (const name of names.toSorted()) {
    try {
      const document = readDocument(`${folder}/${name}`);
      snapshots.push(readOne(document, name.slice(0, -SUFFIX.length), project));
    } catch (error) {
      refused.push(`${name}: ${messageOf(error)}`);
    }
  }
  return { snapshots, refused };
}

function readOne(document: JsonObject, fileId: string, project: string): FoundSnapshot {
  const metadata = blockOf(document.metadata);
  const config = blockOf(document.config);
  const type = textOf(document.type) ?? "";
  const leftOut: string[] = [];
  const files = type === "configuration" ? filesOf(metadata, project, leftOut) : [];
  const git = type === "git_commit" ? gitOf(metadata, config, project, leftOut) : undefined;
  if (type !== "configuration" && type !== "git_commit") {
    leftOut.push(`its ${type === "" ? "content" : type}: the other tool kept no bytes of it in this file`);
  }
  return {
    id: textOf(document.id) ?? textOf(document.snapshot_id) ?? fileId,
    description: textOf(document.description) ?? "",
    created_at: timeOf(document.created_at ?? metadata.created_at, new Date(0)),
    files,
    ...(git === undefined ? {} : { git }),
    labels: { imported_type: type === "" ? "unknown" : type.slice(0, 100) },
    left_out: leftOut,
  };
}

function blockOf(value: JsonValue | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}

function filesOf(metadata: JsonObject, project: string, leftOut: string[]): readonly FoundFile[] {
  return Object.entries(blockOf(metadata.files)).flatMap(([name, content]) => {
    const path = usablePath(name, project, leftOut);
    if (path === undefined) return [];
    const text = typeof content === "string" ? content : textOf(blockOf(content).content);
    if (text !== undefined) return [{ path, content: { text } }];
    leftOut.push(`the file ${path}: its content was not kept`);
    return [];
  });
}

function gitOf(
  metadata: JsonObject,
  config: JsonObject,
  project: string,
  leftOut: string[],
): FoundSnapshot["git"] {
  const commit = textOf(metadata.commit_hash);
  if (commit === undefined || !/^[0-9a-f]{7,64}$/i.test(commit)) {
    leftOut.push("its commit: metadata.commit_hash is missing, or is none");
    return undefined;
  }
  const path = textOf(metadata.repo_path) ?? textOf(config.repo_path) ?? ".";
  const repo_path = path === "." ? project : usablePath(path, project, leftOut);
  if (repo_path === undefined) return undefined;
  return { repo_path, commit, branch: textOf(metadata.branch) ?? textOf(config.branch) ?? "" };
}
