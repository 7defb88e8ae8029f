/** A compose stack as values: what the engine says of it, what a snapshot keeps of it, and what is known of its services. */
import type { JsonObject } from "#/core/json.ts";
import type { ContentRef } from "#/store/model.ts";

export type EngineKind = "docker" | "podman";

/** Stopped: created, exited, or dead. What a healthcheck says moves by itself and is no part of it. */
export type RunState = "running" | "paused" | "stopped";

export type Health = "healthy" | "unhealthy" | "starting" | "none";

/** One container of a service, as the engine says it. */
export interface Container {
  /** 64 hex digits; another one after every recreation. */
  readonly id: string;
  readonly name: string;
  /** The compose project; empty where it belongs to none. */
  readonly project: string;
  /** Empty where it belongs to no compose service. */
  readonly service: string;
  /** Its place among the replicas, from 1. */
  readonly number: number;
  /** As the compose file names it: `redis:7`. */
  readonly image: string;
  /** `sha256:` and 64 hex digits: what really runs. */
  readonly imageId: string;
  /** Digest of what it was made from besides its image: command, environment, mounts, ports, networks, labels, … */
  readonly configHash: string;
  readonly state: RunState;
  readonly exitCode: number;
  readonly health: Health;
  readonly restarts: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly networks: readonly string[];
  /** Addresses in its networks, where it has some. */
  readonly addresses: readonly string[];
  readonly ports: readonly PublishedPort[];
  readonly mounts: readonly Mount[];
}

export interface PublishedPort {
  /** In the container: `8080`. */
  readonly port: number;
  readonly protocol: string;
  /** On the host. */
  readonly hostAddress: string;
  readonly hostPort: number;
}

export interface Mount {
  readonly kind: "volume" | "bind" | "other";
  /** Of a volume: its name. Of a bind mount: the path on the engine's host. */
  readonly source: string;
  /** In the container. */
  readonly destination: string;
  readonly writable: boolean;
}

export interface Image {
  readonly id: string;
  /** `redis:7`, … */
  readonly tags: readonly string[];
  /** `redis@sha256:…`, where it came from a registry. */
  readonly digests: readonly string[];
  readonly bytes: number;
}

export interface Volume {
  readonly name: string;
  readonly driver: string;
  /** On the engine's host. */
  readonly mountpoint: string;
  /** Options of the driver (NFS, tmpfs, …): then its content is not simply a folder. */
  readonly hasOptions: boolean;
  readonly labels: Readonly<Record<string, string>>;
}

/** What a program in a container answered. */
export interface ExecResult {
  readonly exitCode: number;
  readonly stdout: string;
  /** Its last lines, safe to show. */
  readonly stderr: string;
}

export interface ExecOptions {
  readonly stdin?: Uint8Array;
  /** Values go by the environment of the engine's client, never on a command line. */
  readonly env?: Readonly<Record<string, string>>;
  readonly user?: string;
  readonly timeoutMs?: number;
  /** Blotted out of what it says. */
  readonly secrets?: readonly string[];
}

/** docker or podman. Everything is asked of the engine that the environment names; nothing is kept between calls. */
export interface Engine {
  readonly kind: EngineKind;
  /** For people: `docker 20.10.24`. */
  describe(): Promise<string>;
  /** All containers of a project, also stopped ones, in the order of service and number. */
  containersOf(project: string): Promise<readonly Container[]>;
  /** Those that have one of the volumes mounted, of whatever project, also stopped ones. */
  containersWith(volumes: readonly string[]): Promise<readonly Container[]>;
  /** Those that have one of these names, of whatever project. */
  containersNamed(names: readonly string[]): Promise<readonly Container[]>;
  /** Undefined: there is none. */
  image(reference: string): Promise<Image | undefined>;
  volume(name: string): Promise<Volume | undefined>;
  /** Those of the volumes that are there, by name. */
  volumes(names: readonly string[]): Promise<ReadonlyMap<string, Volume>>;
  createVolume(name: string, labels: Readonly<Record<string, string>>): Promise<void>;
  /** What the engine says of containers, whole; may hold secrets. In the order of the ids. */
  records(ids: readonly string[]): Promise<readonly JsonObject[]>;
  /** What the engine says of a network; undefined: there is none. */
  network(name: string): Promise<JsonObject | undefined>;
  createNetwork(record: JsonObject): Promise<void>;
  /**
   * Makes a container like the one that the record is of, and does not start it.
   * @param ids of containers that were made anew: the old id, and the new one
   */
  create(record: JsonObject, ids: ReadonlyMap<string, string>): Promise<void>;
  /** No error when one of them is so already. */
  start(ids: readonly string[]): Promise<void>;
  stop(ids: readonly string[]): Promise<void>;
  pause(ids: readonly string[]): Promise<void>;
  unpause(ids: readonly string[]): Promise<void>;
  /** Ends and removes them; their volumes stay. */
  remove(ids: readonly string[]): Promise<void>;
  /** HUP, … */
  signal(id: string, name: string): Promise<void>;
  tag(imageId: string, reference: string): Promise<void>;
  untag(reference: string): Promise<void>;
  /** Any exit code is an answer. */
  exec(id: string, command: readonly string[], options?: ExecOptions): Promise<ExecResult>;
  /** The image as an archive. */
  saveImage(id: string): Promise<ReadableStream<Uint8Array<ArrayBuffer>>>;
  loadImages(archive: ReadableStream<Uint8Array>): Promise<void>;
}

/** What is saved of one container. */
export interface SavedContainer {
  readonly number: number;
  readonly name: string;
  readonly id: string;
  readonly image_id: string;
  readonly config_hash: string;
  readonly state: RunState;
  readonly health: Health;
  readonly networks: readonly string[];
}

export interface SavedService {
  readonly name: string;
  /** What its know-how, or its healthcheck, said; empty where nothing was asked. */
  readonly verdict: "healthy" | "unhealthy" | "";
  /** As the compose file names it. */
  readonly image: string;
  readonly image_id: string;
  /** `redis@sha256:…`, where it came from a registry. */
  readonly digests: readonly string[];
  /** What the reference pointed at, which may be another image already; empty: at nothing. */
  readonly tag_id: string;
  readonly containers: readonly SavedContainer[];
  readonly depends_on: readonly string[];
  /** Names of volumes that it mounts. */
  readonly volumes: readonly string[];
  /** Files and folders of the host that it mounts. */
  readonly binds: readonly string[];
}

/** The content of a volume, or of a folder that is mounted. */
export interface SavedData {
  readonly kind: "volume" | "bind";
  /** The volume's name, or the folder's path. */
  readonly name: string;
  /** Where the content was. */
  readonly path: string;
  readonly tree: ContentRef;
  readonly fingerprint: string;
  readonly files: number;
  readonly bytes: number;
}

export interface SavedImage {
  readonly id: string;
  readonly references: readonly string[];
  readonly archive: ContentRef;
}

/** What a snapshot keeps of a stack. */
export interface SavedStack {
  readonly format: 1;
  readonly engine: EngineKind;
  /** `docker compose`, `docker-compose`, … */
  readonly compose: string;
  readonly project: string;
  readonly folder: string;
  readonly compose_files: readonly string[];
  readonly env_files: readonly string[];
  readonly profiles: readonly string[];
  readonly host: string;
  readonly git_commit: string;
  /** Which services were asked for; null: all. Others are no part of the snapshot. */
  readonly scope: readonly string[] | null;
  readonly services: readonly SavedService[];
  readonly networks: readonly string[];
  /** Compose files, env files, and files that are mounted into services: a tree. */
  readonly config: { readonly tree: ContentRef; readonly roots: readonly string[] };
  /** What compose made of them. May hold secrets, so only its content is kept, nowhere else shown. */
  readonly resolved: ContentRef | null;
  /** What the engine says of the containers and networks: what they are made from again. May hold secrets too. */
  readonly records: ContentRef;
  /** Only with `include_volumes`. */
  readonly data: readonly SavedData[];
  /** Only with `include_images`. */
  readonly images: readonly SavedImage[];
}

/** A service as its know-how sees it: its containers, in the order of their numbers. */
export interface ServiceFacts {
  readonly name: string;
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly containers: readonly Container[];
}

/** What a know-how may do with a running service. */
export interface ServiceAccess {
  readonly signal: AbortSignal;
  /** Waits; throws what stopped it. */
  readonly sleep: (ms: number) => Promise<void>;
  readonly env: (name: string) => string | undefined;
  /** In one of its containers. */
  readonly exec: (
    container: Container,
    command: readonly string[],
    options?: ExecOptions,
  ) => Promise<ExecResult>;
  readonly kill: (container: Container, signal: string) => Promise<void>;
  /** The container as it is now. */
  readonly look: (container: Container) => Promise<Container | undefined>;
}

/** What a check found. */
export interface ServiceVerdict {
  readonly healthy: boolean;
  /** One sentence: `redis answers PING`. Never a secret. */
  readonly message: string;
}

/** `know_how:` of one service in `backout.yaml`: a kind, or a block with its settings. */
export type KnowHowSetting = string | { readonly kind: string; readonly [key: string]: unknown };

/**
 * What is known of a kind of service: what to do before its volumes are copied, after it was started, and how to tell
 * that it works. Calls may be repeated after a crash.
 */
export interface KnowHow {
  /** `redis`, `postgres`, … */
  readonly kind: string;
  /** Says whether it knows the service by its image's name or a label. */
  matches(service: ServiceFacts): boolean;
  /** While it runs; answers warnings. What it throws becomes one. */
  beforeCopy?(service: ServiceFacts, access: ServiceAccess): Promise<readonly string[]>;
  /** After a restore started it, before it is checked. */
  afterStart?(service: ServiceFacts, access: ServiceAccess): Promise<void>;
  /** One look; the caller asks again until it is healthy or the time is over. */
  check?(service: ServiceFacts, access: ServiceAccess): Promise<ServiceVerdict>;
}

/**
 * What `know_how/mod.ts` exports, for the driver: the know-how of a service, all that match or the one that the
 * configuration names.
 * @throws {UsageError} the configuration names a kind that is not known
 */
export type KnowHowFor = (service: ServiceFacts, setting: KnowHowSetting | undefined) => readonly KnowHow[];
