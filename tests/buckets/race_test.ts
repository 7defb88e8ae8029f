/**
 * Processes that change one repository at the same time lose nothing. `BACKOUT_RACE_SECONDS` says how long each race is
 * (8 by default); `BACKOUT_RACE_SEED` repeats the choices of the writers, though not their order.
 */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { BUCKET_WORLDS, type BucketWorld } from "../support/bucket_world.ts";
import { startCliServer } from "../support/cli_server.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";
import {
  assertConsistent,
  channelsAfter,
  seeded,
  startRace,
  throughProcess,
  write,
  type WriterLog,
  type WriterOptions,
} from "./race_support.ts";

const SECONDS = Number(Deno.env.get("BACKOUT_RACE_SECONDS") ?? "8");
const SEED = Number(Deno.env.get("BACKOUT_RACE_SEED") ?? String(Date.now() % 1_000_000));
const WRITERS = 8;
const WAIT = ["--lock-timeout", "10m"] as const;

for (const kind of BUCKET_WORLDS) {
  testRequiring(kind.needs, `eight processes race on ${kind.name}`, async () => {
    await using world = await kind.start();
    await withTempDir((cwd) => raceUnderTheLock(world, cwd));
  });

  testRequiring(kind.needs, `two processes race on ${kind.name} while their lock is broken`, async () => {
    await using world = await kind.start();
    await withTempDir((cwd) => raceWithoutTheLock(world, cwd));
  });
}

async function raceUnderTheLock(world: BucketWorld, cwd: string): Promise<void> {
  const repository = world.repository(cwd);
  const first = await startRace(repository, WRITERS);
  const logs = await race(world, repository, cwd, WRITERS, (number, random) => ({
    number,
    random,
    until: performance.now() + SECONDS * 1000,
    // One of them does not wait for the lock: its refusals are written into the same audit log.
    ...(number === 0 ? { flags: [], refusals: [50] } : { flags: WAIT, refusals: [], atLeast: 2 }),
  }));
  const successes = await assertConsistent(repository, logs);
  for (const [i, { serialBefore, serial }] of successes.entries()) {
    assert.equal(
      serialBefore,
      successes[i - 1]?.serial ?? first,
      `a change before serial ${serial} was lost`,
    );
  }
  const { serial, channels } = JSON.parse(await repository.read("index.json") ?? "");
  assert.equal(serial, successes.at(-1)!.serial);
  const named = Object.entries<{ version: string }>(channels).map(([name, it]) => [name, it.version]);
  assert.deepEqual(Object.fromEntries(named), channelsAfter(successes, WRITERS));
}

/** Whoever loses the lock in the middle loses at most its own change, and says so. */
async function raceWithoutTheLock(world: BucketWorld, cwd: string): Promise<void> {
  // What a broken holder sent is waited for as long as its lease is.
  Deno.writeTextFileSync(`${cwd}/backout.yaml`, "version: 1\nstorage: {lease: 1s}\n");
  const repository = world.repository(cwd);
  await startRace(repository, 2);
  const until = performance.now() + SECONDS * 1000;
  const breaking = breakLocks(world, repository.location, { cwd, until });
  const logs = await race(world, repository, cwd, 2, (number, random) => ({
    number,
    random,
    until,
    flags: WAIT,
    refusals: [],
    atLeast: 1,
    // 46: the other one's recovery settled an earlier change that this one got no answer to.
    unknown: [43, 44, 45, 46, 49, 50, 52, 53],
  }));
  const broken = await breaking;
  await repository.json(0, "recover", "--lock-timeout", "1m");
  await assertConsistent(repository, logs);
  assert.ok(broken > 0, "no lock was broken");
}

async function race(
  world: BucketWorld,
  repository: ReturnType<BucketWorld["repository"]>,
  cwd: string,
  writers: number,
  optionsOf: (number: number, random: () => number) => WriterOptions,
): Promise<readonly WriterLog[]> {
  await using processes = new AsyncDisposableStack();
  const numbers = Array.from({ length: writers }, (_, number) => number);
  const servers = numbers.map(() => processes.use(startCliServer(world.env)));
  console.log(`seed ${SEED}`);
  // All are waited for, also when one fails: the others' commands are still running then.
  const ended = await Promise.allSettled(numbers.map(async (number) => {
    const own = throughProcess(world, repository, `${cwd}/writer-${number}`, servers[number]!);
    return await write(own, optionsOf(number, seeded(SEED * 100 + number)));
  }));
  const logs = ended.map((it) => {
    if (it.status === "rejected") throw it.reason;
    return it.value;
  });
  console.log(describe(logs));
  return logs;
}

/** Breaks the lock again and again. @returns how often somebody held it */
async function breakLocks(
  world: BucketWorld,
  location: string,
  { cwd, until }: { readonly cwd: string; readonly until: number },
): Promise<number> {
  await using server = startCliServer(world.env);
  let broken = 0;
  while (performance.now() < until) {
    // Several at once, and then long enough for somebody to wait out what was broken.
    await sleep(Math.random() < 0.7 ? 150 * Math.random() : 2000);
    const words = ["unlock", "--force", "--yes", "--json", "-r", location];
    const { code, stdout, stderr } = await server.run(words, { cwd });
    assert.ok(code === 0 || code === 50, `unlock ended with ${code}: ${stderr}`);
    if (code === 0 && JSON.parse(stdout).holder !== null) broken++;
  }
  return broken;
}

function describe(logs: readonly WriterLog[]): string {
  return logs.flatMap(({ successes, active, removed, refusals, unknown }, i) => {
    const refused = [...refusals].map(([code, times]) => `${times}×${code}`).join(" ");
    const counts = `${successes.length} changes, ${active.size} active, ${removed.size} removed`;
    return [`writer ${i}: ${counts}, refused ${refused}`, ...unknown.map((it) => `  ${it}`)];
  }).join("\n");
}
