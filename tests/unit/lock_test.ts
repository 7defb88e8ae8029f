/** The filesystem lock: one holder at a time, told from a dead one by real processes. */
import assert from "node:assert/strict";
import { InterruptedError, LockedError } from "#/core/errors.ts";
import { formatJson } from "#/core/json.ts";
import { AdvisoryProbe } from "#/storage/filesystem/advisory_lock.ts";
import { FilesystemLock } from "#/storage/filesystem/lock.ts";
import type { LockHolder, LockRequest } from "#/storage/lock.ts";
import { type LockIdentity, processStart, readIdentity } from "#/storage/lock_identity.ts";
import { withTempDir } from "../support/temp.ts";

const CHILD = new URL("../support/lock_child.ts", import.meta.url).pathname;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;
const ME: LockIdentity = { ...readIdentity(), machine_id: "machine" };

function request(changes: Partial<LockRequest> = {}): LockRequest {
  return {
    id: crypto.randomUUID(),
    operation: "rollback v1.0.2",
    by: "alice",
    reason: "bad build",
    now: () => new Date("2026-01-02T03:04:05Z"),
    timeoutMs: 0,
    ...changes,
  };
}

/** Starts a process that works with the lock of `root`. */
function startChild(root: string, mode: "hold" | "race" | "count"): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-lock", "--no-check", "--config", CONFIG, CHILD, root, mode],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}

/** A lock whose holder was killed. */
async function leaveDeadLock(root: string): Promise<LockHolder> {
  await using child = startChild(root, "hold");
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  child.kill("SIGKILL");
  await child.status;
  await reader.cancel();
  return JSON.parse(new TextDecoder().decode(value)) as LockHolder;
}

async function writeLock(root: string, holder: Partial<LockHolder>): Promise<void> {
  const full: LockHolder = {
    ...{ id: "1", operation: "publish v2", by: "bob", ...ME, advisory: false },
    ...{ since: "2026-01-02T03:02:05Z", reason: "" },
    ...holder,
  };
  await Deno.mkdir(`${root}/.backout`, { recursive: true });
  await Deno.writeTextFile(`${root}/.backout/lock`, formatJson(full));
}

Deno.test("a free lock is taken, shown and released", async () => {
  await withTempDir(async (root) => {
    const lock = new FilesystemLock(root);
    assert.equal(await lock.inspect(), undefined);
    {
      await using held = await lock.acquire(request());
      assert.equal(held.takenFrom, undefined);
      const seen = await new FilesystemLock(root).inspect();
      assert.deepEqual(seen, { holder: held.holder, state: "alive" });
      assert.equal(held.holder.since, "2026-01-02T03:04:05.000Z");
      assert.equal((Deno.lstatSync(`${root}/.backout/lock`).mode ?? 0) & 0o777, 0o600);
    }
    assert.equal(await lock.inspect(), undefined);
    assert.deepEqual([...Deno.readDirSync(`${root}/.backout/tmp`)], []);
  });
});

Deno.test("a held lock is refused with who, since when, what, why, and what to do", async () => {
  await withTempDir(async (root) => {
    const lock = new FilesystemLock(root);
    await using _held = await lock.acquire(request({ now: () => new Date("2026-01-02T03:00:05Z") }));
    await assert.rejects(lock.acquire(request({ operation: "publish v9" })), (error: unknown) => {
      assert.ok(error instanceof LockedError);
      assert.equal(
        error.message,
        `Cannot publish v9: locked by rollback v1.0.2 by alice@${ME.host} (pid ${Deno.pid}) ` +
          "since 2026-01-02T03:00:05.000Z (4 min ago), reason: bad build",
      );
      assert.match(error.hint ?? "", /--lock-timeout/);
      assert.equal(error.context.state, "alive");
      return true;
    });
  });
});

Deno.test("a waiter gets the lock when it is released, and hears once whom it waits for", async () => {
  await withTempDir(async (root) => {
    const lock = new FilesystemLock(root);
    const first = await lock.acquire(request());
    const met: string[] = [];
    const waiting = lock.acquire(request({
      timeoutMs: 60_000,
      onWait: (holder) => {
        met.push(holder.id);
        setTimeout(() => first[Symbol.asyncDispose](), 300);
      },
    }));
    await using _second = await waiting;
    assert.deepEqual(met, [first.holder.id]);
  });
});

Deno.test("a waiter stops by its signal", async () => {
  await withTempDir(async (root) => {
    const lock = new FilesystemLock(root);
    await using _held = await lock.acquire(request());
    const controller = new AbortController();
    const onWait = () => controller.abort("SIGTERM");
    const waiting = lock.acquire(request({ timeoutMs: 60_000, signal: controller.signal, onWait }));
    await assert.rejects(waiting, InterruptedError);
  });
});

Deno.test("a killed holder is noticed, and its lock taken over", async () => {
  await withTempDir(async (root) => {
    const dead = await leaveDeadLock(root);
    const lock = new FilesystemLock(root);
    assert.deepEqual(await lock.inspect(), { holder: dead, state: "dead" });
    await using held = await lock.acquire(request());
    assert.equal(held.takenFrom?.id, dead.id);
    assert.equal((await lock.inspect())?.state, "alive");
  });
});

Deno.test("a killed holder is noticed without /proc, by its flock alone", async () => {
  await withTempDir(async (root) => {
    const blind: LockIdentity = { ...ME, boot_id: "", pid_namespace: "", process_start: "" };
    {
      await using _alive = await new FilesystemLock(root, undefined, blind).acquire(request());
      assert.equal((await new FilesystemLock(root, undefined, blind).inspect())?.state, "alive");
    }
    const dead = await leaveDeadLock(root);
    await using held = await new FilesystemLock(root, undefined, blind).acquire(request());
    assert.equal(held.takenFrom?.id, dead.id);
  });
});

Deno.test("the holder is judged by process, start time, boot and namespace", async () => {
  const cases: readonly (readonly [string, Partial<LockHolder>, string])[] = [
    ["this process", {}, "alive"],
    ["a reused pid", { process_start: "1" }, "dead"],
    ["no such process", { pid: 4_194_305 }, "dead"],
    ["before a reboot", { boot_id: "other" }, "dead"],
    ["another machine", { boot_id: "other", machine_id: "other" }, "unknown"],
    ["another machine of the same image", { boot_id: "other", host: "other" }, "unknown"],
    ["a container, no flock", { pid_namespace: "pid:[1]" }, "unknown"],
    ["a container, flock let go", { pid_namespace: "pid:[1]", advisory: true }, "dead"],
    ["no boot id, no flock", { boot_id: "" }, "unknown"],
  ];
  for (const [name, holder, state] of cases) {
    await withTempDir(async (root) => {
      await writeLock(root, holder);
      const lock = new FilesystemLock(root, undefined, ME);
      assert.equal((await lock.inspect())?.state, state, name);
      const acquired = lock.acquire(request());
      if (state === "dead") await (await acquired)[Symbol.asyncDispose]();
      else await assert.rejects(acquired, LockedError, name);
    });
  }
});

Deno.test("a lock file that says nothing is dead only when it is old", async () => {
  for (const [ageMs, state] of [[0, "unknown"], [60_000, "dead"]] as const) {
    await withTempDir(async (root) => {
      await Deno.mkdir(`${root}/.backout`);
      await Deno.writeTextFile(`${root}/.backout/lock`, '{"id": "1", "oper');
      const time = new Date(Date.now() - ageMs);
      await Deno.utime(`${root}/.backout/lock`, time, time);
      assert.equal((await new FilesystemLock(root).inspect())?.state, state);
    });
  }
});

Deno.test("breakLock spares a living holder unless forced, and the holder then leaves the new one alone", async () => {
  await withTempDir(async (root) => {
    const lock = new FilesystemLock(root);
    assert.equal(await lock.breakLock({ force: false }), undefined);
    const first = await lock.acquire(request());
    await assert.rejects(lock.breakLock({ force: false }), LockedError);
    assert.equal((await lock.breakLock({ force: true }))?.id, first.holder.id);
    await using second = await lock.acquire(request());
    await first[Symbol.asyncDispose]();
    assert.equal((await lock.inspect())?.holder.id, second.holder.id);
    await writeLock(root, { boot_id: "other", machine_id: "other" });
    assert.equal((await lock.breakLock({ force: false }))?.id, "1");
    assert.equal(await lock.inspect(), undefined);
  });
});

Deno.test("a symlink in the lock's place is refused", async () => {
  await withTempDir(async (root) => {
    await Deno.mkdir(`${root}/.backout`);
    await Deno.symlink("/etc/passwd", `${root}/.backout/lock`);
    await assert.rejects(new FilesystemLock(root).acquire(request()), /it is a symlink/);
  });
});

Deno.test("eight processes race for a dead lock, and never two hold it", async () => {
  await withTempDir(async (root) => {
    await leaveDeadLock(root);
    const children = Array.from({ length: 8 }, () => startChild(root, "race"));
    const outputs = await Promise.all(children.map((child) => child.output()));
    const said = outputs.map((it) => new TextDecoder().decode(it.stdout).trim());
    // Each takes it five times; the witness file fails whoever is not alone.
    assert.deepEqual(said, Array(8).fill("alone 5 times"));
    assert.equal(await new FilesystemLock(root).inspect(), undefined);
  });
});

Deno.test("processes that are killed while they hold it pass it on", async () => {
  await withTempDir(async (root) => {
    const children = Array.from({ length: 6 }, () => startChild(root, "count"));
    const statuses = await Promise.all(children.map((child) => child.output()));
    assert.deepEqual(statuses.map((it) => it.signal), Array(6).fill("SIGKILL"));
    assert.equal((await Deno.readTextFile(`${root}/counter`)).length, 6);
  });
});

Deno.test("an advisory lock is seen by a probe until its file is closed", async () => {
  await withTempDir(async (root) => {
    const path = `${root}/file`;
    const open = () => Deno.openSync(path, { create: true, read: true, write: true });
    const holder = open();
    holder.lockSync(true);
    using probe = new AdvisoryProbe();
    assert.equal((await probe.try(open())).state, "held");
    holder.close();
    const { state, file } = await probe.try(open());
    file?.close();
    assert.equal(state, "obtained");
  });
});

Deno.test("the start time of a process is found behind any name", () => {
  assert.match(processStart(Deno.pid) ?? "", /^\d+$/);
  assert.equal(processStart(4_194_305), undefined);
});
