/** Reads what a snapshot says of a stack. Somebody may have made it up: names become words of commands, and paths. */
import * as z from "zod";
import { IntegrityError } from "#/core/errors.ts";
import { isJsonObject, type JsonObject } from "#/core/json.ts";
import type { SavedTarget } from "#/store/model.ts";
import type { StoreReader } from "#/store/store.ts";
import { contentSchema } from "../kept/model.ts";
import { pathProblem } from "../tree/path.ts";
import { text, texts } from "./engine_parse.ts";
import type { SavedStack } from "./model.ts";

const MAX_RECORDS = 256 << 20;

const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]*$/);
/** Of a service: only compared, never a word of a command. */
const service = z.string().regex(/^[A-Za-z0-9_.-]+$/);
const imageId = z.string().regex(/^sha256:[0-9a-f]{64}$/);
/** Never one that looks like a flag. */
const reference = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._/:@-]*$/);
const path = z.string().refine((it) => pathProblem(it) === undefined);
const digest = z.string().regex(/^[0-9a-f]{64}$/);

const container = z.object({
  number: z.number().int().min(1),
  name,
  id: digest,
  image_id: imageId,
  config_hash: digest,
  state: z.enum(["running", "paused", "stopped"]),
  health: z.enum(["healthy", "unhealthy", "starting", "none"]),
  networks: z.array(z.string()),
});

const savedService = z.object({
  name: service,
  verdict: z.enum(["healthy", "unhealthy", ""]),
  image: reference,
  image_id: imageId,
  digests: z.array(z.string()),
  tag_id: z.union([imageId, z.literal("")]),
  containers: z.array(container),
  depends_on: z.array(z.string()),
  volumes: z.array(name),
  binds: z.array(path),
});

const schema = z.object({
  format: z.literal(1),
  engine: z.enum(["docker", "podman"]),
  compose: z.string(),
  project: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]*$/),
  folder: path,
  compose_files: z.array(path),
  env_files: z.array(path),
  profiles: z.array(z.string()),
  host: z.string(),
  git_commit: z.string(),
  scope: z.array(service).nullable(),
  services: z.array(savedService),
  networks: z.array(name),
  config: z.object({ tree: contentSchema, roots: z.array(path) }),
  resolved: contentSchema.nullable(),
  records: contentSchema,
  data: z.array(
    z.object({
      kind: z.enum(["volume", "bind"]),
      name: z.string(),
      path,
      tree: contentSchema,
      fingerprint: z.string(),
      files: z.number(),
      bytes: z.number(),
    }).refine((it) => it.kind === "bind" ? it.name === it.path : name.safeParse(it.name).success),
  ),
  images: z.array(z.object({ id: imageId, references: z.array(z.string()), archive: contentSchema })),
});

/** @throws {IntegrityError} it is none */
export function readStack(saved: Pick<SavedTarget, "name" | "state">): SavedStack {
  const parsed = schema.safeParse(saved.state);
  if (parsed.success) return parsed.data as SavedStack;
  throw new IntegrityError(`The snapshot of ${saved.name} is damaged: ${z.prettifyError(parsed.error)}`, {
    hint: "Check the store with `backout snapshot verify --read-data`, and restore another snapshot.",
  });
}

/** What containers and networks are made from again. */
export interface StackRecords {
  /** By the id that the container had. */
  readonly containers: ReadonlyMap<string, JsonObject>;
  readonly networks: readonly JsonObject[];
  /** By the volume's name. */
  readonly volumeLabels: ReadonlyMap<string, Readonly<Record<string, string>>>;
  /** Names of volumes whose driver, or its options (NFS, tmpfs, …), backout does not know how to give again. */
  readonly particular: ReadonlySet<string>;
}

export async function readRecords(stack: SavedStack, store: StoreReader): Promise<StackRecords> {
  const bytes = await store.readBytes(stack.records, { maxBytes: MAX_RECORDS });
  const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
  const block = isJsonObject(value) ? value : {};
  const list = (key: string) => {
    const found = block[key];
    return Array.isArray(found) ? found.filter(isJsonObject) : [];
  };
  return {
    containers: new Map(list("containers").map((it) => [String(it["Id"]), it])),
    networks: list("networks"),
    volumeLabels: new Map(list("volumes").map((it) => [text(it["name"]), texts(it["labels"])])),
    particular: new Set(list("volumes").filter((it) => it["plain"] === false).map((it) => text(it["name"]))),
  };
}

/** Of a container's record; docker puts a slash before it. */
export function nameOfRecord(record: JsonObject): string {
  return text(record["Name"]).replace(/^\//, "");
}
