/** `${NAME}` in `backout.yaml`: the value of an environment variable. `$${NAME}` is the text itself. */
import { type Document, isScalar, Scalar, visit } from "yaml";
import type { ReadEnv } from "#/config/load.ts";

const VARIABLE = /\$?\$\{([^}]*)\}?/g;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

export interface EnvironmentProblem {
  /** Where the text stands in the file. */
  readonly offset: number;
  readonly message: string;
  readonly hint: string;
}

/** Fills in the variables of every value (not of keys) in place, and returns what could not be filled in. */
export function fillIn(document: Document, env: ReadEnv): readonly EnvironmentProblem[] {
  const problems: EnvironmentProblem[] = [];
  visit(document, {
    Scalar(key, node) {
      if (key === "key" || typeof node.value !== "string" || !node.value.includes("${")) return;
      const offset = node.range?.[0] ?? 0;
      const filled = fillText(node.value, env, (problem) => problems.push({ offset, ...problem }));
      node.value = isWholeVariable(node) ? asPlainScalar(filled) : filled;
    },
  });
  return problems;
}

/** A text with its variables filled in; what could not be is told and left out. */
export function fillText(
  text: string,
  env: ReadEnv,
  onProblem: (problem: Omit<EnvironmentProblem, "offset">) => void,
): string {
  return text.replace(VARIABLE, (whole, name: string) => {
    if (whole.startsWith("$$")) return whole.slice(1);
    const value = NAME.test(name) && whole.endsWith("}") ? readEnv(env, name) : undefined;
    if (value !== undefined) return value;
    onProblem(problemWith(whole, name));
    return "";
  });
}

/** Every text of a value with its variables filled in. */
export function fillValue(
  value: unknown,
  env: ReadEnv,
  onProblem: (problem: Omit<EnvironmentProblem, "offset">) => void,
): unknown {
  if (typeof value === "string") return fillText(value, env, onProblem);
  if (Array.isArray(value)) return value.map((it) => fillValue(it, env, onProblem));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, it]) => [key, fillValue(it, env, onProblem)]));
}

function problemWith(whole: string, name: string): Omit<EnvironmentProblem, "offset"> {
  if (!whole.endsWith("}") || !NAME.test(name)) {
    return {
      message: `${whole} does not name an environment variable`,
      hint: "Write ${NAME} with letters, digits and _, or $${ for the characters themselves.",
    };
  }
  return {
    message: `the environment variable ${name} is not set`,
    hint: `Set ${name}, or write the value into the file.${hiddenNames(name)}`,
  };
}

/** Names that `scripts/permissions.ts` lets the executable read, among those that a configuration may name. */
const SEEN =
  /^(BACKOUT_|PG|MYSQL_|MARIADB_|REDIS_|TF_|DOCKER_|CONTAINER_|CONTAINERS_|COMPOSE_|AWS_|GOOGLE_|XDG_|DATABASE_URL$)/;

/** For a hint: why a variable that is set may look unset. Empty for those that every backout sees. */
export function hiddenNames(name: string): string {
  if (SEEN.test(name)) return "";
  return " The executable sees few names: DATABASE_URL, and those that begin with BACKOUT_, PG, MYSQL_ or REDIS_.";
}

/** The compiled executable may read known names only; to it all others are not set. */
function readEnv(env: ReadEnv, name: string): string | undefined {
  try {
    return env(name);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}

function isWholeVariable(node: Scalar): boolean {
  return isScalar(node) && node.type === Scalar.PLAIN &&
    /^\$\{[^}]*\}$/.test(String(node.source ?? node.value));
}

/** An unquoted `${SIGN}` stands for what the text would mean if it stood there. */
function asPlainScalar(text: string): string | boolean {
  return text === "true" ? true : text === "false" ? false : text;
}
