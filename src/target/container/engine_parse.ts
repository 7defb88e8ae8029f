/** What `inspect` of docker or podman says, as values. Both leave out or rename fields; what is missing is empty. */
import { sha256Hex } from "#/core/sha256.ts";
import { canonicalJson, isJsonObject, type JsonObject, type JsonValue } from "#/core/json.ts";
import { podmanSpec, variablesOf } from "./create_podman.ts";
import type {
  Container,
  EngineKind,
  Health,
  Image,
  Mount,
  PublishedPort,
  RunState,
  Volume,
} from "./model.ts";

const ANONYMOUS = /^[0-9a-f]{64}$/;

/** Volumes that compose gave no name. */
export function isAnonymousVolume(name: string): boolean {
  return ANONYMOUS.test(name);
}

export function containerOf(raw: JsonObject, kind: EngineKind): Container {
  const config = part(raw, "Config");
  const state = part(raw, "State");
  const network = part(raw, "NetworkSettings");
  const labels = texts(config["Labels"]);
  const networks = part(network, "Networks");
  return {
    id: text(raw["Id"]),
    name: text(raw["Name"]).replace(/^\//, ""),
    project: labels["com.docker.compose.project"] ?? labels["io.podman.compose.project"] ?? "",
    service: labels["com.docker.compose.service"] ?? "",
    number: Number(labels["com.docker.compose.container-number"] ?? "1") || 1,
    image: text(raw["ImageName"]) || text(config["Image"]),
    imageId: imageIdOf(text(raw["Image"])),
    configHash: specDigest(raw, kind),
    state: runState(state),
    exitCode: Number(state["ExitCode"] ?? 0),
    health: healthOf(state),
    restarts: Number(raw["RestartCount"] ?? 0),
    labels,
    networks: Object.keys(networks).sort(),
    addresses: Object.values(networks).flatMap((it) => isJsonObject(it) ? text(it["IPAddress"]) || [] : []),
    ports: portsOf(part(network, "Ports")),
    mounts: list(raw["Mounts"]).map(mountOf),
  };
}

/** podman leaves the algorithm out. */
export function imageIdOf(id: string): string {
  return id === "" || id.includes(":") ? id : `sha256:${id}`;
}

export function imageOf(raw: JsonObject): Image {
  return {
    id: imageIdOf(text(raw["Id"])),
    tags: list(raw["RepoTags"]).map(text),
    digests: list(raw["RepoDigests"]).map(text),
    bytes: Number(raw["Size"] ?? 0),
  };
}

export function volumeOf(raw: JsonObject): Volume {
  return {
    name: text(raw["Name"]),
    driver: text(raw["Driver"]),
    mountpoint: text(raw["Mountpoint"]),
    hasOptions: Object.keys(part(raw, "Options")).length > 0,
    labels: texts(raw["Labels"]),
  };
}

/**
 * The digest of everything that a container was made from but its image. compose's own label is not enough: podman-compose
 * writes the same one everywhere, and nobody's changes when a container is made by hand.
 */
function specDigest(raw: JsonObject, kind: EngineKind): string {
  if (kind === "podman" && Array.isArray(part(raw, "Config")["CreateCommand"])) {
    return sha256Hex(canonicalJson({ command: podmanSpec(raw), env: variablesOf(raw) }));
  }
  // Which container another one shares its network with is known by an id, which is another one each time.
  return sha256Hex(canonicalJson(createBody(raw)).replaceAll(/"container:[0-9a-f]{64}"/g, '"container:"'));
}

/** Of a container's record, the body of a request that makes one like it. Nothing in it tells of its id. */
export function createBody(raw: JsonObject): JsonObject {
  const id = text(raw["Id"]);
  // Only one that was asked for stands there; what the engine gives is another one each time.
  const { Hostname, MacAddress, ...config } = part(raw, "Config");
  const host = part(raw, "HostConfig");
  const { ContainerIDFile: _file, ...hostConfig } = host;
  const binds = list(host["Binds"]).map(text).filter((it) => !isAnonymousVolume(it.split(":")[0] ?? ""));
  return {
    ...config,
    ...(text(MacAddress) === "" ? {} : { MacAddress: text(MacAddress) }),
    Image: text(raw["ImageName"]) || text(config["Image"]),
    // podman tells them in any order, and the id among them.
    Env: list(config["Env"]).map(text).filter((it) => it !== `HOSTNAME=${id.slice(0, 12)}`).sort(),
    ...(text(Hostname) === id.slice(0, 12) || Hostname === undefined ? {} : { Hostname }),
    HostConfig: { ...hostConfig, Binds: binds.sort() },
    NetworkingConfig: { EndpointsConfig: endpointsOf(raw, id) },
  };
}

function endpointsOf(raw: JsonObject, id: string): JsonObject {
  const networks = part(part(raw, "NetworkSettings"), "Networks");
  const endpoints = Object.entries(networks).map(([name, value]): [string, JsonValue] => {
    const { Aliases, IPAMConfig, Links, DriverOpts } = isJsonObject(value) ? value : {};
    const aliases = list(Aliases ?? null).map(text).filter((it) => it !== id.slice(0, 12)).sort();
    return [name, {
      Aliases: aliases,
      IPAMConfig: isJsonObject(IPAMConfig) ? IPAMConfig : null,
      Links: Links ?? null,
      DriverOpts: DriverOpts ?? null,
    }];
  });
  return Object.fromEntries(endpoints.sort(([a], [b]) => a < b ? -1 : 1));
}

function runState(state: JsonObject): RunState {
  if (state["Paused"] === true || state["Status"] === "paused") return "paused";
  const running = state["Running"] === true || state["Restarting"] === true;
  return running || ["running", "restarting"].includes(text(state["Status"])) ? "running" : "stopped";
}

function healthOf(state: JsonObject): Health {
  const health = part(state, "Health");
  const status = text(health["Status"]) || text(part(state, "Healthcheck")["Status"]);
  return status === "healthy" || status === "unhealthy" || status === "starting" ? status : "none";
}

function portsOf(ports: JsonObject): readonly PublishedPort[] {
  return Object.entries(ports).flatMap(([name, hosts]) => {
    const [port = "", protocol = "tcp"] = name.split("/");
    return list(hosts).filter(isJsonObject).map((it) => ({
      port: Number(port),
      protocol,
      hostAddress: text(it["HostIp"]),
      hostPort: Number(text(it["HostPort"])),
    }));
  });
}

function mountOf(value: JsonValue): Mount {
  const raw = isJsonObject(value) ? value : {};
  const type = text(raw["Type"]);
  const kind = type === "volume" || type === "bind" ? type : "other";
  return {
    kind,
    source: text(kind === "volume" ? raw["Name"] : raw["Source"]),
    destination: text(raw["Destination"]),
    writable: raw["RW"] !== false,
  };
}

export function part(value: JsonObject, key: string): JsonObject {
  const found = value[key];
  return isJsonObject(found) ? found : {};
}

export function list(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : [];
}

export function text(value: JsonValue | undefined): string {
  return typeof value === "string" ? value : "";
}

export function texts(value: JsonValue | undefined): Readonly<Record<string, string>> {
  return isJsonObject(value)
    ? Object.fromEntries(Object.entries(value).map(([key, it]) => [key, text(it)]))
    : {};
}
