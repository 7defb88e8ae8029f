/**
 * A container engine of a test's own, in namespaces of its own: its processes (containers too) end with it, its mounts
 * and its network are nobody else's, so that several may run side by side. The files are seen from outside. Needs root.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { basename } from "node:path";
import { tempDir } from "../temp.ts";
import { startServer } from "./started_server.ts";

export interface ContainerEngine extends AsyncDisposable {
  readonly kind: "docker" | "podman";
  /** The folder that holds everything of it. */
  readonly folder: string;
  /** The path of its API socket. */
  readonly socket: string;
  /** What clients are told by: `DOCKER_HOST` and `CONTAINER_HOST`. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs the `docker` client against it. @returns its standard output, trimmed. @throws {Error} with what it said */
  docker(...args: readonly string[]): Promise<string>;
  /** The same, with bytes for its standard input. */
  dockerWith(stdin: ReadableStream<Uint8Array>, ...args: readonly string[]): Promise<string>;
  /** Runs `docker-compose` in a folder. @throws {Error} with what it said */
  compose(folder: string, ...args: readonly string[]): Promise<string>;
  /** The command line that runs another one in the engine's network: only there do published ports answer. */
  inNetwork(command: readonly string[]): readonly string[];
  /** SIGKILL to the engine; its containers may live on. Returns when it does not answer any more. */
  kill(): Promise<void>;
  /** The command line that does the same, for a test's child; it does not wait. */
  readonly killCommand: readonly string[];
  /** Starts it again after `kill`, and waits until it answers. */
  start(): Promise<void>;
}

export interface EngineProgram {
  readonly kind: "docker" | "podman";
  /** Shell text that becomes the engine (`exec …`); `$T` is its folder, its socket `$T/d.sock`. */
  readonly serve: string;
  /** Writes its configuration. */
  readonly prepare?: (folder: string) => void;
  /** Names of control groups that it leaves behind. */
  readonly leftGroups: (folder: string) => readonly string[];
}

const START_TIMEOUT_MS = 120_000;
const CGROUPS = "/sys/fs/cgroup";

/** The first process of the namespaces: starts the engine on SIGHUP, kills it on SIGUSR1, and reaps orphans. */
const INIT = `
T=$1
serve=$2
ip link set lo up
mount --make-rprivate /
mount -t tmpfs tmpfs /run
ulimit -n 4096
start() { sh -c "$serve" sh "$T" >>"$T/log" 2>&1 & engine=$!; }
trap 'start' HUP
trap 'kill -9 $engine' USR1
start
: >"$T/init"
while :; do wait; sleep 0.05; done
`;

/** Starts it, and waits until it answers. */
export async function startEngine(program: EngineProgram): Promise<ContainerEngine> {
  const stack = new AsyncDisposableStack();
  try {
    const folder = stack.use(tempDir(`backout-${program.kind}-`)).path;
    program.prepare?.(folder);
    stack.defer(() => removeGroups(program.leftGroups(folder)));
    const server = stack.use(startServer(
      [
        "unshare",
        "-mnp",
        "--fork",
        "--kill-child=KILL",
        "--mount-proc",
        "sh",
        "-c",
        INIT,
        "sh",
        folder,
        program.serve,
      ],
      { log: `${folder}/init.log` },
    ));
    const socket = `${folder}/d.sock`;
    await until(
      () => exists(`${folder}/init`),
      () => `${program.kind} did not start: ${read(`${folder}/init.log`)}`,
    );
    const init = childOf(server.pid);
    // The kernel ends everything in the namespace before its first process is gone, and `unshare` waits for that.
    stack.defer(() => signal(init, "SIGKILL").then(() => server.ended));
    const engine = new Engine(program.kind, folder, socket, init, stack);
    await engine.answers();
    return engine;
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

class Engine implements ContainerEngine {
  readonly env: Readonly<Record<string, string>>;
  readonly killCommand: readonly string[];
  readonly #init: number;
  readonly #stack: AsyncDisposableStack;

  constructor(
    readonly kind: "docker" | "podman",
    readonly folder: string,
    readonly socket: string,
    init: number,
    stack: AsyncDisposableStack,
  ) {
    this.env = { DOCKER_HOST: `unix://${socket}`, CONTAINER_HOST: `unix://${socket}` };
    this.killCommand = ["kill", "-s", "USR1", String(init)];
    this.#init = init;
    this.#stack = stack;
  }

  docker(...args: readonly string[]): Promise<string> {
    return run(["docker", ...args], { env: this.env });
  }

  dockerWith(stdin: ReadableStream<Uint8Array>, ...args: readonly string[]): Promise<string> {
    return run(["docker", ...args], { env: this.env, stdin });
  }

  compose(folder: string, ...args: readonly string[]): Promise<string> {
    return run(["docker-compose", ...args], { env: this.env, cwd: folder });
  }

  inNetwork(command: readonly string[]): readonly string[] {
    return ["nsenter", "-n", "-t", String(this.#init), "--", ...command];
  }

  async kill(): Promise<void> {
    await signal(this.#init, "SIGUSR1");
    await until(
      async () => !await answersPing(this.socket),
      () => `${this.kind} did not die: ${this.#log()}`,
    );
  }

  async start(): Promise<void> {
    // One that was told to die may not have done so yet.
    await until(async () => !await answersPing(this.socket), () => `${this.kind} still runs`);
    await signal(this.#init, "SIGHUP");
    await this.answers();
  }

  answers(): Promise<void> {
    return until(() => answersPing(this.socket), () => `${this.kind} does not answer: ${this.#log()}`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }

  #log(): string {
    return read(`${this.folder}/log`).slice(-2_000);
  }
}

interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: ReadableStream<Uint8Array>;
}

/** Runs a program to its end. @returns its standard output, trimmed. @throws {Error} with what it said */
export async function run(command: readonly string[], options: RunOptions = {}): Promise<string> {
  const [program, ...args] = command;
  const child = new Deno.Command(program!, {
    args,
    env: { ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const fed = options.stdin?.pipeTo(child.stdin).catch(() => undefined);
  const { success, code, stdout, stderr } = await child.output();
  await fed;
  const said = new TextDecoder().decode(stdout).trim();
  if (success) return said;
  throw new Error(`${command.join(" ")}: exit ${code}: ${said}\n${new TextDecoder().decode(stderr).trim()}`);
}

/** Tries again until it is so. @throws {Error} with `why` when it takes far too long */
export async function until(
  isSo: () => boolean | Promise<boolean>,
  why: () => string,
  timeoutMs = START_TIMEOUT_MS,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!await isSo()) {
    if (performance.now() > deadline) throw new Error(why());
    await sleep(25);
  }
}

async function answersPing(socket: string): Promise<boolean> {
  try {
    using connection = await Deno.connect({ transport: "unix", path: socket });
    await connection.write(new TextEncoder().encode("GET /_ping HTTP/1.0\r\nHost: engine\r\n\r\n"));
    const bytes = new Uint8Array(64);
    const count = await connection.read(bytes);
    return new TextDecoder().decode(bytes.subarray(0, count ?? 0)).includes(" 200 ");
  } catch {
    return false;
  }
}

function childOf(pid: number): number {
  return Number(read(`/proc/${pid}/task/${pid}/children`).trim().split(" ")[0]);
}

/** Through `kill`, since the process is no child of this one. */
async function signal(pid: number, name: "SIGKILL" | "SIGUSR1" | "SIGHUP"): Promise<void> {
  await run(["kill", "-s", name.slice(3), String(pid)]).catch(() => undefined);
}

/** Control groups outlive what was in them. */
function removeGroups(names: readonly string[]): void {
  if (names.length === 0 || !exists(CGROUPS)) return;
  for (const { name } of Deno.readDirSync(CGROUPS)) {
    for (const group of names) removeGroup(`${CGROUPS}/${name}/${group}`);
  }
  for (const group of names) removeGroup(`${CGROUPS}/${group}`);
}

function removeGroup(path: string): void {
  if (!exists(path)) return;
  for (const entry of Deno.readDirSync(path)) {
    if (entry.isDirectory) removeGroup(`${path}/${entry.name}`);
  }
  try {
    // `rmdir`: the files of a control group cannot be removed.
    new Deno.Command("rmdir", { args: [path], stdout: "null", stderr: "null" }).outputSync();
  } catch {
    // It is only litter.
  }
}

/** A name for control groups that only this engine has. */
export function groupOf(folder: string): string {
  return basename(folder);
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
