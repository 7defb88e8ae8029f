/**
 * What the sweeps over object storage share: a server, the fault proxy before it, the program, and processes that run
 * commands directly against the server.
 */
import { join } from "node:path";
import { type CliServer, startCliServer } from "../support/cli_server.ts";
import { inheritedEnvironment } from "../support/cli.ts";
import { startCeph } from "../support/servers/ceph.ts";
import {
  type FaultAction,
  PASS,
  type ProxiedRequest,
  startFaultProxy,
} from "../support/servers/fault_proxy.ts";
import { startGcsProcess } from "../support/servers/gcs_process.ts";
import { clientEnvironment } from "../support/servers/s3_server.ts";
import { tempDir } from "../support/temp.ts";
import { gcsObjects, type Objects, s3Objects } from "./bucket_objects.ts";
import { buildProgram, type Program } from "./program.ts";

export type Service = "s3" | "gs";

/** What happens to a request of the commands on one bucket. */
export type Decide = (request: ProxiedRequest) => FaultAction | Promise<FaultAction>;

/** How long a silent writer keeps the lock in the sweeps, in milliseconds. */
export const LEASE_MS = 3_000;

export interface SweepWorld extends AsyncDisposable {
  readonly service: Service;
  readonly folder: string;
  readonly objects: Objects;
  /** Commands that pass through the proxy, in a process that serves many. */
  readonly proxied: CliServer;
  /** Commands directly against the server, in another process. */
  readonly direct: CliServer;
  /** Working folders of the two, each with its own configuration. */
  readonly holderFolder: string;
  readonly otherFolder: string;
  createBucket(name: string): Promise<void>;
  /** Decides about every request to a bucket through the proxy, until it is called with undefined. */
  decide(bucket: string, decide: Decide | undefined): void;
  /** Starts the program through the proxy as a process of its own, which may be killed. */
  spawn(argv: readonly string[]): Deno.ChildProcess;
}

/** Starts a server of this kind with everything around it. */
export async function startSweepWorld(service: Service): Promise<SweepWorld> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(tempDir("backout-bucket-sweep-")).path;
  const program = buildProgram(join(folder, "program"));
  const server = stack.use(await (service === "s3" ? startS3() : startGcs()));
  const proxy = startFaultProxy(new URL(server.endpoint));
  const deciders = new Map<string, Decide>();
  proxy.onRequest = (request) => {
    if (proxy.log.length > MAX_LOG) proxy.clearLog();
    return deciders.get(bucketOf(request.path))?.(request) ?? PASS;
  };
  const holderFolder = workFolder(join(folder, "holder"));
  const otherFolder = workFolder(join(folder, "other"));
  const objects = stack.use(server.objects);
  const proxiedEnvironment = server.environmentAt(proxy.endpoint);
  const direct = stack.use(startCliServer(server.environmentAt(server.endpoint)));
  const proxied = stack.use(startCliServer(proxiedEnvironment));
  stack.use(proxy); // closed before those who may still wait for an answer of it
  const owned = stack.move();
  return {
    ...{ service, folder, objects, proxied, direct, holderFolder, otherFolder },
    createBucket: (name) => server.createBucket(name),
    decide: (bucket, decide) =>
      void (decide === undefined ? deciders.delete(bucket) : deciders.set(bucket, decide)),
    spawn: (argv) => spawn(program, argv, proxiedEnvironment, holderFolder),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const MAX_LOG = 10_000;

interface Server extends AsyncDisposable {
  readonly endpoint: string;
  readonly objects: Objects;
  environmentAt(endpoint: string): Readonly<Record<string, string>>;
  createBucket(name: string): Promise<void>;
}

async function startS3(): Promise<Server> {
  const ceph = await startCeph();
  return {
    endpoint: ceph.endpoint,
    objects: s3Objects(ceph),
    environmentAt: (endpoint) => clientEnvironment({ ...ceph, endpoint }),
    createBucket: (name) => ceph.createBucket(name),
    [Symbol.asyncDispose]: () => ceph[Symbol.asyncDispose](),
  };
}

async function startGcs(): Promise<Server> {
  const gcs = await startGcsProcess();
  return {
    endpoint: gcs.endpoint,
    objects: gcsObjects(gcs.endpoint),
    environmentAt: (endpoint) => ({ STORAGE_EMULATOR_HOST: endpoint }),
    createBucket: (name) => gcs.createBucket(name),
    [Symbol.asyncDispose]: () => gcs[Symbol.asyncDispose](),
  };
}

function workFolder(folder: string): string {
  Deno.mkdirSync(folder);
  Deno.writeTextFileSync(
    join(folder, "backout.yaml"),
    `version: 1\nstorage:\n  lease: ${LEASE_MS / 1000}s\n`,
  );
  return folder;
}

function spawn(
  program: Program,
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
  cwd: string,
): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-prompt",
      "--no-config",
      "--cached-only",
      join(program.folder, "main.js"),
      ...argv,
    ],
    cwd,
    clearEnv: true,
    env: { ...inheritedEnvironment(), ...env, NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** The bucket that a request is about, by its path. */
function bucketOf(path: string): string {
  const gcs = /\/b\/([^/?]+)/.exec(path);
  return gcs?.[1] ?? path.split(/[/?]/)[1] ?? "";
}
