/**
 * docker and podman by their command lines: they know contexts, DOCKER_HOST, CONTAINER_HOST, ssh and certificates. What
 * docker's command line cannot say (a container exactly like another one) goes to the engine's own interface, through
 * `docker system dial-stdio`.
 */
import { isJsonObject, type JsonObject } from "#/core/json.ts";
import { type ProgramError, type ProgramRequest, runProgram, streamProgram } from "../run_program.ts";
import type { TargetContext } from "../target.ts";
import { podmanCreate } from "./create_podman.ts";
import { callEngine } from "./engine_call.ts";
import { answerError, EngineError, engineError } from "./engine_error.ts";
import { containerOf, createBody, imageOf, part, text, volumeOf } from "./engine_parse.ts";
import { bodyToCreate } from "./create_docker.ts";
import { networkWords } from "./create_network.ts";
import { answerLimit } from "./engine_limits.ts";
import { nameOfRecord } from "./stack.ts";
import type { Container, Engine, EngineKind, ExecOptions, ExecResult, Image, Volume } from "./model.ts";

/** Names that say where the engine is. */
const ENGINE_ENV = [
  ...["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY"],
  ...["CONTAINER_HOST", "CONTAINER_CONNECTION", "CONTAINER_SSHKEY", "CONTAINERS_CONF"],
  ...[
    "CONTAINERS_STORAGE_CONF",
    "CONTAINERS_REGISTRIES_CONF",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
  ],
];

export interface EngineOptions {
  readonly kind: EngineKind;
  /** How long it may take to answer. @default minutes, according to what it is asked */
  readonly answerMs?: number;
  readonly context: Pick<TargetContext, "env" | "signal">;
}

/** The environment of an engine's programs, also of compose. */
export function engineEnv(env: (name: string) => string | undefined): Record<string, string> {
  return Object.fromEntries(ENGINE_ENV.flatMap((name) => {
    const value = env(name);
    return value === undefined || value === "" ? [] : [[name, value] as const];
  }));
}

export class CliEngine implements Engine {
  readonly kind: EngineKind;
  readonly context: EngineOptions["context"];

  readonly answerMs: number | undefined;

  constructor({ kind, context, answerMs }: EngineOptions) {
    this.answerMs = answerMs;
    this.kind = kind;
    this.context = context;
  }

  /** @throws {EngineError} it does not answer; {ProgramError} it is not installed */
  async describe(): Promise<string> {
    const format = this.kind === "docker"
      ? "{{.Server.Version}} {{range .Server.Components}}{{.Name}};{{end}}"
      : "{{.Client.Version}} ";
    const said = (await this.#text(["version", "--format", format], `ask ${this.kind}`)).trim();
    const [version = "", ...components] = said.split(" ");
    return components.join(" ").includes("Podman")
      ? `podman ${version}, by docker's client`
      : `${this.kind} ${version}`;
  }

  async hasContainers(): Promise<boolean> {
    return (await this.#text(["ps", "-aq"], "list containers")).trim() !== "";
  }

  async containersOf(project: string): Promise<readonly Container[]> {
    const found = await this.#containers(`label=com.docker.compose.project=${project}`);
    const own = found.filter((it) => it.service !== "" && it.labels["com.docker.compose.oneoff"] !== "True");
    return own.sort((a, b) => a.service < b.service ? -1 : a.service > b.service ? 1 : a.number - b.number);
  }

  async containersWith(volumes: readonly string[]): Promise<readonly Container[]> {
    return volumes.length === 0 ? [] : await this.#containers(...volumes.map((it) => `volume=${it}`));
  }

  async #containers(...filters: readonly string[]): Promise<readonly Container[]> {
    const words = ["ps", "-aq", "--no-trunc", ...filters.flatMap((it) => ["--filter", it])];
    const ids = await this.#text(words, "list containers");
    return (await this.records(ids.split("\n").filter((it) => it !== ""))).map((it) =>
      containerOf(it, this.kind)
    );
  }

  /** A container that went meanwhile is left out. */
  records(ids: readonly string[]): Promise<readonly JsonObject[]> {
    return this.#inspectAll("container", ids);
  }

  async containersNamed(names: readonly string[]): Promise<readonly Container[]> {
    const found = await this.#inspectAll("container", names);
    return found.map((it) => containerOf(it, this.kind)).filter((it) => names.includes(it.name));
  }

  /** What is not there is left out. */
  async #inspectAll(type: string, names: readonly string[]): Promise<readonly JsonObject[]> {
    if (names.length === 0) return [];
    try {
      return await this.#inspect(type, names);
    } catch (error) {
      if (!isMissing(error)) throw error;
      if (names.length === 1) return [];
      return (await Promise.all(names.map((it) => this.#inspectAll(type, [it])))).flat();
    }
  }

  async image(reference: string): Promise<Image | undefined> {
    const found = await this.#maybe("image", reference);
    return found === undefined ? undefined : imageOf(found);
  }

  /** What the engine says of an image, whole. */
  imageRecord(reference: string): Promise<JsonObject | undefined> {
    return this.#maybe("image", reference);
  }

  async volume(name: string): Promise<Volume | undefined> {
    const found = await this.#maybe("volume", name);
    return found === undefined ? undefined : volumeOf(found);
  }

  async volumes(names: readonly string[]): Promise<ReadonlyMap<string, Volume>> {
    const found = (await this.#inspectAll("volume", names)).map(volumeOf);
    return new Map(found.map((it) => [it.name, it]));
  }

  async createVolume(name: string, labels: Readonly<Record<string, string>>): Promise<void> {
    const words = Object.entries(labels).flatMap(([key, value]) => ["--label", `${key}=${value}`]);
    await this.#run(["volume", "create", ...words, name], `make the volume ${name}`);
  }

  network(name: string): Promise<JsonObject | undefined> {
    return this.#maybe("network", name);
  }

  async createNetwork(record: JsonObject): Promise<void> {
    const { name, words, addresses } = networkWords(record);
    const make = (more: readonly string[]) =>
      this.#run(["network", "create", ...words, ...more, name], `make the network ${name}`);
    try {
      await make(addresses);
    } catch (error) {
      // Its addresses were most likely given by the engine, and somebody else has them by now.
      if (!(error instanceof EngineError) || !/subnet|pool overlaps/i.test(error.stderr)) throw error;
      await make([]);
    }
  }

  async create(record: JsonObject, ids: ReadonlyMap<string, string>): Promise<void> {
    const name = nameOfRecord(record);
    const command = part(record, "Config")["CreateCommand"];
    const doing = `make the container ${name}`;
    if (this.kind === "podman" && Array.isArray(command)) {
      const { args, env } = podmanCreate(record, ids);
      await this.#run(args, doing, { env });
      return;
    }
    if (this.kind === "podman") throw notByPodman(name);
    const { body, later } = bodyToCreate(record, createBody(record), ids);
    const request = { method: "POST", path: `/containers/create?name=${encodeURIComponent(name)}`, body };
    const made = await callEngine(request, doing, this.#request(["system", "dial-stdio"], doing));
    for (const [network, endpoint] of later) {
      const connect = {
        method: "POST",
        path: `/networks/${encodeURIComponent(network)}/connect`,
        body: { Container: text(made["Id"]), EndpointConfig: endpoint },
      };
      await callEngine(connect, doing, this.#request(["system", "dial-stdio"], doing));
    }
  }

  async start(ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await this.#run(["start", ...ids], "start containers");
  }

  async stop(ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await this.#run(["stop", ...ids], "stop containers");
  }

  async pause(ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await this.#run(["pause", ...ids], "pause containers");
  }

  async unpause(ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await this.#run(["unpause", ...ids], "let paused containers go on");
  }

  async remove(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      try {
        await this.#run(["rm", "-f", id], "remove a container");
      } catch (error) {
        if (!(error instanceof EngineError) || error.problem !== "no_such_thing") throw error;
      }
    }
  }

  async signal(id: string, name: string): Promise<void> {
    await this.#run(["kill", "--signal", name, id], `send ${name} to a container`);
  }

  async tag(imageId: string, reference: string): Promise<void> {
    await this.#run(["tag", imageId, reference], `point ${reference} at an image`);
  }

  async untag(reference: string): Promise<void> {
    // podman's `rmi` of a tag that is an image's only one would take the image itself.
    const words = this.kind === "podman"
      ? ["untag", reference, reference]
      : ["rmi", "-f", "--no-prune", reference];
    await this.#run(words, `take the tag ${reference} away`);
  }

  async exec(id: string, command: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const { env = {}, stdin, user, timeoutMs, secrets } = options;
    const words = [
      "exec",
      ...(stdin === undefined ? [] : ["-i"]),
      ...(user === undefined ? [] : ["--user", user]),
      ...Object.keys(env).flatMap((name) => ["-e", name]),
      id,
      ...command,
    ];
    const request = this.#request(words, `run ${command[0] ?? "a program"} in a container`);
    try {
      const { exitCode, stdout, stderr } = await runProgram({
        ...request,
        env: { ...request.env, ...env },
        okCodes: Array.from({ length: 256 }, (_, code) => code),
        ...(stdin === undefined ? {} : { stdin }),
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
        ...(secrets === undefined ? {} : { secrets }),
      });
      return { exitCode, stdout: new TextDecoder().decode(stdout), stderr };
    } catch (error) {
      throw engineError(error);
    }
  }

  /** podman keeps what an image is called (its id) only in the format that it has it in. */
  async saveImage(id: string): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
    const words = this.kind === "podman" ? ["--format", await this.#archiveFormat(id)] : [];
    return streamProgram(this.#request(["save", ...words, id], "save an image"));
  }

  async #archiveFormat(id: string): Promise<string> {
    const [image] = await this.#inspect("image", [id]);
    return text(image?.["ManifestType"]).includes(".oci.") ? "oci-archive" : "docker-archive";
  }

  async loadImages(archive: ReadableStream<Uint8Array>): Promise<void> {
    await this.#run(["load"], "load images", { stdin: archive });
  }

  async #maybe(type: string, name: string): Promise<JsonObject | undefined> {
    return (await this.#inspectAll(type, [name]))[0];
  }

  async #inspect(type: string, names: readonly string[]): Promise<readonly JsonObject[]> {
    const said = await this.#text([type, "inspect", ...names], `look at ${type}s`);
    const parsed: unknown = JSON.parse(said);
    return Array.isArray(parsed) ? parsed.filter(isJsonObject) : [];
  }

  async #text(args: readonly string[], doing: string): Promise<string> {
    return new TextDecoder().decode(await this.#run(args, doing));
  }

  async #run(
    args: readonly string[],
    doing: string,
    more: Pick<ProgramRequest, "env" | "stdin"> = {},
  ): Promise<Uint8Array> {
    const request = this.#request(args, doing);
    try {
      const { stdout } = await runProgram({ ...request, ...more, env: { ...request.env, ...more.env } });
      return stdout;
    } catch (error) {
      throw answerError(error);
    }
  }

  #request(args: readonly string[], doing: string): ProgramRequest {
    const limit = answerLimit(args);
    return {
      program: this.kind,
      args,
      package: this.kind === "docker" ? "docker.io" : "podman",
      context: this.context,
      env: engineEnv(this.context.env),
      doing,
      ...(limit === undefined ? {} : { timeoutMs: this.answerMs ?? limit }),
    };
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof EngineError &&
    (error.problem === "no_such_thing" || error.problem === "image_gone");
}

function notByPodman(name: string): ProgramError {
  return new EngineError(
    `Cannot make the container ${name}: it was made through podman's socket, and podman does not say how`,
    "refused",
    "podman",
    {
      hint:
        "Set DOCKER_HOST to podman's socket and `engine: docker` for this target: then docker's client makes it.",
    },
  );
}
