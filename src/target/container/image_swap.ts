/**
 * A container's record as it would be on another image. An engine writes what comes from the image (variables, command,
 * user, …) among what the container was given; so what is equal to the old image's gives way to the new one's.
 */
import { canonicalJson, isJsonObject, type JsonObject, type JsonValue } from "#/core/json.ts";
import { list, part, text, texts } from "./engine_parse.ts";

/** Taken from the image as a whole where the container was given nothing of its own. */
const WHOLE = [
  "Cmd",
  "Entrypoint",
  "WorkingDir",
  "User",
  "StopSignal",
  "Healthcheck",
  "Shell",
  "OnBuild",
  "ArgsEscaped",
];
/** Objects whose keys count. */
const KEYED = ["ExposedPorts", "Volumes"];
/** Left out of what an engine says where they are empty; others are then null or an empty text. */
const OMITTED: ReadonlySet<string> = new Set([
  "ExposedPorts",
  "StopSignal",
  "Healthcheck",
  "Shell",
  "ArgsEscaped",
]);
/** compose v2 notes here which image it made the container from. */
const IMAGE_LABEL = "com.docker.compose.image";

export interface NewImage {
  /** As the container's image is to be called: `redis:7`. */
  readonly reference: string;
  /** `sha256:…` */
  readonly id: string;
  /** What the engine says of it. */
  readonly record: JsonObject;
}

/** @param old what the engine says of the image that the container runs; undefined: it is gone */
export function onOtherImage(record: JsonObject, old: JsonObject | undefined, image: NewImage): JsonObject {
  const config = part(record, "Config");
  const before = part(old ?? {}, "Config");
  const after = part(image.record, "Config");
  const changed: Record<string, JsonValue | undefined> = { ...config, Image: image.reference };
  for (const key of WHOLE) {
    if (isEqual(config[key], before[key])) changed[key] = after[key] ?? nothing(key, config);
  }
  for (const key of KEYED) changed[key] = keyed(config[key], before[key], after[key]) ?? nothing(key, config);
  for (const [key, value] of Object.entries(changed)) if (value === undefined) delete changed[key];
  changed["Env"] = variables(config, before, after);
  changed["Labels"] = labels(config, before, after, image.id);
  const command = renamed(list(config["CreateCommand"]), text(record["ImageName"]), image.reference);
  if (command.length > 0) changed["CreateCommand"] = command;
  return {
    ...record,
    Image: image.id,
    ...("ImageName" in record ? { ImageName: image.reference } : {}),
    Config: changed as JsonObject,
  };
}

/** As the engine writes that there is none. */
function nothing(key: string, config: JsonObject): JsonValue | undefined {
  if (OMITTED.has(key) || !(key in config)) return undefined;
  return typeof config[key] === "string" ? "" : null;
}

function isEqual(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  return canonicalJson(plain(a)) === canonicalJson(plain(b));
}

/** Engines write nothing as null, as an empty text, or as an empty list. */
function plain(value: JsonValue | undefined): JsonValue {
  if (value === undefined || value === "" || value === false) return null;
  return Array.isArray(value) && value.length === 0 ? null : value;
}

function keyed(
  own: JsonValue | undefined,
  before: JsonValue | undefined,
  after: JsonValue | undefined,
): JsonValue | undefined {
  const block = (value: JsonValue | undefined) => (isJsonObject(value) ? value : {});
  const given = Object.entries(block(own)).filter(([key]) => !(key in block(before)));
  const merged = { ...block(after), ...Object.fromEntries(given) };
  return Object.keys(merged).length === 0 ? undefined : merged;
}

function variables(config: JsonObject, before: JsonObject, after: JsonObject): JsonValue {
  const name = (word: string) => word.split("=")[0]!;
  const old = new Set(list(before["Env"]).map(text));
  const given = list(config["Env"]).map(text).filter((it) => !old.has(it));
  const names = new Set(given.map(name));
  return [...list(after["Env"]).map(text).filter((it) => !names.has(name(it))), ...given];
}

function labels(config: JsonObject, before: JsonObject, after: JsonObject, id: string): JsonObject {
  const old = texts(before["Labels"]);
  const own = texts(config["Labels"]);
  const given = Object.entries(own).filter(([key, value]) => old[key] !== value);
  return {
    ...texts(after["Labels"]),
    ...Object.fromEntries(given),
    ...(IMAGE_LABEL in own ? { [IMAGE_LABEL]: id } : {}),
  };
}

/** The command with the image's name exchanged where it stands first. */
function renamed(command: readonly JsonValue[], from: string, to: string): readonly JsonValue[] {
  const at = command.indexOf(from);
  return at < 0 ? command : command.with(at, to);
}
