/**
 * SIGKILL at the points of a rollback of three components, and of a changeset with its pushes: after recovery all is as
 * before, or as after, every time. Here a sample; with `BACKOUT_SWEEP=full` every fourth point, and points of the recovery.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { testRequiring } from "../support/require.ts";
import { spread, SWEEP_LEVEL } from "../support/sweep_level.ts";
import { tempDir } from "../support/temp.ts";
import { gitIn, lookAtMeta, makeChangeset, makeMeta, metaWorld } from "./meta_support.ts";

const full = SWEEP_LEVEL === "full";
const SAMPLE = 9;
/** Programs run side by side, so a run may have a few points less than the one that was counted. */
const RACY_POINTS = 4;
const FULL_STRIDE = 4;
/** In a full sweep every so-manieth kill gets others in its recovery. */
const PAIRS_EVERY = 9;

interface Case {
  readonly name: string;
  readonly setUp?: (folder: string) => void;
  readonly words: readonly string[];
}

const CASES: readonly Case[] = [
  {
    name: "a rollback of three components",
    setUp: (folder) => {
      // A person's own files, of which git knows nothing, must be there afterwards.
      Deno.writeTextFileSync(`${folder}/meta/components/api/notes.ignored`, "mine\n");
    },
    words: ["component", "rollback", "--lock", "manifests/components.lock.prod.previous.yaml", "--yes"],
  },
  {
    name: "a rollback of a changeset, with its pushes",
    setUp: (folder) => makeChangeset(folder),
    words: ["changeset", "rollback", "abc12345", "--push", "--yes"],
  },
];

for (const { name, setUp, words } of CASES) {
  testRequiring(["posix", "git"], `crash sweep of ${name}: before or after, every time`, async () => {
    await using temp = tempDir("backout-components-sweep-");
    const here = `${temp.path}/here`;
    Deno.mkdirSync(here);
    makeMeta(here);
    setUp?.(here);
    copy(here, `${temp.path}/template`);
    const before = look(here);
    const { points } = child(here, 0, words);
    const after = look(here);
    assert.notDeepEqual(after, before);
    const counts = { before: 0, after: 0, pairs: 0 };
    const chosen = choose(points.length, SAMPLE);
    for (const [turn, at] of chosen.entries()) {
      copy(`${temp.path}/template`, here);
      const where = `killed at ${at} of ${points.length} (${points[at - 1]})`;
      if (!child(here, at, words).killed) continue; // programs run side by side: a run may have a point less
      if (full && turn % PAIRS_EVERY === 1) {
        copy(here, `${temp.path}/crashed`);
        const second = child(here, 0, ["recover"]).points;
        for (const next of choose(second.length, 5)) {
          copy(`${temp.path}/crashed`, here);
          if (!child(here, next, ["recover"]).killed) continue;
          await recovered(here, before, after, `${where}, its recovery at ${next} (${second[next - 1]})`);
          counts.pairs += 1;
        }
        copy(`${temp.path}/crashed`, here);
      }
      counts[await recovered(here, before, after, where)] += 1;
    }
    assert.ok(counts.before > 0 && counts.after > 0, JSON.stringify(counts));
    console.log(`${name}: ${points.length} points, ${JSON.stringify(counts)}`);
  });
}

async function recovered(
  folder: string,
  before: unknown,
  after: unknown,
  where: string,
): Promise<"before" | "after"> {
  const done = await metaWorld(folder).run(["recover"]);
  assert.equal(done.code, 0, `${where}: ${done.stderr}${done.stdout}`);
  const left = [...list(`${folder}/meta/.backout/target-operations`)];
  assert.deepEqual(left, [], `${where}: a journal is left`);
  const found = look(folder);
  if (JSON.stringify(found) === JSON.stringify(before)) return "before";
  assert.deepEqual(found, after, `${where}: neither before nor after`);
  return "after";
}

/** New commits of a changeset have another id each time, as they hold the time: what they hold is compared. */
function look(folder: string): unknown {
  const seen = lookAtMeta(folder) as Record<string, unknown>;
  const ids = new Map<string, string>();
  for (const name of ["lib", "api", "web"]) {
    for (const place of [`${folder}/meta/components/${name}`, `${folder}/remotes/${name}.git`]) {
      const lines = gitIn(place, "log", "--all", "--format=%H %T %s").split("\n");
      for (const line of lines) ids.set(line.slice(0, 40), line.slice(41));
    }
  }
  const notes = `${folder}/meta/components/api/notes.ignored`;
  const text = JSON.stringify({
    ...seen,
    notes: list(notes.slice(0, notes.lastIndexOf("/"))).includes("notes.ignored"),
  });
  return JSON.parse(text.replaceAll(/\b[0-9a-f]{40}\b/g, (id) => ids.get(id)?.replaceAll('"', "'") ?? id));
}

function list(folder: string): readonly string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function choose(count: number, sample: number): readonly number[] {
  const all = Array.from({ length: count }, (_, i) => i + 1);
  if (full && sample === SAMPLE) return all.filter((point) => point % FULL_STRIDE === 1);
  if (count <= sample) return all;
  return spread(count - RACY_POINTS, sample);
}

function child(
  folder: string,
  killAt: number,
  words: readonly string[],
): { readonly killed: boolean; readonly points: readonly string[] } {
  const main = fileURLToPath(new URL("./crash_child.ts", import.meta.url));
  const { code, signal, stdout, stderr } = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--no-prompt", main, folder, `${killAt}`, ...words],
    stdin: "null",
  }).outputSync();
  const killed = signal === "SIGKILL";
  assert.ok(killed || code === 0, new TextDecoder().decode(stderr));
  return { killed, points: new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "") };
}

function copy(from: string, to: string): void {
  if (list(to.slice(0, to.lastIndexOf("/"))).includes(to.slice(to.lastIndexOf("/") + 1))) {
    Deno.removeSync(to, { recursive: true });
  }
  assert.ok(new Deno.Command("cp", { args: ["-a", from, to] }).outputSync().success);
}
