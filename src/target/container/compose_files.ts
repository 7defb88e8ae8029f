/** What compose files say, as far as a restore must know it: other files, and which service needs which. Looks only. */
import { basename, dirname, join, resolve } from "node:path";
import { parse } from "yaml";
import { lstat } from "#/core/posix.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "#/core/json.ts";

const DEFAULTS = ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];
const MAX_BYTES = 8 << 20;
const MAX_DEPTH = 10;

export interface ComposeFacts {
  /** The compose files themselves and those that they include or extend. */
  readonly files: readonly string[];
  /** Other files that they name: env files, configs, secrets. */
  readonly referenced: readonly string[];
  /** `name:` of the project; empty where none is given. */
  readonly name: string;
  /** For each service those that must be there before it. */
  readonly needs: ReadonlyMap<string, readonly string[]>;
  /** Why a file cannot be read as YAML. */
  readonly problems: readonly string[];
}

/** The compose files that lie in a folder, as compose itself finds them: the first of each kind. */
export function defaultFiles(folder: string): readonly string[] {
  const main = DEFAULTS.find((it) => lstat(join(folder, it)) !== undefined);
  if (main === undefined) return [];
  return [join(folder, main), join(folder, overrideOf(main))];
}

function overrideOf(name: string): string {
  const dot = name.lastIndexOf(".");
  return `${name.slice(0, dot)}.override${name.slice(dot)}`;
}

/** Reads the files, also what they include. A file that is not there says nothing. */
export function readComposeFiles(files: readonly string[]): ComposeFacts {
  const reader = new Reader();
  for (const file of files) reader.read(file, dirname(files[0] ?? file), 0);
  return {
    files: [...reader.files],
    referenced: [...reader.referenced],
    name: reader.name,
    needs: reader.needs,
    problems: reader.problems,
  };
}

class Reader {
  readonly files = new Set<string>();
  readonly referenced = new Set<string>();
  readonly needs = new Map<string, readonly string[]>();
  readonly problems: string[] = [];
  name = "";

  read(file: string, folder: string, depth: number): void {
    if (this.files.has(file) || depth > MAX_DEPTH) return;
    this.files.add(file);
    const document = this.#parse(file);
    if (document === undefined) return;
    if (typeof document["name"] === "string" && this.name === "") this.name = document["name"];
    for (const include of items(document["include"])) this.#include(include, folder, depth);
    for (const [name, service] of entries(document["services"])) this.#service(name, service, folder, depth);
    for (const kind of ["configs", "secrets"]) {
      for (const [, it] of entries(document[kind])) this.#refer(it["file"], folder);
    }
  }

  #parse(file: string): JsonObject | undefined {
    const info = lstat(file);
    if (info === undefined) return undefined;
    try {
      if (info.size > MAX_BYTES) throw new Error("it is larger than any compose file");
      const value: unknown = parse(Deno.readTextFileSync(file), { merge: true, logLevel: "silent" });
      if (!isJsonObject(value)) throw new Error("it is not a block of keys");
      return value;
    } catch (error) {
      this.problems.push(`${file}: ${(error as Error).message.split("\n")[0]}`);
      return undefined;
    }
  }

  #include(include: JsonValue, folder: string, depth: number): void {
    const block = isJsonObject(include) ? include : { path: include };
    for (const path of items(block["path"])) {
      const file = pathOf(path, folder);
      if (file === undefined) continue;
      const inside = pathOf(block["project_directory"] ?? null, folder) ?? dirname(file);
      this.#refer(join(inside, ".env"), inside);
      this.read(file, inside, depth + 1);
    }
    for (const file of items(block["env_file"])) this.#refer(file, folder);
  }

  #service(name: string, service: JsonObject, folder: string, depth: number): void {
    for (const it of items(service["env_file"])) this.#refer(isJsonObject(it) ? it["path"] : it, folder);
    const extended = isJsonObject(service["extends"])
      ? pathOf(service["extends"]["file"], folder)
      : undefined;
    if (extended !== undefined) this.read(extended, dirname(extended), depth + 1);
    const shares = ["network_mode", "ipc", "pid"].flatMap((key) => {
      const mode = service[key];
      return typeof mode === "string" && mode.startsWith("service:") ? [mode.slice("service:".length)] : [];
    });
    const needed = [
      ...isJsonObject(service["depends_on"])
        ? Object.keys(service["depends_on"])
        : items(service["depends_on"]),
      ...items(service["links"]),
      ...items(service["volumes_from"]),
    ].flatMap((it) => typeof it === "string" ? it.split(":")[0]! : []);
    const known = this.needs.get(name) ?? [];
    this.needs.set(name, [...new Set([...known, ...needed, ...shares])].filter((it) => it !== name));
  }

  #refer(path: JsonValue | undefined, folder: string): void {
    const file = pathOf(path, folder);
    if (file !== undefined) this.referenced.add(file);
  }
}

/** Undefined where it is no path, or one that only compose can work out. */
function pathOf(value: JsonValue | undefined, folder: string): string | undefined {
  if (typeof value !== "string" || value === "" || value.includes("$") || value.includes("\0")) {
    return undefined;
  }
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? undefined : resolve(folder, value);
}

function items(value: JsonValue | undefined): readonly JsonValue[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : [value as JsonValue];
}

function entries(value: JsonValue | undefined): readonly (readonly [string, JsonObject])[] {
  if (!isJsonObject(value)) return [];
  return Object.entries(value).map(([name, it]) => [name, isJsonObject(it) ? it : {}]);
}

/** The name that compose gives a project without one: its folder's, without odd characters. */
export function defaultProject(folder: string): string {
  return basename(folder).toLowerCase().replaceAll(/[^-_a-z0-9]/g, "").replace(/^[-_]+/, "");
}
