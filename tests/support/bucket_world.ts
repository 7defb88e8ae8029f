/** Object storage for tests of the command line: a server, two buckets, a process that runs commands, and a raw client. */
import { binary } from "./cli.ts";
import { type CliServer, startCliServer } from "./cli_server.ts";
import { gcsRaw, type RawBucket, s3Raw } from "./raw_bucket.ts";
import { type AnyRepository, repositoryAt } from "./repository.ts";
import type { Capability } from "./require.ts";
import { startCeph } from "./servers/ceph.ts";
import { startGcsProcess } from "./servers/gcs_process.ts";
import { clientEnvironment, type S3Server } from "./servers/s3_server.ts";

export type BucketKind = "plain" | "versioned";

export interface BucketWorld extends AsyncDisposable {
  readonly scheme: "s3" | "gs";
  /** What a program needs to use the server. */
  readonly env: Readonly<Record<string, string>>;
  readonly cli: CliServer;
  /** The buckets' names. */
  readonly buckets: Readonly<Record<BucketKind, string>>;
  /** Reads and writes without backout. */
  raw(kind?: BucketKind): RawBucket;
  /** A repository below a prefix of its own, not yet there. `cwd` is the working folder of its commands. */
  repository(cwd: string, options?: WorldRepositoryOptions): WorldRepository;
}

export interface WorldRepositoryOptions {
  readonly bucket?: BucketKind;
  /** Runs the commands. @default the world's own process */
  readonly run?: CliServer["run"];
  /** @default a new one */
  readonly prefix?: string;
}

export interface WorldRepository extends AnyRepository {
  readonly scheme: BucketWorld["scheme"];
  readonly bucketName: string;
  readonly prefix: string;
  /** Without backout, by whole names. */
  readonly raw: RawBucket;
  /** The keys of all objects below the prefix, sorted. */
  readonly list: () => Promise<readonly string[]>;
  /** Removes one version of an object for good. */
  readonly removeVersion: (key: string, versionId: string) => Promise<void>;
}

export interface WorldKind {
  readonly name: string;
  readonly needs: readonly Capability[];
  start(): Promise<BucketWorld>;
}

const BUCKETS = { plain: "backout-plain", versioned: "backout-versioned" } as const;

export const BUCKET_WORLDS: readonly WorldKind[] = [
  { name: "Ceph's S3", needs: ["ceph"], start: async () => await s3World(await startCeph()) },
  { name: "a strict GCS", needs: [], start: startGcsWorld },
];

/** Two buckets of an S3 server, which is stopped with the world. */
export async function s3World(
  server: S3Server,
  kinds: readonly BucketKind[] = ["plain", "versioned"],
): Promise<BucketWorld> {
  return await makeWorld("s3", server, {
    env: clientEnvironment(server),
    create: async () => {
      for (const kind of kinds) await server.createBucket(BUCKETS[kind], { versioned: kind === "versioned" });
    },
    raw: (bucket) => s3Raw(server, bucket),
  });
}

async function startGcsWorld(): Promise<BucketWorld> {
  const server = await startGcsProcess();
  return await makeWorld("gs", server, {
    env: server.environment(),
    create: async () => {
      await server.createBucket(BUCKETS.plain);
      await server.createBucket(BUCKETS.versioned, { versioned: true });
    },
    raw: (bucket) => gcsRaw(server.endpoint, bucket),
  });
}

interface WorldParts {
  readonly env: Readonly<Record<string, string>>;
  readonly create: () => Promise<void>;
  readonly raw: (bucket: string) => RawBucket;
}

async function makeWorld(
  scheme: "s3" | "gs",
  server: AsyncDisposable,
  { env, create, raw }: WorldParts,
): Promise<BucketWorld> {
  await using stack = new AsyncDisposableStack();
  stack.use(server);
  await create();
  const cli = stack.use(startCliServer(env));
  const raws = { plain: stack.use(raw(BUCKETS.plain)), versioned: stack.use(raw(BUCKETS.versioned)) };
  const owned = stack.move();
  return {
    scheme,
    env,
    cli,
    buckets: BUCKETS,
    raw: (kind = "plain") => raws[kind],
    repository: (cwd, options = {}) => {
      const { bucket = "plain", run = cli.run, prefix = `team-a/${crypto.randomUUID()}` } = options;
      const location = `${scheme}://${BUCKETS[bucket]}/${prefix}`;
      const raw = raws[bucket];
      const objects = {
        read: (key: string) => raw.read(`${prefix}/${key}`),
        write: (key: string, content: string) => raw.write(`${prefix}/${key}`, content),
        remove: (key: string) => raw.remove(`${prefix}/${key}`),
      };
      const list = async () => (await raw.list(`${prefix}/`)).map((name) => name.slice(prefix.length + 1));
      const removeVersion = (key: string, versionId: string) =>
        raw.remove({ name: `${prefix}/${key}`, versionId });
      const place = { scheme, bucketName: BUCKETS[bucket], prefix, raw, list, removeVersion };
      return { ...repositoryAt(location, { cwd, run, ...objects }), ...place };
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** How many commands are worth running at the same time: with a program to start for each, fewer. */
export const COMMANDS_AT_ONCE = binary === undefined ? 6 : 2;
