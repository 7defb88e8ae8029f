/** From the command that made a container of podman to the one that makes it again. */
import { isJsonObject, type JsonObject } from "#/core/json.ts";
import { isAnonymousVolume, list, part, text } from "./engine_parse.ts";

/** Set by podman itself, for each container anew. */
const NOT_GIVEN = /^(HOSTNAME|container|TERM)$/;
/** Names that podman reads: in its own environment they would change what it does. */
const PODMANS = new RegExp(
  "^(PATH|HOME|LANG|TMPDIR|XDG_.*|LD_.*|CONTAINER_(HOST|CONNECTION|SSHKEY|PROXY)|CONTAINERS_.*|REGISTRIES_.*|" +
    "DOCKER_(HOST|CONFIG|CONTEXT)|STORAGE_(DRIVER|OPTS)|BUILDAH_(FORMAT|ISOLATION|LAYERS)|REGISTRY_AUTH_FILE)$",
);

/**
 * `podman run -d …` becomes `podman create …`. Variables are those that the container had, wherever they came from;
 * their values go by the environment, since command lines are seen by everybody.
 * @param ids of containers that were made anew
 */
export function podmanCreate(
  record: JsonObject,
  ids: ReadonlyMap<string, string>,
): { readonly args: readonly string[]; readonly env: Readonly<Record<string, string>> } {
  const words = wordsOf(record);
  const image = imageAt(words, record);
  const options = plainOptions(words.slice(0, image));
  const rest = words.slice(image);
  const variables = variablesOf(record);
  const shown = variables.map(([name, value]) => PODMANS.test(name) ? `${name}=${value}` : name);
  const args = [
    "create",
    ...options,
    ...shown.flatMap((it) => ["-e", it]),
    ...anonymousVolumes(record),
    ...rest,
  ];
  return {
    args: args.map((word) => word.replaceAll(/\b[0-9a-f]{64}\b/g, (id) => ids.get(id) ?? id)),
    env: Object.fromEntries(variables.filter(([name]) => !PODMANS.test(name))),
  };
}

/** What tells two such commands apart, besides the image and the variables. */
export function podmanSpec(record: JsonObject): readonly string[] {
  const words = wordsOf(record);
  const image = imageAt(words, record);
  return [...plainOptions(words.slice(0, image)), ...words.slice(image + 1)];
}

/** What follows `podman run`, `podman container create`, or the like. */
function wordsOf(record: JsonObject): readonly string[] {
  const words = list(part(record, "Config")["CreateCommand"]).map(text);
  return words.slice(words.findIndex((it) => it === "run" || it === "create") + 1);
}

/** Where the image stands: before the command, if one was given, or last. A name may be the same as an image's. */
function imageAt(words: readonly string[], record: JsonObject): number {
  const name = text(record["ImageName"]);
  const isImage = (word: string | undefined) =>
    word !== undefined && [word, `${word}:latest`].some((it) => name === it || name.endsWith(`/${it}`));
  const command = list(part(record, "Config")["Cmd"]).map(text);
  const before = words.length - command.length - 1;
  if (before >= 0 && isImage(words[before]) && command.every((it, i) => words[before + 1 + i] === it)) {
    return before;
  }
  if (isImage(words.at(-1))) return words.length - 1;
  const first = words.findIndex(isImage);
  return first < 0 ? words.length : first;
}

export function variablesOf(record: JsonObject): readonly (readonly [string, string])[] {
  return list(part(record, "Config")["Env"]).map(text).flatMap((it): [string, string][] => {
    const at = it.indexOf("=");
    return at <= 0 || NOT_GIVEN.test(it.slice(0, at)) ? [] : [[it.slice(0, at), it.slice(at + 1)]];
  }).sort(([a], [b]) => a < b ? -1 : 1);
}

/** Without variables, without volumes that have no name (both are given anew), and not running at once. */
function plainOptions(words: readonly string[]): readonly string[] {
  const withValue = (word: string | undefined, value: string | undefined) =>
    word === "-e" || word === "--env" || word === "--env-file" || word === "-v" && isNameless(value);
  return words.filter((word, i) =>
    !/^(-d|--detach)$|^--env(-file)?=/.test(word) && !withValue(word, words[i + 1]) &&
    !withValue(words[i - 1], word)
  );
}

/** `/data`, or `<64 hex digits>:/data`. */
function isNameless(value: string | undefined): boolean {
  return value !== undefined && /^([0-9a-f]{64}:)?\/[^:]*(:ro)?$/.test(value);
}

function anonymousVolumes(record: JsonObject): readonly string[] {
  return list(record["Mounts"]).filter(isJsonObject).flatMap((it) => {
    const name = text(it["Name"]);
    return it["Type"] === "volume" && isAnonymousVolume(name)
      ? ["-v", `${name}:${text(it["Destination"])}${it["RW"] === false ? ":ro" : ""}`]
      : [];
  });
}
