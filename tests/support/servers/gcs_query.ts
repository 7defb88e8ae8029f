/** Query parameters and `fields`, refused unless the call has them: a driver's mistake must be seen. */
import { badRequest } from "./gcs_errors.ts";
import type { Conditions } from "./gcs_state.ts";

const EVERY_CALL = ["fields", "prettyPrint", "userProject", "alt"];
const CONDITIONS = [
  "ifGenerationMatch",
  "ifGenerationNotMatch",
  "ifMetagenerationMatch",
  "ifMetagenerationNotMatch",
];

/** The parameters of one call. */
export class Query {
  readonly #params: URLSearchParams;

  constructor(params: URLSearchParams, allowed: readonly string[]) {
    for (const name of new Set(params.keys())) {
      if (!EVERY_CALL.includes(name) && !allowed.includes(name)) {
        throw badRequest(`Unknown query parameter: ${name}`, "invalidParameter");
      }
      if (params.getAll(name).length > 1) {
        throw badRequest(`Query parameter given twice: ${name}`, "invalidParameter");
      }
    }
    this.#params = params;
  }

  text(name: string): string | undefined {
    return this.#params.get(name) ?? undefined;
  }

  required(name: string): string {
    const value = this.#params.get(name);
    if (value === null || value === "") throw badRequest(`Required parameter: ${name}`, "required");
    return value;
  }

  /** A signed 64-bit number in decimal. */
  int64(name: string): bigint | undefined {
    const value = this.#params.get(name);
    if (value === null) return undefined;
    if (!/^\d{1,19}$/.test(value)) {
      throw badRequest(`Invalid value for ${name}: '${value}'`, "invalidParameter");
    }
    return BigInt(value);
  }

  flag(name: string): boolean {
    const value = this.#params.get(name);
    if (value !== null && value !== "true" && value !== "false") {
      throw badRequest(`Invalid value for ${name}: '${value}'`, "invalidParameter");
    }
    return value === "true";
  }

  /** `alt`: json where nothing is given. */
  get isMedia(): boolean {
    const alt = this.#params.get("alt");
    if (alt !== null && alt !== "json" && alt !== "media") {
      throw badRequest(`Invalid value for alt: '${alt}'`);
    }
    return alt === "media";
  }

  conditions(prefix: "if" | "ifSource" = "if"): Conditions {
    const read = (name: string) => this.int64(`${prefix}${name}`);
    return {
      ...given("generationMatch", read("GenerationMatch")),
      ...given("generationNotMatch", read("GenerationNotMatch")),
      ...given("metagenerationMatch", read("MetagenerationMatch")),
      ...given("metagenerationNotMatch", read("MetagenerationNotMatch")),
    };
  }

  /** Only what `fields` names, of a reply. */
  select(reply: Record<string, unknown>, shape: Shape): Record<string, unknown> {
    const fields = this.#params.get("fields");
    return fields === null || fields === "*" ? reply : pick(reply, parseFields(fields), shape, "");
  }
}

function given<K extends string>(name: K, value: bigint | undefined): { readonly [P in K]?: bigint } {
  return (value === undefined ? {} : { [name]: value }) as { readonly [P in K]?: bigint };
}

export const CONDITION_NAMES: readonly string[] = CONDITIONS;
export const SOURCE_CONDITION_NAMES: readonly string[] = CONDITIONS.map((it) =>
  it.replace(/^if/, "ifSource")
);

/** The names a reply may have; nested ones by their own shape. */
export interface Shape {
  readonly [name: string]: true | Shape;
}
interface Selection {
  readonly [name: string]: Selection | undefined;
}

/** `items(name,size),nextPageToken` or `items/name` as a tree. */
function parseFields(text: string): Selection {
  let at = 0;
  const parseList = (): Selection => {
    const tree: Record<string, Selection | undefined> = {};
    for (;;) {
      const name = /^[A-Za-z0-9_*]+/.exec(text.slice(at))?.[0];
      if (name === undefined) throw badRequest(`Invalid field selection ${text}`, "invalidParameter");
      at += name.length;
      tree[name] = parseChild();
      if (text[at] !== ",") return tree;
      at++;
    }
  };
  const parseChild = (): Selection | undefined => {
    if (text[at] === "/") {
      at++;
      const name = /^[A-Za-z0-9_*]+/.exec(text.slice(at))?.[0] ?? "";
      at += name.length;
      return { [name]: parseChild() };
    }
    if (text[at] !== "(") return undefined;
    at++;
    const inner = parseList();
    if (text[at] !== ")") throw badRequest(`Invalid field selection ${text}`, "invalidParameter");
    at++;
    return inner;
  };
  const tree = parseList();
  if (at !== text.length) throw badRequest(`Invalid field selection ${text}`, "invalidParameter");
  return tree;
}

function pick(
  value: Record<string, unknown>,
  tree: Selection,
  shape: Shape,
  path: string,
): Record<string, unknown> {
  const picked: Record<string, unknown> = {};
  for (const [name, inner] of Object.entries(tree)) {
    const known = shape[name];
    if (known === undefined) throw badRequest(`Invalid field selection ${path}${name}`, "invalidParameter");
    const here = value[name];
    if (here === undefined) continue;
    if (inner === undefined || known === true) {
      picked[name] = here;
      continue;
    }
    const select = (it: unknown) => pick(it as Record<string, unknown>, inner, known, `${path}${name}/`);
    picked[name] = Array.isArray(here) ? here.map(select) : select(here);
  }
  return picked;
}
