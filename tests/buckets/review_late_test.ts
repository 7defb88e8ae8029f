/**
 * Requests that the service carries out long after the one who sent them has given up: behind a slow line, or a balancer
 * that kept them. What was reported must stay true, and nothing may be lost.
 */
import assert from "node:assert/strict";
import { BUCKET_WORLDS, type BucketWorld, type WorldRepository } from "../support/bucket_world.ts";
import { startCliServer } from "../support/cli_server.ts";
import { testRequiring } from "../support/require.ts";
import {
  type FaultProxy,
  PASS,
  type ProxiedRequest,
  startFaultProxy,
} from "../support/servers/fault_proxy.ts";
import { withTempDir } from "../support/temp.ts";

const REASON = ["--reason", "test"] as const;
/** A request is given up after half of it. */
const LEASE = "version: 1\nstorage: {lease: 2s}\n";

for (const kind of BUCKET_WORLDS) {
  testRequiring(kind.needs, `requests that come late on ${kind.name}`, async (t) => {
    await using world = await kind.start();
    for (const [name, body] of Object.entries(CASES)) {
      await t.step(name, () =>
        withTempDir(async (cwd) => {
          Deno.writeTextFileSync(`${cwd}/backout.yaml`, LEASE);
          await using line = await slowLine(world, cwd);
          await body(line, world.repository(cwd, { prefix: line.repository.prefix }));
        }));
    }
  });
}

/** `slow` runs the same commands as `near`, over a line that keeps some requests back. */
type Case = (line: SlowLine, near: WorldRepository) => Promise<void>;

const CASES: Readonly<Record<string, Case>> = {
  "a rollback's commit arrives after it was given up": async (line, near) => {
    await publish(near, "v1", "v2");
    line.keepBack = untilFence(isCommit);
    await line.repository.json(52, "release", "rollback", "v2", ...REASON);
    assert.ok(await line.letGo() > 0);
    assert.deepEqual(await near.listed(), ["v2", "v1"]);
    await assertWhole(near);
    assert.deepEqual(await near.json(0, "backup", "list"), []);
    assert.equal((await near.json(0, "release", "rollback", "v2", ...REASON)).status, "success");
  },

  "the very first commit arrives after it was given up": async (line, near) => {
    line.keepBack = untilFence(isCommit);
    await line.repository.json(52, "release", "publish", "v1", line.repository.source("v1"));
    assert.ok(await line.letGo() > 0);
    assert.deepEqual(await near.listed(), []);
    await publish(near, "v1");
    await assertWhole(near);
  },

  "a commit arrives while nobody can tell": async (line, near) => {
    await publish(near, "v1", "v2");
    line.keepBack = isCommit;
    const report = await line.repository.json(53, "release", "rollback", "v2", ...REASON);
    assert.match(report.errors[0], /Nobody can tell yet/);
    assert.ok(await line.letGo() > 0);
    await near.json(0, "recover");
    await assertWhole(near);
    const isGone = !(await near.listed()).includes("v2");
    assert.equal((await near.json(0, "backup", "list")).length, isGone ? 1 : 0);
  },

  "the removal of an artifact arrives after it was given up": async (line, near) => {
    await publish(near, "v1", "v2");
    line.keepBack = ({ kind, path }) => kind === "remove" && nameIn(path).endsWith("/v2/app.txt");
    const report = await line.repository.json(
      53,
      ...["release", "rollback", "v2", "--artifact", "app.txt", ...REASON],
    );
    assert.match(report.errors[0], /is not finished/);
    assert.ok(await line.letGo() > 0);
    await near.json(0, "recover");
    await near.json(0, "release", "restore", "v2");
    assert.equal(await near.read("v2/app.txt"), "app v2\n");
    await assertWhole(near);
  },

  "a second copy of the journal arrives when its operation is over": async (line, near) => {
    await publish(near, "v1", "v2");
    let seen = 0;
    line.keepBack = ({ kind, path }) => kind === "put" && /journal\.json/.test(path) && seen++ === 0;
    await line.repository.json(0, "release", "rollback", "v2", ...REASON);
    await near.json(0, "release", "restore", "v2");
    assert.equal(await line.letGo(), 1);
    const { recovered } = await near.json(0, "recover");
    assert.deepEqual(recovered, []);
    assert.deepEqual(await near.listed(), ["v2", "v1"]);
    await assertWhole(near);
    assert.deepEqual((await near.list()).filter((key) => key.startsWith(".backout/operations/")), []);
  },
};

async function publish(repository: WorldRepository, ...versions: readonly string[]): Promise<void> {
  for (const version of versions) await repository.publish(version);
}

async function assertWhole(repository: WorldRepository): Promise<void> {
  assert.deepEqual((await repository.json(0, "release", "verify")).problems, []);
  assert.deepEqual((await repository.json(0, "audit", "verify")).problems, []);
}

type Rule = (request: ProxiedRequest) => boolean;

function isCommit({ kind, path }: ProxiedRequest): boolean {
  return kind === "put" && nameIn(path).endsWith("/index.json");
}

/** Keeps requests back until the fence is prepared: that one gets through. */
function untilFence(rule: Rule): Rule {
  let isFenced = false;
  return (request) => {
    isFenced ||= /index\.fence\.json/.test(request.path);
    return !isFenced && rule(request);
  };
}

/** The name of the object that a request is about. */
function nameIn(path: string): string {
  const url = new URL(path, "http://localhost");
  return url.searchParams.get("name") ?? decodeURIComponent(url.pathname);
}

interface SlowLine extends AsyncDisposable {
  readonly repository: WorldRepository;
  keepBack: Rule;
  /** Lets what was kept back arrive, and waits for it. @returns how many requests */
  letGo(): Promise<number>;
}

async function slowLine(world: BucketWorld, cwd: string): Promise<SlowLine> {
  const name = world.scheme === "s3" ? "AWS_ENDPOINT_URL" : "STORAGE_EMULATOR_HOST";
  await using stack = new AsyncDisposableStack();
  const gate = Promise.withResolvers<void>();
  const kept: PromiseWithResolvers<void>[] = [];
  const proxy: FaultProxy = stack.use(startFaultProxy(new URL(world.env[name]!)));
  const cli = stack.use(startCliServer({ ...world.env, [name]: proxy.endpoint }));
  const line = {
    repository: world.repository(cwd, { run: cli.run }),
    keepBack: (_request: ProxiedRequest): boolean => false,
    letGo: async () => {
      gate.resolve();
      await Promise.all(kept.map(({ promise }) => promise));
      return kept.length;
    },
  };
  proxy.onRequest = (request) => {
    if (!line.keepBack(request)) return PASS;
    const arrived = Promise.withResolvers<void>();
    kept.push(arrived);
    return { kind: "pass", beforeForward: () => gate.promise, afterReply: () => arrived.resolve() };
  };
  const owned = stack.move();
  return Object.assign(line, {
    [Symbol.asyncDispose]: async () => {
      await line.letGo();
      await owned.disposeAsync();
    },
  });
}
