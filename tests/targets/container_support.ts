/** A small stack on a real engine of a test's own, for the tests of the target `container`. */
import assert from "node:assert/strict";
import { RollbackError } from "#/core/errors.ts";
import type { JsonObject } from "#/core/json.ts";
import type { ContainerEngine } from "../support/servers/container_engine.ts";
import { importBusybox } from "../support/servers/container_images.ts";
import { startDocker } from "../support/servers/docker.ts";
import { startPodman } from "../support/servers/podman.ts";
import type { TargetFixture } from "./target_contract.ts";

export const COMPOSE = `version: "3.8"
services:
  web:
    image: app:1
    init: true
    command: ["sh", "-c", "cat /etc/web.conf; exec sleep 100000"]
    env_file: web.env
    volumes: ["data:/data", "./web.conf:/etc/web.conf:ro"]
    depends_on: [db]
  db:
    image: app:1
    init: true
    command: ["sleep", "100000"]
    volumes: ["db:/data"]
volumes: {data: {}, db: {}}
`;

const engines = new Map<string, ContainerEngine>();

/** The engine of a world; with it the docker client and docker-compose. */
export function engineOf(world: string): ContainerEngine {
  return engines.get(world)!;
}

export function stackOf(world: string): string {
  return `${world}/shop`;
}

/** Starts the engine, with the images app:1 and app:2, and brings the stack up, with something in its volume. */
export async function setUpStack(
  world: string,
  kind: "docker" | "podman",
  more: JsonObject = {},
): Promise<JsonObject> {
  const engine = kind === "docker" ? await startDocker() : await startPodman();
  engines.set(world, engine);
  await importBusybox(engine, "app:1");
  await importBusybox(engine, "app:2");
  const folder = stackOf(world);
  Deno.mkdirSync(folder);
  Deno.writeTextFileSync(`${folder}/docker-compose.yml`, COMPOSE);
  Deno.writeTextFileSync(`${folder}/web.env`, "MODE=one\nTOKEN=s3cret-token\n");
  Deno.writeTextFileSync(`${folder}/web.conf`, "colour: blue\n");
  await engine.compose(folder, "up", "-d");
  const data = await mountpoint(world, "shop_data");
  Deno.writeTextFileSync(`${data}/one`, "1".repeat(5000));
  Deno.mkdirSync(`${data}/sub`);
  Deno.writeTextFileSync(`${data}/sub/two`, "two");
  Deno.chownSync(`${data}/sub/two`, 70, 71);
  Deno.chmodSync(`${data}/sub/two`, 0o640);
  return { path: folder, include_volumes: true, ...more };
}

export async function tearDownStack(world: string): Promise<void> {
  const engine = engines.get(world);
  engines.delete(world);
  await engine?.[Symbol.asyncDispose]();
}

export function mountpoint(world: string, volume: string): Promise<string> {
  return engineOf(world).docker("volume", "inspect", "--format", "{{.Mountpoint}}", volume);
}

/** Everything that must be equal to before, seen by docker's client and the file system. */
export async function lookAtStack(world: string): Promise<unknown> {
  const engine = engineOf(world);
  const ids = (await engine.docker("ps", "-aq", "--no-trunc")).split("\n").filter((it) => it !== "").sort();
  const said: readonly Inspected[] = ids.length === 0
    ? []
    : JSON.parse(await engine.docker("inspect", ...ids));
  const containers = said.map(({ Name, Image, State, Config, Mounts }) =>
    JSON.stringify([
      ...[
        Name,
        Image,
        State.Status === "created" ? "exited" : State.Status,
        withoutId(Config.Env ?? []),
        Config.Cmd,
      ],
      Mounts.map((it) => [it.Type, it.Name ?? it.Source, it.Destination, it.RW].join(":")).sort(),
    ])
  ).sort();
  const tags = (await engine.docker("images", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"))
    .split("\n").filter((it) => !it.startsWith("<none>")).sort();
  const volumes = (await engine.docker("volume", "ls", "-q")).split("\n").filter((it) => it !== "").sort();
  const contents: unknown[] = [];
  for (const name of volumes) contents.push([name, tree(await mountpoint(world, name))]);
  return { containers, tags, contents, files: tree(stackOf(world)) };
}

/** podman tells the container's id as its host's name; it is another one each time. */
function withoutId(env: readonly string[]): readonly string[] {
  return env.filter((it) => !/^HOSTNAME=[0-9a-f]{12}$/.test(it)).sort();
}

interface Inspected {
  readonly Name: string;
  readonly Image: string;
  readonly State: { readonly Status: string };
  readonly Config: { readonly Env: readonly string[] | null; readonly Cmd: unknown };
  readonly Mounts: readonly {
    readonly Type: string;
    readonly Name?: string;
    readonly Source: string;
    readonly Destination: string;
    readonly RW: boolean;
  }[];
}

function tree(folder: string): readonly unknown[] {
  return [...Deno.readDirSync(folder)].sort((a, b) => a.name < b.name ? -1 : 1).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    const { mode, uid, gid, mtime } = Deno.lstatSync(path);
    const facts = [entry.name, mode, uid, gid];
    if (entry.isDirectory) return [facts, ...tree(path)];
    return [[...facts, mtime?.getTime(), entry.isFile ? Deno.readTextFileSync(path) : ""]];
  });
}

/** A bad version: other image, configuration, files and data. */
export async function deployBadVersion(world: string): Promise<void> {
  const folder = stackOf(world);
  Deno.writeTextFileSync(`${folder}/docker-compose.yml`, COMPOSE.replace("image: app:1", "image: app:2"));
  Deno.writeTextFileSync(`${folder}/web.conf`, "colour: red\n");
  Deno.writeTextFileSync(`${folder}/web.env`, "MODE=two\nTOKEN=s3cret-token\n");
  await engineOf(world).compose(folder, "up", "-d");
  const data = await mountpoint(world, "shop_data");
  Deno.writeTextFileSync(`${data}/one`, "2");
  Deno.removeSync(`${data}/sub`, { recursive: true });
  Deno.writeTextFileSync(`${data}/later`, "later");
}

export function stackFixture(kind: "docker" | "podman"): TargetFixture {
  return {
    name: `container: a stack on ${kind}`,
    type: "container",
    needs: ["root", kind],
    // On podman as on a machine without any compose, which is asked for nothing that a restore needs.
    setUp: (world) => setUpStack(world, kind, kind === "podman" ? { compose: ["no-such-compose"] } : {}),
    tearDown: tearDownStack,
    changes: {
      "a bad version was deployed": deployBadVersion,
    },
    look: lookAtStack,
    env: (world) => engineOf(world).env,
    secrets: ["s3cret-token"],
    exported: (_world, folder) => {
      const file = `${folder}/volumes/shop_data/sub/two`;
      if (Deno.readTextFileSync(file) !== "two") throw new Error("the volume was not exported");
    },
    killPoints: kind === "podman" ? 2 : 3,
  };
}

export function idsOf(world: string, ...names: readonly string[]): Promise<string> {
  return engineOf(world).docker("inspect", "--format", "{{.Id}}", ...names);
}

/** What the work is refused with. */
export async function rejection(work: Promise<unknown>): Promise<RollbackError> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof RollbackError, String(error));
    return error;
  }
  throw new Error("it was not refused");
}

/** Runs a program of this machine. @returns its standard output, trimmed */
export async function runHere(program: string, ...args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args: [...args] }).output();
  const said = new TextDecoder();
  assert.ok(success, said.decode(stderr));
  return said.decode(stdout).trim();
}
