/** Writers that race on one repository, each with its own versions, and what must be true when they are done. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { BucketWorld, WorldRepository } from "../support/bucket_world.ts";
import type { CliServer } from "../support/cli_server.ts";
import type { Document } from "../support/repository.ts";

/** A change that a writer was told has happened. */
export interface Success {
  readonly writer: number;
  readonly operation: "publish" | "rollback" | "restore" | "channel_set";
  readonly version: string;
  readonly serialBefore: number;
  readonly serial: number;
  readonly channels: readonly { readonly channel: string; readonly to: string }[];
}

/** What a writer saw of the race. */
export interface WriterLog {
  readonly successes: Success[];
  /** Versions of its own that must be in the index, and out of it. */
  readonly active: Set<string>;
  readonly removed: Set<string>;
  /** Exit codes of what did not happen, and how often. */
  readonly refusals: Map<number, number>;
  /** What was said where only looking told. */
  readonly unknown: string[];
}

export interface WriterOptions {
  readonly number: number;
  /** By `performance.now()`. */
  readonly until: number;
  /** Goes on after that until so many changes have happened. @default 0 */
  readonly atLeast?: number;
  /** Flags of every command. */
  readonly flags: readonly string[];
  /** Exit codes that mean that the change has not happened. */
  readonly refusals: readonly number[];
  /** Exit codes after which only looking tells, when everything is recovered. */
  readonly unknown?: readonly number[];
  readonly random: () => number;
}

export const BASE = "v0";

/** Publishes, rolls back, restores and repoints until the time is over. */
export async function write(repository: WorldRepository, options: WriterOptions): Promise<WriterLog> {
  const writer = new Writer(repository, options);
  const { until, atLeast = 0 } = options;
  while (performance.now() < until || writer.log.successes.length < atLeast) await writer.step();
  return writer.log;
}

class Writer {
  readonly log: WriterLog = {
    successes: [],
    active: new Set(),
    removed: new Set(),
    refusals: new Map(),
    unknown: [],
  };
  readonly #repository: WorldRepository;
  readonly #options: WriterOptions;
  #published = 0;

  constructor(repository: WorldRepository, options: WriterOptions) {
    this.#repository = repository;
    this.#options = options;
  }

  async step(): Promise<void> {
    const { active, removed } = this.log;
    const [some, gone] = [this.#pick(active), this.#pick(removed)];
    const dice = this.#options.random();
    if (some === undefined || dice < 0.4) return await this.#publish();
    if (dice < 0.7) {
      return await this.#change("rollback", some, ["release", "rollback", some, "--reason", "race"]);
    }
    if (gone !== undefined && dice < 0.8) {
      return await this.#change("restore", gone, ["release", "restore", gone]);
    }
    const channel = dice < 0.9 ? "shared" : `own-${this.#options.number}`;
    await this.#change("channel_set", some, ["channel", "set", channel, some]);
  }

  async #publish(): Promise<void> {
    const version = `w${this.#options.number}-${++this.#published}`;
    const source = this.#repository.source(version);
    const channel = this.#options.random() < 0.3 ? ["--channel", "shared"] : [];
    await this.#change("publish", version, ["release", "publish", version, source, ...channel]);
    Deno.removeSync(source, { recursive: true });
  }

  async #change(operation: Success["operation"], version: string, words: readonly string[]): Promise<void> {
    const { flags, refusals, unknown = [] } = this.#options;
    const { code, stdout, stderr } = await this.#repository.cli(...words, ...flags, "--json");
    if (code === 0) return this.#note(operation, version, JSON.parse(stdout));
    this.log.refusals.set(code, (this.log.refusals.get(code) ?? 0) + 1);
    if (unknown.includes(code)) {
      this.log.unknown.push(`${operation} ${version}: ${code} ${JSON.parse(stdout).error?.message}`);
      return await this.#lookAgain(version);
    }
    if (code === 50) await sleep(300 * this.#options.random()); // or nobody who waits would ever be first
    const pointsThere = operation === "channel_set" && code === 46;
    assert.ok(
      pointsThere || refusals.includes(code),
      `${words.join(" ")} ended with ${code}: ${stdout}${stderr}`,
    );
  }

  #note(operation: Success["operation"], version: string, report: Document): void {
    this.log.successes.push({
      writer: this.#options.number,
      operation,
      version,
      serialBefore: report.serial_before,
      serial: report.serial_after,
      channels: report.channels_moved,
    });
    if (operation === "publish" || operation === "restore") this.#isNow(version, "active");
    if (operation === "rollback") this.#isNow(version, "removed");
  }

  #isNow(version: string, state: string): void {
    this.log.active.delete(version);
    this.log.removed.delete(version);
    if (state === "active") this.log.active.add(version);
    else if (state === "removed") this.log.removed.add(version);
    else assert.equal(state, "absent", `${version} is neither as before nor as after`);
  }

  /** The change may have happened, or may still: a recovery settles it. */
  async #lookAgain(version: string): Promise<void> {
    for (let tries = 1;; tries++) {
      const { code, stdout, stderr } = await this.#repository.cli("recover", "--lock-timeout", "60s");
      if (code === 0) break;
      assert.ok(
        tries < 20 && [44, 50, 52, 53].includes(code),
        `recover ended with ${code}: ${stdout}${stderr}`,
      );
    }
    this.#isNow(version, await this.#repository.state(version));
  }

  #pick(versions: ReadonlySet<string>): string | undefined {
    return [...versions][Math.floor(this.#options.random() * versions.size)];
  }
}

/** Starts the repository: a version that stays, named by every channel, so that no channel is ever without a place to go. */
export async function startRace(repository: WorldRepository, writers: number): Promise<number> {
  const own = Array.from({ length: writers }, (_, i) => ["--channel", `own-${i}`]).flat();
  const { serial_after } = await repository.publish(BASE, "--channel", "shared", ...own);
  return serial_after;
}

/** What must hold of index, history, audit, objects and backups, whatever happened. */
export async function assertConsistent(
  repository: WorldRepository,
  logs: readonly WriterLog[],
): Promise<readonly Success[]> {
  const successes = logs.flatMap((log) => log.successes).toSorted((a, b) => a.serial - b.serial);
  const serials = successes.map((it) => it.serial);
  assert.equal(new Set(serials).size, serials.length, "two successes have the same serial");
  const index = JSON.parse(await repository.read("index.json") ?? "");
  await assertVersions(repository, index, logs);
  await assertHistory(repository, successes);
  assert.deepEqual((await repository.json(0, "audit", "verify")).problems, []);
  await repository.json(0, "release", "verify");
  for (const verified of await repository.json(0, "backup", "verify", "--read-data")) {
    assert.deepEqual(verified.problems, []);
  }
  assert.equal((await repository.json(0, "status")).unfinished.length, 0);
  return successes;
}

/** The index names exactly the versions that the writers know of, and their objects are there with their bytes. */
async function assertVersions(
  { list, read }: WorldRepository,
  index: Document,
  logs: readonly WriterLog[],
): Promise<void> {
  const active = [BASE, ...logs.flatMap((log) => [...log.active])].toSorted();
  const removed = logs.flatMap((log) => [...log.removed]).toSorted();
  const versions = (entries: readonly { version: string }[]) => entries.map((it) => it.version).toSorted();
  assert.deepEqual(versions(index.releases), active, "the index has other releases than were published");
  assert.deepEqual(versions(index.rolled_back ?? []), removed, "the index has other tombstones");
  assert.equal(index.total_releases, active.length);
  const files = (version: string) =>
    ["README.md", "app.txt", "docs/index.html"].map((it) => `${version}/${it}`);
  const keys = await list();
  const outside = keys.filter((key) => !key.startsWith(".") && key !== "index.json");
  assert.deepEqual(outside, active.flatMap(files).toSorted(), "the objects are not those of the index");
  assert.deepEqual(keys.filter((key) => /^\.backout\/(operations|probe)/.test(key)), []);
  for (const version of active) assert.equal(await read(`${version}/app.txt`), `app ${version}\n`);
}

async function assertHistory(
  { json }: WorldRepository,
  successes: readonly Success[],
): Promise<void> {
  const all: readonly Document[] = await json(0, "history", "--limit", "100000");
  const done = new Map<number, Document>();
  for (const record of all) {
    if (record.exit_code !== 0 || record.dry_run || record.serial_after === record.serial_before) continue;
    assert.ok(!done.has(record.serial_after), `serial ${record.serial_after} is twice in the history`);
    done.set(record.serial_after, record);
  }
  for (const { serial, version, operation } of successes) {
    const record = done.get(serial);
    const others = all.filter((it) => it.versions.includes(version));
    assert.ok(
      record !== undefined,
      `${operation} ${version} (serial ${serial}) is not in the history, but ${JSON.stringify(others)}`,
    );
    assert.deepEqual(record.versions, [version], `serial ${serial}`);
  }
}

/** Where the changes put each channel, in their order. */
export function channelsAfter(successes: readonly Success[], writers: number): Record<string, string> {
  const names = ["shared", ...Array.from({ length: writers }, (_, i) => `own-${i}`)];
  const channels = Object.fromEntries(names.map((name) => [name, BASE]));
  for (const { channels: moved } of successes) {
    for (const { channel, to } of moved) channels[channel] = to;
  }
  return channels;
}

/** A repository of the same place whose commands run in another process. */
export function throughProcess(
  world: BucketWorld,
  { prefix }: WorldRepository,
  cwd: string,
  server: CliServer,
): WorldRepository {
  Deno.mkdirSync(cwd, { recursive: true });
  return world.repository(cwd, { prefix, run: server.run });
}

/** Numbers from 0 to 1 that a seed repeats (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}
