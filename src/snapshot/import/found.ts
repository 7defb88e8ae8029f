/** What the folders of other rollback tools hold, as values: nothing is trusted, what cannot be used is named. */
import { lstatRegular } from "#/core/digest.ts";
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from "#/core/json.ts";
import { messageOf } from "#/core/errors.ts";
import { quoteShort } from "#/core/safe_path.ts";
import { pathProblem } from "#/target/tree/path.ts";

/** A file of a snapshot to import: where it belongs, and its content. */
export interface FoundFile {
  /** Absolute. */
  readonly path: string;
  /** The content, or the file that has it. */
  readonly content: { readonly text: string } | { readonly copy: string };
  /** SHA-256 in hex, where the other tool noted it. */
  readonly sha256?: string;
}

/** The content of a volume of containers. */
export interface FoundVolume {
  readonly name: string;
  /** A `.tar.gz` of what is in it. */
  readonly archive: string;
}

export interface FoundSnapshot {
  readonly id: string;
  readonly description: string;
  /** RFC 3339 in UTC. */
  readonly created_at: string;
  readonly files: readonly FoundFile[];
  readonly volumes?: readonly FoundVolume[];
  readonly git?: { readonly repo_path: string; readonly commit: string; readonly branch: string };
  readonly labels: Readonly<Record<string, string>>;
  /** What of it cannot be imported. */
  readonly left_out: readonly string[];
}

export interface Found {
  readonly snapshots: readonly FoundSnapshot[];
  /** Files that are no snapshot, each with the reason. */
  readonly refused: readonly string[];
}

export const MAX_FILE_BYTES = 64 * 1024 * 1024;
const MAX_LABEL = 500;

/** @throws the reason why it cannot be read, for people */
export function readDocument(path: string): JsonObject {
  const info = lstatRegular(path);
  if (info.size > MAX_FILE_BYTES) throw new Error("it is larger than 64 MiB");
  let value: unknown;
  try {
    value = parseJson(new TextDecoder("utf-8", { fatal: true }).decode(Deno.readFileSync(path)));
  } catch (cause) {
    throw new Error(`it is not JSON (${messageOf(cause)})`, { cause });
  }
  if (Array.isArray(value)) return { snapshots: value as JsonValue[] };
  if (!isJsonObject(value)) throw new Error("it is not a JSON object");
  return value;
}

/** A path of a file to restore, absolute; undefined, with the reason noted, when it cannot be used. */
export function usablePath(path: string, folder: string, leftOut: string[]): string | undefined {
  const absolute = path.startsWith("/") ? path : `${folder}/${path.replace(/^(\.\/)+/, "")}`;
  const problem = pathProblem(absolute) ?? (absolute === "/" ? "it is the root" : undefined);
  if (problem === undefined) return absolute;
  leftOut.push(`the file ${quoteShort(path)}: ${problem}`);
  return undefined;
}

/** A time of another tool: seconds since the epoch, or text; without a zone it is UTC. */
export function timeOf(value: JsonValue | undefined, otherwise: Date): string {
  if (typeof value === "number" && Number.isFinite(value)) return dateOr(value * 1000, otherwise);
  if (typeof value !== "string") return otherwise.toISOString();
  const zoned = /(Z|[+-]\d\d:?\d\d)$/.test(value) ? value : `${value}Z`;
  return dateOr(Date.parse(zoned.replace(/(\.\d{3})\d+/, "$1")), otherwise);
}

function dateOr(ms: number, otherwise: Date): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? otherwise.toISOString() : date.toISOString();
}

export function textOf(value: JsonValue | undefined): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** The target that holds a volume. */
export function volumeTargetName(volume: string): string {
  return `volume-${volume}`;
}

export function label(value: string): string {
  return value.length <= MAX_LABEL ? value : `${value.slice(0, MAX_LABEL - 1)}…`;
}
