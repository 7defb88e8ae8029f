/** From a version or a commit to the commit in a component's repository; what is missing there is fetched. */
import { join } from "node:path";
import { RollbackVersionNotFoundError, UsageError } from "#/core/errors.ts";
import { nearest } from "#/core/nearest.ts";
import * as posix from "#/core/posix.ts";
import { quoteShort } from "#/core/safe_path.ts";
import { gitBatch } from "#/target/components/git_batch.ts";
import { gitEnvironment } from "#/target/components/git_child.ts";
import { COMMIT, openCheckout } from "#/target/components/checkout.ts";
import { lookAtTag } from "#/target/components/tags.ts";
import { programText } from "#/target/run_program.ts";
import {
  clone,
  dryObjects,
  fetchObjects,
  type GitContext,
  objectEnvironment,
  type ObjectPlace,
  type Remote,
  remoteOf,
} from "./remote.ts";
import { newestFirst, tagNames, versionNameProblem } from "./versions.ts";

const MOST_NAMED = 8;

/** What a component is to be brought to. */
export interface Wanted {
  readonly name: string;
  readonly version?: string | undefined;
  /** Full, or a unique beginning; with a version it is what counts, and the version is compared. */
  readonly commit?: string | undefined;
  /** Where it is cloned and fetched from. */
  readonly repo: string | undefined;
}

export interface Resolved {
  readonly name: string;
  readonly commit: string;
  /** The tag of the version that was asked for, or one that comes to the commit; undefined where there is none. */
  readonly tag: string | undefined;
  /** A tag that is to be made, since only the repository that was fetched from has it: what its ref comes to. */
  readonly newTag: { readonly ref: string; readonly oid: string } | undefined;
  /** Where the version's tag is now, if that is elsewhere than the commit. */
  readonly moved: { readonly tag: string; readonly commit: string } | undefined;
  /** A clone that waits to be put in its place. */
  readonly clone: string | undefined;
}

export interface ResolveContext extends GitContext {
  readonly root: string;
  readonly offline: boolean;
  readonly dryRun: boolean;
  /** A folder of the operation's own, asked for only where something is to be put there. */
  readonly scratch: () => string;
  /** What `askAll` found out before. */
  readonly answers?: Answers;
}

/** What git says of the names that were asked for, by component. */
export type Answers = ReadonlyMap<string, string>;

/** In `components/`: `$1` the checkout, then up to three names. */
const ASK = `  git -C "$1" cat-file --batch-check 2>/dev/null <<END
$2^{commit}
$3^{commit}
$4^{commit}
END`;

/** Looks many up, with a few processes. Those without a checkout are left out. */
export async function askAll(wanted: readonly Wanted[], context: ResolveContext): Promise<Answers> {
  wanted.forEach(assertWanted);
  const there = wanted.filter(({ name }) => openCheckout(context.root, name) !== undefined);
  if (there.length < 2) return new Map();
  const answers = new Map<string, string>();
  for (const one of there) {
    const answer = answerFromFiles(one, context.root);
    if (answer !== undefined) answers.set(one.name, answer);
  }
  const asked = there.filter(({ name }) => !answers.has(name));
  if (asked.length === 0) return answers;
  const results = await gitBatch({
    script: ASK,
    jobs: asked.map((one) => [one.name, ...namesOf(one), "-", "-", "-"].slice(0, 4)),
    cwd: join(context.root, "components"),
    doing: "look commits up",
    context,
  });
  for (const [i, { name }] of asked.entries()) answers.set(name, results[i]!.output.toString());
  return answers;
}

/** What git would say where a tag of the version is known to be at the wanted commit; undefined where git must be asked. */
function answerFromFiles(wanted: Wanted, root: string): string | undefined {
  const { commit, name } = wanted;
  if (commit === undefined || !COMMIT.test(commit)) return undefined;
  const checkout = openCheckout(root, name)!;
  const refs = namesOf(wanted).slice(0, -1);
  const places = refs.map((ref) => lookAtTag(checkout, ref, commit));
  const at = places.findIndex((place) => place !== "missing");
  if (places[at] !== "at") return undefined;
  const found = `${commit} commit 0\n`;
  return `${refs.map((ref, i) => (i === at ? found : `${ref} missing\n`)).join("")}${found}`;
}

/** Tags that the version may have, then the commit. */
function namesOf({ version, commit }: Wanted): readonly string[] {
  const tags = version === undefined || versionNameProblem(version) !== undefined ? [] : tagNames(version);
  return [...tags.map((tag) => `refs/tags/${tag}`), ...(commit === undefined ? [] : [commit])];
}

/**
 * @throws {RollbackVersionNotFoundError} 40: no such tag, commit or repository; near ones are named
 * @throws {UsageError} 2: what was given is neither
 */
export async function resolveWanted(wanted: Wanted, context: ResolveContext): Promise<Resolved> {
  assertWanted(wanted);
  const remote = remoteOf(wanted.name, wanted.repo, context);
  const place = await openPlace(wanted, remote, context);
  let found = await lookUp(wanted, place, context);
  if (found.commit === undefined && remote !== undefined && place.cloned === undefined) {
    const objects = context.dryRun ? dryObjects(context.scratch(), wanted.name, place.commonDir) : undefined;
    const asked = wanted.commit === undefined
      ? { tags: tagNames(wanted.version!) }
      : { commit: wanted.commit };
    const { tag, tags } = await fetchObjects(remote, place.folder, asked, objects, context);
    const richer = { ...place, ...(objects === undefined ? {} : { objects }) };
    if (tag !== undefined) {
      const commit = (await batch([`${tag.oid}^{commit}`], richer, context))[0];
      const newTag = { ref: `refs/tags/${tag.name}`, oid: tag.oid };
      if (commit !== undefined) return result(wanted, { commit, tag: tag.name, newTag }, place);
    }
    const { answers: _old, ...anew } = context;
    found = await lookUp(wanted, richer, anew);
    if (found.commit === undefined) throw await notFound(wanted, place, context, tags);
  }
  if (found.commit === undefined) throw await notFound(wanted, place, context, []);
  return result(wanted, { ...found, commit: found.commit }, place);
}

function result(
  { name }: Wanted,
  found: Partial<Found> & { readonly commit: string; readonly newTag?: Resolved["newTag"] },
  place: Place,
): Resolved {
  const { commit, tag, moved, newTag } = found;
  return { name, commit, tag, moved, newTag, clone: place.cloned };
}

function assertWanted({ name, version, commit }: Wanted): void {
  if (commit !== undefined && !/^[0-9a-f]{4,64}$/i.test(commit)) {
    throw new UsageError(
      `Cannot use ${quoteShort(commit)} as a commit of ${name}: it is not 4 to 64 hex digits`,
      {
        hint: "Give a commit id, or a unique beginning of one; a tag goes with --to-version.",
      },
    );
  }
  const problem = version === undefined ? undefined : versionNameProblem(version);
  if (problem === undefined || commit !== undefined) return;
  throw new UsageError(`Cannot use ${quoteShort(version!)} as a version of ${name}: ${problem}`, {
    hint: "Give a tag as `backout component targets` shows it, for example v1.0.0.",
  });
}

interface Place {
  /** Where git runs. */
  readonly folder: string;
  readonly commonDir: string;
  readonly cloned?: string;
  readonly objects?: ObjectPlace;
}

async function openPlace(
  { name, repo }: Wanted,
  remote: Remote | undefined,
  context: ResolveContext,
): Promise<Place> {
  const checkout = openCheckout(context.root, name);
  if (checkout !== undefined) return { folder: checkout.folder, commonDir: checkout.commonDir };
  if (remote === undefined) {
    throw new RollbackVersionNotFoundError(`${name} is not checked out`, {
      hint: repo === undefined
        ? "Name its `repo` in the manifest, and it is cloned from there."
        : "It would be cloned, but --offline forbids the network.",
      context: { component: name },
    });
  }
  const folder = join(context.scratch(), `clone-${name}`);
  if (posix.lstat(folder) === undefined) await clone(remote, folder, context);
  return { folder, commonDir: join(folder, ".git"), cloned: folder };
}

interface Found {
  readonly commit: string | undefined;
  readonly tag: string | undefined;
  readonly moved: Resolved["moved"];
}

async function lookUp(
  wanted: Wanted,
  place: Place,
  context: GitContext & { readonly answers?: Answers },
): Promise<Found> {
  const { commit } = wanted;
  const asked = namesOf(wanted);
  const names = asked.slice(0, commit === undefined ? asked.length : -1).map((name) =>
    name.slice("refs/tags/".length)
  );
  const answer = place.cloned === undefined && place.objects === undefined
    ? context.answers?.get(wanted.name)
    : undefined;
  const answers = answer === undefined
    ? await batch(asked.map((name) => `${name}^{commit}`), place, context)
    : commitsIn(asked, answer);
  const at = names.findIndex((_, i) => answers[i] !== undefined);
  const tag = names[at];
  const tagged = answers[at];
  if (commit === undefined) return { commit: tagged, tag, moved: undefined };
  const own = answers[names.length];
  const moved = own !== undefined && tag !== undefined && tagged !== undefined && tagged !== own
    ? { tag, commit: tagged }
    : undefined;
  return { commit: own, tag: moved === undefined && own !== undefined ? tag : undefined, moved };
}

/**
 * The commits that names come to, all by one process.
 * @throws {UsageError} a beginning of a commit is that of several
 */
async function batch(
  names: readonly string[],
  place: Place,
  context: GitContext,
): Promise<readonly (string | undefined)[]> {
  if (names.length === 0) return [];
  const text = await programText({
    program: "git",
    args: ["cat-file", "--batch-check"],
    package: "git",
    cwd: place.folder,
    context,
    env: { ...gitEnvironment(), ...objectEnvironment(place.objects) },
    stdin: new TextEncoder().encode(names.map((name) => `${name}\n`).join("")),
    doing: `look up commits in ${place.folder}`,
  });
  return commitsIn(names, text);
}

/** @throws {UsageError} a beginning of a commit is that of several */
function commitsIn(names: readonly string[], text: string): readonly (string | undefined)[] {
  const lines = text.split("\n");
  return names.map((name, i) => {
    const line = lines[i] ?? "";
    if (line.endsWith(" ambiguous")) {
      throw new UsageError(
        `${quoteShort(name.replace("^{commit}", ""))} is the beginning of several commits`,
        {
          hint: "Give more of it.",
        },
      );
    }
    return /^([0-9a-f]{40,64}) commit \d+$/.exec(line)?.[1];
  });
}

/** Tags of a checkout, newest version first. */
export async function localTags(folder: string, context: GitContext): Promise<readonly string[]> {
  const text = await programText({
    program: "git",
    args: ["for-each-ref", "--format=%(refname:strip=2)", "refs/tags"],
    package: "git",
    cwd: folder,
    context,
    env: gitEnvironment(),
    doing: `list the tags in ${folder}`,
  });
  return newestFirst(text.split("\n").filter((it) => it !== ""));
}

async function notFound(
  { name, version, commit, repo }: Wanted,
  place: Place,
  context: ResolveContext,
  remoteTags: readonly string[],
): Promise<RollbackVersionNotFoundError> {
  const tags = newestFirst([...new Set([...await localTags(place.folder, context), ...remoteTags])]);
  const asked = commit ?? version!;
  const near = commit === undefined ? nearest(asked, tags) : undefined;
  const listed = `${tags.slice(0, MOST_NAMED).join(", ")}${tags.length > MOST_NAMED ? ", …" : ""}`;
  const where = repo === undefined
    ? "; no repository is known to fetch it from"
    : remoteOf(name, repo, context) === undefined
    ? ", and --offline forbids the network"
    : ", and neither has its repository";
  const what = commit === undefined ? `version ${asked}` : `commit ${asked}`;
  return new RollbackVersionNotFoundError(`${name} has no ${what}${where}`, {
    hint: tags.length === 0
      ? "It has no tags at all; give a commit with --to-commit."
      : `${near === undefined ? "" : `Did you mean ${near}? `}It has ${listed}.`,
    context: {
      component: name,
      ...(commit === undefined ? { version: asked } : { commit }),
      near: near ?? null,
    },
  });
}
