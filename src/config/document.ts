/** A YAML document as a value, with `${NAME}` filled in, and as it was written. */
import { messageOf } from "#/core/errors.ts";
import { fillIn } from "#/config/environment.ts";
import type { ReadEnv } from "#/config/load.ts";
import { type ConfigProblem, readYaml, type YamlFile } from "#/config/position.ts";

/** More than anybody needs in a file like this, and far from what an alias bomb needs. */
const MOST_ALIASES = 50;

export type ReadDocument =
  | { readonly file: YamlFile; readonly value: unknown; readonly written: unknown }
  | { readonly problems: readonly ConfigProblem[] };

/** @param emptyHint what to write into a file that is empty */
export function readDocument(text: string, env: ReadEnv, emptyHint: string): ReadDocument {
  const file = readYaml(text, emptyHint);
  if ("problems" in file) return file;
  const { document, at } = file;
  try {
    const written: unknown = document.toJS({ maxAliasCount: MOST_ALIASES });
    const missing = fillIn(document, env);
    if (missing.length > 0) {
      return { problems: missing.map((it) => at(it.offset, it.message, it.hint)) };
    }
    return { file, value: document.toJS({ maxAliasCount: MOST_ALIASES }), written };
  } catch (error) {
    return {
      problems: [at(0, `its aliases cannot be followed: ${messageOf(error)}`, "Write the values out.")],
    };
  }
}
