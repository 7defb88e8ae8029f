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
      const filled = node.value.replace(VARIABLE, (whole, name: string) => {
        if (whole.startsWith("$$")) return whole.slice(1);
        const value = NAME.test(name) && whole.endsWith("}") ? readEnv(env, name) : undefined;
        if (value !== undefined) return value;
        problems.push({ offset, ...problemWith(whole, name) });
        return "";
      });
      node.value = isWholeVariable(node) ? asPlainScalar(filled) : filled;
    },
  });
  return problems;
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
    hint: `Set ${name}, or write the value into the file.`,
  };
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
