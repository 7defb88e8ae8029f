/** From what docker says of a container to the request that makes one like it. */
import { isJsonObject, type JsonObject, type JsonValue } from "#/core/json.ts";
import { isAnonymousVolume, list, part, text } from "./engine_parse.ts";

export interface CreateBody {
  readonly body: JsonObject;
  /** Networks besides the first: an engine before 25 takes only one when a container is made. */
  readonly later: readonly (readonly [string, JsonValue])[];
}

/**
 * @param body what `createBody` says of the record
 * @param ids of containers that were made anew
 */
export function bodyToCreate(
  record: JsonObject,
  body: JsonObject,
  ids: ReadonlyMap<string, string>,
): CreateBody {
  const host = part(body, "HostConfig");
  const hostConfig: JsonObject = {
    ...host,
    Binds: [...list(host["Binds"]), ...anonymousBinds(record)],
    ...(Array.isArray(host["Ulimits"]) ? { Ulimits: host["Ulimits"].map(plainLimit) } : {}),
    ...renewed(host, ["NetworkMode", "IpcMode", "PidMode"], ids),
  };
  const endpoints = Object.entries(part(part(body, "NetworkingConfig"), "EndpointsConfig")) as [
    string,
    JsonValue,
  ][];
  const mode = text(host["NetworkMode"]);
  const first = endpoints.find(([name]) => name === mode) ?? endpoints[0];
  // A container in another one's network, or in the host's, has none of its own.
  const sharing = mode === "host" || mode === "none" || mode.startsWith("container:");
  const now = first === undefined || sharing ? {} : Object.fromEntries([first]);
  return {
    body: { ...body, HostConfig: hostConfig, NetworkingConfig: { EndpointsConfig: now } },
    later: sharing ? [] : endpoints.filter((it) => it !== first),
  };
}

/** podman says `RLIMIT_NOFILE`, and takes only `nofile`. */
function plainLimit(limit: JsonValue): JsonValue {
  if (!isJsonObject(limit)) return limit;
  return { ...limit, Name: text(limit["Name"]).replace(/^RLIMIT_/, "").toLowerCase() };
}

/** A volume without a name is mounted again by what it is called anyway: its content is not lost. */
function anonymousBinds(record: JsonObject): readonly string[] {
  return list(record["Mounts"]).filter(isJsonObject).flatMap((it) => {
    const name = text(it["Name"]);
    if (it["Type"] !== "volume" || !isAnonymousVolume(name)) return [];
    return [`${name}:${text(it["Destination"])}${it["RW"] === false ? ":ro" : ""}`];
  });
}

/** `container:<id>` with the id that the container has now. */
function renewed(host: JsonObject, keys: readonly string[], ids: ReadonlyMap<string, string>): JsonObject {
  return Object.fromEntries(keys.flatMap((key) => {
    const mode = text(host[key]);
    const id = mode.startsWith("container:") ? ids.get(mode.slice("container:".length)) : undefined;
    return id === undefined ? [] : [[key, `container:${id}`]];
  }));
}
