/** From the command that made a container of podman to the one that makes it again. */
import type { JsonObject } from "#/core/json.ts";
import { isJsonObject } from "#/core/json.ts";
import { isAnonymousVolume, list, part, text } from "./engine_parse.ts";

/**
 * `podman run -d …` becomes `podman create …`; values of variables go by the environment, since command lines are seen
 * by everybody.
 */
export function podmanCreate(
  record: JsonObject,
  ids: ReadonlyMap<string, string>,
): { readonly args: readonly string[]; readonly env: Readonly<Record<string, string>> } {
  const [, verb = "create", ...words] = list(part(record, "Config")["CreateCommand"]).map(text);
  const image = words.indexOf(text(record["ImageName"]));
  const options = image < 0 ? words : words.slice(0, image);
  const rest = image < 0 ? [] : words.slice(image);
  const env: Record<string, string> = {};
  const kept = options.filter((it) => it !== "-d" && it !== "--detach").map((word, i, all) => {
    const [flag, value] = word.startsWith("--env=") ? ["--env", word.slice(6)] : [all[i - 1], word];
    const named = /^([A-Za-z_][A-Za-z0-9_]*)=([^]*)$/.exec(value);
    const isVariable = (flag === "-e" || flag === "--env") && named !== null && !isOurs(named[1]!);
    if (!isVariable) return renewed(word, ids);
    env[named[1]!] = named[2]!;
    return word.startsWith("--env=") ? `--env=${named[1]}` : named[1]!;
  });
  // `container create` and `run` are spelled alike.
  const plain = withoutAnonymous(kept);
  const start = verb === "container" ? ["container", "create", ...plain.slice(1)] : ["create", ...plain];
  return { args: [...start, ...anonymousVolumes(record), ...rest], env };
}

/** Names that podman itself reads: given by the environment they would change what it does. */
function isOurs(name: string): boolean {
  return /^(PATH|HOME|LANG|TMPDIR|XDG_.*|CONTAINER.*|DOCKER_.*|LD_.*|STORAGE_.*|BUILDAH_.*|REGISTRY_.*)$/.test(name);
}

function renewed(word: string, ids: ReadonlyMap<string, string>): string {
  return word.replaceAll(/[0-9a-f]{64}/g, (id) => ids.get(id) ?? id);
}

function anonymousVolumes(record: JsonObject): readonly string[] {
  return list(record["Mounts"]).filter(isJsonObject).flatMap((it) => {
    const name = text(it["Name"]);
    return it["Type"] === "volume" && isAnonymousVolume(name)
      ? ["-v", `${name}:${text(it["Destination"])}${it["RW"] === false ? ":ro" : ""}`]
      : [];
  });
}

/** Without volumes that have no name: they are mounted again by what they are called anyway. */
export function withoutAnonymous(words: readonly string[]): readonly string[] {
  const isOne = (word: string | undefined) => word !== undefined && /^([0-9a-f]{64}:)?\/[^:]*(:ro)?$/.test(word);
  return words.filter((word, i) =>
    !(word === "-v" && isOne(words[i + 1])) && !(words[i - 1] === "-v" && isOne(word))
  );
}
