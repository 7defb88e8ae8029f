/** A store that machines share, on real object storage: sent, fetched, away and back, and never trusted. */
import assert from "node:assert/strict";
import { BUCKET_WORLDS, type BucketWorld } from "../support/bucket_world.ts";
import type { CliOptions, CliResult } from "../support/cli.ts";
import { testRequiring } from "../support/require.ts";
import { tempDir } from "../support/temp.ts";
import { readTree } from "../support/tree.ts";
import { makeTree, runAway, type Tree } from "./entries_support.ts";

const TREE: Tree = {
  "bin/run": "#!/bin/sh\n",
  "large": new Uint8Array(9 << 20).map((_, i) => (i * 2654435761) >>> 11),
  "link": "->bin/run",
  "small": "text ".repeat(5000),
};

/** Two machines, each with a folder of its own, and a remote store below a new prefix. */
interface Machines extends AsyncDisposable {
  readonly world: BucketWorld;
  readonly remote: string;
  readonly prefix: string;
  readonly one: string;
  readonly two: string;
  readonly run: (folder: string, ...args: readonly string[]) => Promise<CliResult>;
  // deno-lint-ignore no-explicit-any -- documents of many shapes, whose fields the tests look at
  readonly json: (folder: string, ...args: readonly string[]) => Promise<any>;
}

function machinesIn(world: BucketWorld): Machines {
  const temp = tempDir("backout-remote-");
  const prefix = `shared/${crypto.randomUUID()}`;
  const remote = `${world.scheme}://${world.buckets.plain}/${prefix}`;
  const [one, two] = [`${temp.path}/one`, `${temp.path}/two`];
  for (const folder of [one, two]) makeTree(`${folder}/source`, TREE);
  const options = (cwd: string): CliOptions => ({
    cwd,
    env: { PATH: Deno.env.get("PATH")!, HOME: temp.path },
  });
  const run: Machines["run"] = (cwd, ...args) => world.cli.run(args, options(cwd));
  return {
    ...{ world, remote, prefix, one, two, run },
    json: async (cwd, ...args) => {
      const { code, stdout, stderr } = await run(cwd, ...args, "--json");
      assert.equal(code, 0, `${args.join(" ")}: ${stderr}${stdout}`);
      return JSON.parse(stdout);
    },
    [Symbol.asyncDispose]: () => temp[Symbol.asyncDispose](),
  };
}

for (const kind of BUCKET_WORLDS) {
  testRequiring([...kind.needs, "posix"], `entries and builds are shared through ${kind.name}`, async (t) => {
    await using world = await kind.start();
    await t.step("what one machine adds another gets", () => shared(machinesIn(world)));
    await t.step("builds are not run where another machine did", () => builds(machinesIn(world)));
    await t.step(
      "a remote store that is away is told once, and sent to later",
      () => away(machinesIn(world)),
    );
    await t.step("what was changed there is never used", () => poisoned(machinesIn(world)));
    await t.step("what was lost there is sent again by who adds it", () => lostThere(machinesIn(world)));
    await t.step("a collection there keeps what is needed", () => collected(machinesIn(world)));
  });
}

async function shared(machines: Machines): Promise<void> {
  await using _ = machines;
  const { one, two, json, run, remote } = machines;
  const added = await json(one, "store", "add", "api", "--source", "source", "--remote", remote);
  const { hash } = added.entry;
  assert.deepEqual([added.remote, added.entry.pending], ["sent", []]);
  assert.equal(
    (await json(one, "store", "add", "api", "--source", "source", "--remote", remote)).remote,
    "already there",
  );
  const listed = await json(two, "store", "list", "--remote", remote);
  assert.deepEqual(listed.entries.map((it: { places: string[] }) => it.places), [["remote"]]);
  const got = await json(two, "store", "get", hash.slice(0, 10), "--target", "got", "--remote", remote);
  assert.equal(got.from, "remote");
  assert.deepEqual(readTree(`${two}/got`), readTree(`${one}/source`));
  assert.equal((await json(two, "store", "get", hash, "--target", "again")).from, "local");
  assert.deepEqual((await json(two, "store", "list", "--remote", remote)).entries[0].places, [
    "local",
    "remote",
  ]);
  assert.equal((await run(two, "store", "get", "abcd", "--target", "x", "--remote", remote)).code, 40);
  const stats = await json(two, "store", "stats", "--remote", remote);
  assert.equal(stats.remote.entries, 1);
  assert.equal((await run(two, "store", "list", "--remote", remote, "--offline")).code, 2);
}

const MANIFEST = `components:
  api: {version: v1, build: 'echo run >> ../../runs; mkdir -p dist; cat src/* > dist/out', outputs: [dist]}
`;

async function builds(machines: Machines): Promise<void> {
  await using _ = machines;
  const { one, two, json, remote } = machines;
  for (const folder of [one, two]) {
    makeTree(folder, { "manifests/components.yaml": MANIFEST, "components/api/src/a": "one\n" });
  }
  const built = await json(one, "cache", "build", "api", "--remote", remote);
  assert.deepEqual([built.state, built.remote], ["built", "sent"]);
  const warmed = await json(two, "cache", "warm", "--remote", remote);
  assert.deepEqual(warmed.components.map((it: { state: string }) => it.state), ["fetched"]);
  assert.deepEqual((await json(two, "cache", "warm")).components[0].state, "there");
  await json(two, "cache", "invalidate", "api");
  const hit = await json(two, "cache", "build", "api", "--remote", remote);
  assert.deepEqual([hit.state, hit.from, hit.key], ["hit", "remote", built.key]);
  await json(two, "cache", "get", "api", "--target", "out");
  assert.equal(Deno.readTextFileSync(`${two}/out/dist/out`), "one\n");
  assert.throws(() => Deno.statSync(`${two}/runs`), Deno.errors.NotFound);
  const thrown = await json(two, "cache", "invalidate", "api", "--remote", remote);
  assert.deepEqual([thrown.local.length, thrown.remote.length], [1, 1]);
  assert.equal((await json(two, "cache", "build", "api", "--remote", remote)).state, "built");
}

async function away(machines: Machines): Promise<void> {
  await using _ = machines;
  const { world, one, two, json, remote } = machines;
  const gone = (...args: readonly string[]) => runAway(world, args, { cwd: one });
  const { code, stdout, stderr } = await gone(
    "store",
    "add",
    "api",
    "--source",
    "source",
    "--remote",
    remote,
  );
  assert.equal(code, 0, stderr);
  assert.equal(stderr.match(/cannot be reached/g)?.length, 1, stderr);
  assert.match(stderr, /it waits for the remote store/);
  const hash = stdout.trim();
  const got = await gone("store", "get", hash, "--target", "got", "--remote", remote);
  assert.equal(got.code, 0, got.stderr);
  assert.deepEqual(readTree(`${one}/got`), readTree(`${one}/source`));
  const missing = await gone("store", "get", "abcdef", "--target", "x", "--remote", remote);
  assert.equal(missing.code, 52, missing.stderr);
  const sync = await gone("store", "sync", "--remote", remote);
  assert.equal(sync.code, 52, sync.stderr);
  // Nothing that waits is collected.
  makeTree(`${one}/newer`, { "file": "newer" });
  await json(one, "store", "add", "api", "--source", "newer");
  const gc = await json(one, "store", "gc", "--min-age", "0");
  assert.match(gc.kept.find((it: { id: string }) => it.id === `store~${hash}`).reason, /has not reached/);
  const waiting = await json(one, "store", "list");
  assert.deepEqual(waiting.entries.map((it: { pending: string[] }) => it.pending), [[], [remote]]);
  // Any command that reaches it brings what waits.
  await json(one, "store", "get", hash.slice(0, 12), "--target", "again", "--remote", remote);
  assert.deepEqual((await json(one, "store", "list")).entries[1].pending, []);
  await json(two, "store", "get", hash, "--target", "got", "--remote", remote);
  assert.deepEqual((await json(one, "store", "sync", "--remote", remote)).sent, []);
  assert.equal((await json(one, "store", "sync", "--remote", remote, "--all")).sent.length, 1);
}

async function poisoned(machines: Machines): Promise<void> {
  await using _ = machines;
  const { world, one, two, json, run, remote, prefix } = machines;
  const raw = world.raw();
  const { entry: { hash } } = await json(
    one,
    "store",
    "add",
    "api",
    "--source",
    "source",
    "--remote",
    remote,
  );
  const name = `${prefix}/snapshots/store~${hash}.json`;
  const good = (await raw.read(name))!;
  // Another entry's content under this name, with a checksum that fits: only the hash tells.
  makeTree(`${one}/evil`, { "small": "evil" });
  const evil = await json(one, "store", "add", "api", "--source", "evil", "--remote", remote);
  const other = JSON.parse((await raw.read(`${prefix}/snapshots/store~${evil.entry.hash}.json`))!);
  const { checksum: _old, ...manifest } = other;
  const forged = { ...manifest, id: `store~${hash}` };
  forged.targets[0].fingerprint = hash;
  await raw.write(name, JSON.stringify({ ...forged, checksum: await checksumOf(forged) }));
  const refused = await run(two, "store", "get", hash, "--target", "got", "--remote", remote);
  assert.equal(refused.code, 54, refused.stderr);
  assert.match(refused.stderr, /is not what its name says/);
  assert.throws(() => Deno.statSync(`${two}/got`), Deno.errors.NotFound);
  assert.deepEqual((await json(two, "store", "list")).entries, []);
  await raw.write(name, good);
  await json(two, "store", "get", hash, "--target", "got", "--remote", remote);
  await poisonedPacks(machines);
}

async function lostThere(machines: Machines): Promise<void> {
  await using _ = machines;
  const { world, one, two, json, run, remote, prefix } = machines;
  const add = () => json(one, "store", "add", "api", "--source", "source", "--remote", remote);
  const { entry: { hash } } = await add();
  const raw = world.raw();
  for (const pack of await raw.list(`${prefix}/packs/`)) await raw.remove(pack);
  assert.equal((await run(two, "store", "get", hash, "--target", "got", "--remote", remote)).code, 54);
  const again = await add();
  assert.deepEqual([again.is_new, again.remote], [false, "sent"]);
  await json(two, "store", "get", hash, "--target", "got", "--remote", remote);
  assert.deepEqual(readTree(`${two}/got`), readTree(`${one}/source`));
}

/** Bytes of the remote's packs that changed: what a build needs is built, and a local copy is mended from there never. */
async function poisonedPacks({ world, one, two, json, run, remote, prefix }: Machines): Promise<void> {
  const raw = world.raw();
  for (const folder of [one, two]) {
    makeTree(folder, { "manifests/components.yaml": MANIFEST, "components/api/src/a": "one\n" });
  }
  const before = await raw.list(`${prefix}/packs/`);
  await json(one, "cache", "build", "api", "--remote", remote);
  const added = (await raw.list(`${prefix}/packs/`)).filter((pack) => !before.includes(pack));
  assert.ok(added.length > 0);
  for (const pack of added) await raw.write(pack, new Uint8Array(200).fill(66));
  const built = await json(two, "cache", "build", "api", "--remote", remote);
  assert.equal(built.state, "built");
  assert.match(built.warnings.join("\n"), /damaged and is not used/);
  assert.equal((await run(two, "cache", "get", "api", "--target", "out")).code, 0);
  assert.equal(Deno.readTextFileSync(`${two}/out/dist/out`), "one\n");
}

async function checksumOf(manifest: unknown): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(manifest));
  return `sha256:${new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex()}`;
}

async function collected(machines: Machines): Promise<void> {
  await using _ = machines;
  const { one, two, json, run, remote } = machines;
  const hashes: string[] = [];
  for (const text of ["old", "pinned", "new"]) {
    makeTree(`${one}/${text}`, { "file": text.repeat(9000) });
    const flags = text === "pinned" ? ["--pin"] : [];
    const { entry } = await json(one, "store", "add", "api", "--source", text, "--remote", remote, ...flags);
    hashes.push(entry.hash);
  }
  const [old, pinned, newest] = hashes as [string, string, string];
  const young = await json(two, "store", "gc", "--remote", remote);
  assert.deepEqual([young.removed, young.doomed], [[], []]);
  const gc = await json(two, "store", "gc", "--remote", remote, "--min-age", "0");
  assert.deepEqual(gc.removed.map((it: { id: string }) => it.id), [`store~${old}`]);
  for (const hash of [pinned, newest]) {
    await json(two, "store", "get", hash, "--target", hash, "--remote", remote);
  }
  assert.equal((await run(two, "store", "get", old, "--target", "old", "--remote", remote)).code, 40);
  // Whoever has it can send it again.
  await json(one, "store", "sync", "--remote", remote, "--all");
  await json(two, "store", "get", old, "--target", "old", "--remote", remote);
}
