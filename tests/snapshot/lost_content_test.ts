/** What an earlier snapshot refers to and the store has lost is stored again by the next snapshot, which is whole. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { createSnapshot, restoreSnapshot, type WorkspaceOptions } from "#/snapshot/mod.ts";
import { repairStoreIndex, verifySnapshot } from "#/snapshot/store_operations.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";
import { CRASH_WORLDS } from "./crash_worlds.ts";
import { taken } from "./world.ts";

const world = CRASH_WORLDS.real!;
/** What was changed in the last two seconds is read again in any case. */
const SETTLE_MS = 3100;

/** Two snapshots that share the first one's packs, and the names of those. */
async function begin(
  folder: string,
): Promise<{ readonly options: WorkspaceOptions; readonly packs: readonly string[] }> {
  world.setUp(folder);
  const options = world.open(folder);
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  await taken(options);
  const packs = packsOf(folder);
  Deno.writeTextFileSync(join(folder, "files/later"), "came later");
  Deno.writeTextFileSync(join(folder, "repo/a.txt"), "a v1, edited");
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  await taken(options);
  return { options, packs };
}

function packsOf(folder: string): readonly string[] {
  return [...Deno.readDirSync(join(folder, "store/packs"))].map(({ name }) =>
    join(folder, "store/packs", name)
  );
}

async function assertWhole(options: WorkspaceOptions, folder: string, what: string): Promise<void> {
  const report = await createSnapshot(options);
  assert.equal(report.exit_code, 0, `${what}: ${report.summary}`);
  const check = await verifySnapshot({ ...options, snapshot: report.version, readData: true });
  assert.deepEqual([check.hit, check.ok], [[], true], what);
  const to = join(folder, "elsewhere");
  const restored = await restoreSnapshot({ ...options, snapshot: report.version, to });
  assert.equal(restored.exit_code, 0, `${what}: ${restored.summary}`);
  assert.equal(Deno.readTextFileSync(join(to, "files", folder.slice(1), "files/f0")), "file 0");
}

interface Loss {
  readonly what: string;
  /** @param packs of the first snapshot */
  readonly lose: (folder: string, packs: readonly string[], options: WorkspaceOptions) => unknown;
  /** The last snapshot found everything as it was, and need not read its lists the next time. */
  readonly proven?: true;
}

const losePacks: Loss["lose"] = (_folder, packs) => packs.forEach((path) => Deno.removeSync(path));
const loseAndRepair: Loss["lose"] = async (folder, packs, options) => {
  losePacks(folder, packs, options);
  await repairStoreIndex(options);
};

const LOSSES: readonly Loss[] = [
  { what: "packs, which the index still names", lose: losePacks },
  { what: "packs, which the index still names, of an unchanged snapshot", lose: losePacks, proven: true },
  { what: "packs, which were taken out of the index", lose: loseAndRepair },
  {
    what: "packs, which were taken out of the index, of an unchanged snapshot",
    lose: loseAndRepair,
    proven: true,
  },
  {
    what: "the packs of the last snapshot, with its lists of files",
    lose: (folder, packs) =>
      packsOf(folder).filter((path) => !packs.includes(path)).forEach((path) => Deno.removeSync(path)),
  },
  {
    what: "all indexes",
    lose: (folder) => {
      const index = join(folder, "store/index");
      for (const { name } of [...Deno.readDirSync(index)]) Deno.removeSync(join(index, name));
    },
  },
];

testRequiring(
  ["posix", "git"],
  "whatever an earlier snapshot has lost, the next one is whole",
  async () => {
    await Promise.all(LOSSES.map(({ what, lose, proven }) =>
      withTempDir(async (folder) => {
        const { options, packs } = await begin(folder);
        if (proven) await taken(options);
        await lose(folder, packs, options);
        await assertWhole(options, folder, what);
      })
    ));
  },
);

testRequiring(
  ["posix", "git"],
  "what is there and does not open is not relied upon unseen",
  () =>
    withTempDir(async (folder) => {
      const { options, packs } = await begin(folder);
      const last = packsOf(folder).filter((path) => !packs.includes(path));
      for (const path of last) {
        const bytes = Deno.readFileSync(path);
        bytes[bytes.length >> 2]! ^= 1;
        Deno.writeFileSync(path, bytes);
      }
      const report = await createSnapshot(options);
      assert.equal(report.exit_code, 54, report.summary);
      assert.match(report.error?.hint ?? "", /Move the damaged pack out of the store/);
      last.forEach((path) => Deno.removeSync(path));
      await assertWhole(options, folder, "after that");
    }),
);
