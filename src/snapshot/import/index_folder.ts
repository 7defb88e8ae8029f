/** `rollback_index.json` with a folder for each point: `rb-*\/configs`, and `volumes` with an archive for each volume. */
import { isJsonObject, type JsonObject, type JsonValue } from "#/core/json.ts";
import { messageOf } from "#/core/errors.ts";
import * as posix from "#/core/posix.ts";
import { quoteShort } from "#/core/safe_path.ts";
import { targetNameProblem } from "#/target/target_name.ts";
import {
  type Found,
  type FoundFile,
  type FoundSnapshot,
  type FoundVolume,
  label,
  MAX_FILE_BYTES,
  readDocument,
  textOf,
  timeOf,
  usablePath,
  volumeTargetName,
} from "./found.ts";

const INDEX = "rollback_index.json";

/** The folder of the index: this one, or where a project has it; undefined when there is none. */
export function indexFolder(from: string): string | undefined {
  const places = [from, `${from}/backups`, `${from}/rollback/backups`];
  return places.find((place) => posix.lstat(`${place}/${INDEX}`) !== undefined);
}

/** The project whose files are in `rollback/backups` of it; undefined where the folder lies elsewhere. */
export function projectOf(folder: string): string | undefined {
  return /^(.+)\/rollback\/backups$/.exec(folder)?.[1];
}

/** @param project where the files of the points belong */
export function readIndexFolder(folder: string, project: string): Found {
  let points: readonly JsonObject[];
  try {
    points = pointsOf(readDocument(`${folder}/${INDEX}`));
  } catch (error) {
    return { snapshots: [], refused: [`${INDEX}: ${messageOf(error)}`] };
  }
  const snapshots: FoundSnapshot[] = [];
  const refused: string[] = [];
  for (const point of points) {
    const id = textOf(point.id);
    if (id === undefined || !/^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/.test(id) || id.includes("..")) {
      refused.push(
        `a point of ${INDEX}: ${id === undefined ? "it has no id" : `its id is ${quoteShort(id)}`}`,
      );
    } else snapshots.push(readPoint(point, id, folder, project));
  }
  return { snapshots, refused };
}

/** A list, or a block by id, at the top or below `rollback_points`, `points` or `snapshots`. */
function pointsOf(document: JsonObject): readonly JsonObject[] {
  const inner = document.rollback_points ?? document.points ?? document.snapshots ?? document;
  if (Array.isArray(inner)) return inner.filter((one) => isJsonObject(one));
  if (!isJsonObject(inner)) return [];
  return Object.entries(inner).flatMap(([id, point]) => isJsonObject(point) ? [{ id, ...point }] : []);
}

function readPoint(point: JsonObject, id: string, folder: string, project: string): FoundSnapshot {
  const leftOut: string[] = [];
  const hashes = isJsonObject(point.config_hashes) ? point.config_hashes : {};
  const metadata = isJsonObject(point.metadata) ? point.metadata : {};
  return {
    id,
    description: textOf(point.description) ?? "",
    created_at: timeOf(point.timestamp, new Date(0)),
    files: configFiles(`${folder}/${id}/configs`, hashes, project, leftOut),
    volumes: volumesIn(`${folder}/${id}/volumes`, leftOut),
    labels: {
      ...labelOf("services", names(point.services)),
      ...labelOf("docker_images", names(point.docker_images)),
      ...labelOf("git_commit", textOf(metadata.git_commit)),
      ...labelOf("imported_from_host", textOf(metadata.hostname)),
    },
    left_out: leftOut,
  };
}

function labelOf(key: string, value: string | undefined): Readonly<Record<string, string>> {
  return value === undefined || value === "" ? {} : { [key]: label(value) };
}

function names(value: JsonValue | undefined): string | undefined {
  if (Array.isArray(value)) return value.filter((one) => typeof one === "string").join(",");
  if (!isJsonObject(value)) return undefined;
  return Object.entries(value).map(([name, image]) => `${name}=${String(image)}`).join(",");
}

/** Names in a folder that is one; a symlink in its place is not followed. */
function listNames(folder: string, leftOut: string[]): readonly string[] {
  const parts = [folder.slice(0, folder.lastIndexOf("/")), folder];
  for (const part of parts) {
    const info = posix.lstat(part);
    if (info === undefined) return [];
    if (!info.isDirectory) {
      leftOut.push(`${part}: it is not a folder`);
      return [];
    }
  }
  return (posix.readFolder(folder) ?? []).map(({ name }) => name).toSorted();
}

function volumesIn(folder: string, leftOut: string[]): readonly FoundVolume[] {
  return listNames(folder, leftOut).flatMap((file): FoundVolume[] => {
    const name = /^([A-Za-z0-9][A-Za-z0-9_.-]*)\.tar\.gz$/.exec(file)?.[1];
    if (name !== undefined && targetNameProblem(volumeTargetName(name)) === undefined) {
      return [{ name, archive: `${folder}/${file}` }];
    }
    leftOut.push(`${folder}/${file}: it is not named after a volume`);
    return [];
  });
}

function configFiles(
  folder: string,
  hashes: JsonObject,
  project: string,
  leftOut: string[],
): readonly FoundFile[] {
  return listNames(folder, leftOut).flatMap((name): FoundFile[] => {
    const copy = `${folder}/${name}`;
    const info = posix.lstat(copy);
    if (info === undefined || !info.isFile) {
      leftOut.push(`${copy}: it is not a file`);
      return [];
    }
    if (info.size > MAX_FILE_BYTES) {
      leftOut.push(`${copy}: it is larger than 64 MiB`);
      return [];
    }
    const original = originalName(name, hashes, project);
    const path = usablePath(original, project, leftOut);
    if (path === undefined) return [];
    const sha256 = hashOf(hashes[original] ?? hashes[name]);
    return [{ path, content: { copy }, ...(sha256 === undefined ? {} : { sha256 }) }];
  });
}

/** The copies' names have `_` where the path had `/`: as the index knows it, else as it lies in the project, else as it is. */
function originalName(name: string, hashes: JsonObject, project: string): string {
  const known = Object.keys(hashes).filter((path) => path.replaceAll("/", "_") === name);
  if (known.length === 1 && known[0]!.includes("/")) return known[0]!;
  const guesses = slashed(name).filter((path) => posix.lstat(`${project}/${path}`)?.isFile === true);
  return guesses.length === 1 ? guesses[0]! : name;
}

/** A name with its first, its first two, … underscores as slashes. */
function slashed(name: string): readonly string[] {
  const parts = name.split("_");
  return parts.map((_part, i) => [...parts.slice(0, i), parts.slice(i).join("_")].join("/"));
}

function hashOf(value: JsonValue | undefined): string | undefined {
  return typeof value === "string" ? /^sha256:([0-9a-f]{64})$/i.exec(value)?.[1]?.toLowerCase() : undefined;
}
