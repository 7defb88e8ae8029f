/** The spool: what is in it, its bounds, and that what waits is delivered at least once, and once where nothing crashes. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { setFaultHook } from "#/core/posix.ts";
import { flushSpool } from "#/notify/flush.ts";
import { notify } from "#/notify/notify.ts";
import { listSpool, putInSpool, SPOOL_LIMITS } from "#/notify/spool.ts";
import { type SpoolPlace, spoolPlace } from "#/notify/spool_place.ts";
import { webhookId } from "#/notify/target.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";
import {
  answer,
  eventOf,
  placeIn,
  type Receiver,
  receiver,
  spoolFiles,
  testTools,
  webhook,
} from "./notify_support.ts";
import { reports } from "./report_fixtures.ts";

const DAY_MS = 86_400_000;

/** Ids as operations have them: they sort by time. */
function idOf(i: number): string {
  return `0195a0b1-2c3d-7e4f-8a5b-${String(i).padStart(12, "0")}`;
}

function fill(place: SpoolPlace, url: string, count: number): readonly string[] {
  const ids = Array.from({ length: count }, (_, i) => idOf(i));
  for (const id of ids) {
    putInSpool(place, eventOf(reports.success, id), webhookId({ webhook: url }), new Date());
  }
  return ids;
}

function idsAt(server: Receiver): readonly string[] {
  return server.received.map((it) => JSON.parse(it.body).id as string);
}

testRequiring(["posix"], "a message in the spool is for its user alone", async () => {
  await withTempDir((folder) => {
    const place = placeIn(folder);
    const [id] = fill(place, "https://ops.example/", 1);
    const name = `${id}.${webhookId({ webhook: "https://ops.example/" })}.json`;
    assert.deepEqual(spoolFiles(place), [name]);
    assert.equal(Deno.statSync(place.folder).mode! & 0o777, 0o700);
    assert.equal(Deno.statSync(join(place.folder, name)).mode! & 0o777, 0o600);
    const { body, spooled_at: _at, ...rest } = JSON.parse(Deno.readTextFileSync(join(place.folder, name)));
    assert.deepEqual(Object.keys(rest), ["format", "event_id", "webhook_id"]);
    assert.equal(JSON.parse(body).id, id);
  });
});

Deno.test("the spool has a largest number of messages: the oldest go", async () => {
  await withTempDir((folder) => {
    const place = placeIn(folder);
    const ids = fill(place, "https://ops.example/", SPOOL_LIMITS.messages + 3);
    const kept = spoolFiles(place).map((name) => name.split(".")[0]);
    assert.deepEqual(kept, ids.slice(3));
  });
});

Deno.test("the spool has a largest size, and says what it dropped", async () => {
  await withTempDir(async (folder) => {
    const place = placeIn(folder);
    const settings = { targets: [webhook("https://ops.example/")], spool: place, offline: true };
    const large = { ...reports.success, summary: "x".repeat(240_000) };
    const warnings: string[] = [];
    let sent = 0;
    for (; warnings.length === 0; sent++) {
      assert.ok(sent < 100);
      const result = await notify(settings, [eventOf(large, idOf(sent))], testTools());
      assert.equal(result.spooled, 1);
      warnings.push(...result.warnings);
    }
    assert.deepEqual(warnings, ["The notification spool is full: dropped the oldest 1 message"]);
    const kept = listSpool(place.folder);
    assert.equal(kept.length, sent - 1);
    assert.ok(kept.reduce((sum, it) => sum + it.bytes, 0) <= SPOOL_LIMITS.bytes);
    assert.ok(kept[0]!.name.startsWith(idOf(1)));
  });
});

Deno.test("where the spool cannot be written, the message is lost with a warning, and nothing is left", async () => {
  await withTempDir(async (folder) => {
    const targets = [webhook("https://ops.example/")];
    const lost = async (spool: SpoolPlace) => {
      const result = await notify({ targets, spool, offline: true }, [eventOf()], testTools());
      assert.equal(result.spooled, 0);
      assert.equal(result.warnings.length, 1);
      return result.warnings[0]!;
    };
    for (const call of ["open", "write", "fsync", "rename"] as const) {
      const place = placeIn(folder);
      setFaultHook((called) => {
        if (called === call) throw Object.assign(new Error("no space"), { code: "ENOSPC" });
      });
      try {
        assert.match(await lost(place), /the message is lost: Cannot write .*: the disk is full/);
      } finally {
        setFaultHook(undefined);
      }
      assert.deepEqual(spoolFiles(place), []);
    }
    const missing = join(folder, "no-repository");
    assert.match(await lost({ base: missing, folder: join(missing, "notify-spool") }), /there is no /);
    assert.throws(() => Deno.statSync(missing));
    Deno.symlinkSync(folder, join(folder, "link"));
    assert.match(await lost({ base: folder, folder: join(folder, "link") }), /not a folder/);
  });
});

Deno.test("the spool of a repository is in its state folder, that of a bucket in the home of the user", () => {
  const env = (name: string) => ({ HOME: "/home/deploy" })[name];
  assert.equal(
    spoolPlace({ type: "local", location: "/srv/r", env })?.folder,
    "/srv/r/.backout/notify-spool",
  );
  assert.equal(
    spoolPlace({ type: "local", location: "/srv/r", stateDir: "/var/lib/b", env })?.folder,
    "/var/lib/b/.backout/notify-spool",
  );
  const places = ["s3://bucket/a", "s3://bucket/b"].map((location) =>
    spoolPlace({ type: "s3", location, env })!
  );
  assert.match(places[0]!.folder, /^\/home\/deploy\/\.local\/state\/backout\/[0-9a-f]{16}\/notify-spool$/);
  assert.notEqual(places[0]!.folder, places[1]!.folder);
  assert.equal(places[0]!.base, "/home/deploy");
  assert.equal(spoolPlace({ type: "gcs", location: "gs://b", env: () => undefined }), undefined);
});

Deno.test("what waits is sent oldest first, and is gone then", async () => {
  await withTempDir(async (folder) => {
    await using server = receiver(answer(200));
    const place = placeIn(folder);
    const ids = fill(place, server.url, 5);
    const result = await flushSpool({ place, targets: [webhook(server.url)] }, testTools());
    assert.deepEqual(result, { delivered: 5, waiting: 0, dropped: 0, warnings: [] });
    assert.deepEqual(idsAt(server), ids);
    assert.deepEqual(spoolFiles(place), []);
  });
});

Deno.test("a receiver that fails keeps its messages; the others get theirs", async () => {
  await withTempDir(async (folder) => {
    await using failing = receiver(answer(500));
    await using server = receiver(answer(200));
    const place = placeIn(folder);
    fill(place, failing.url, 3);
    fill(place, server.url, 3);
    fill(place, "https://no-longer-in-the-configuration.example/", 1);
    const targets = [webhook(failing.url), webhook(server.url)];
    const result = await flushSpool({ place, targets }, testTools());
    assert.deepEqual([result.delivered, result.waiting, result.dropped], [3, 4, 0]);
    assert.equal(failing.received.length, 1);
    assert.match(result.warnings.join(), /go on waiting: it answered 500$/);
    assert.ok(listSpool(place.folder).every((it) => it.state === "waiting"));
  });
});

Deno.test("what a receiver rejects, what is damaged and what is too old is given up, and said", async () => {
  await withTempDir(async (folder) => {
    await using server = receiver(answer(413), answer(200));
    const place = placeIn(folder);
    const [, second] = fill(place, server.url, 3);
    const damaged = spoolFiles(place).find((name) => name.startsWith(second!))!;
    Deno.writeTextFileSync(join(place.folder, damaged), '{"format":1,');
    const targets = [webhook(server.url)];
    const tools = testTools();
    const result = await flushSpool({ place, targets }, tools);
    assert.deepEqual([result.delivered, result.waiting, result.dropped], [1, 0, 2]);
    assert.match(result.warnings.join("\n"), /was given up: it answered 413\n.*damaged/);

    fill(place, "https://gone.example/", 2);
    tools.advance(13 * DAY_MS);
    assert.equal((await flushSpool({ place, targets }, tools)).waiting, 2);
    tools.advance(2 * DAY_MS);
    const old = await flushSpool({ place, targets, offline: true }, tools);
    assert.deepEqual([old.waiting, old.dropped, old.warnings.length], [0, 2, 1]);
  });
});

testRequiring(["root"], "what another user wrote is not sent", async () => {
  await withTempDir(async (folder) => {
    await using server = receiver(answer(200));
    const place = placeIn(folder);
    fill(place, server.url, 2);
    const [first] = spoolFiles(place);
    Deno.chownSync(join(place.folder, first!), 65534, 65534);
    await flushSpool({ place, targets: [webhook(server.url)] }, testTools());
    assert.deepEqual(idsAt(server), [idOf(1)]);
    assert.deepEqual(spoolFiles(place), [first]);
  });
});

const FLUSH = `
import { setFaultHook } from "#/core/posix.ts";
import { flushSpool } from "#/notify/flush.ts";
import { realTools } from "#/notify/tools.ts";
const [folder, webhook, dies] = Deno.args;
if (dies === "dies") setFaultHook((call) => {
  if (call === "unlink") Deno.kill(Deno.pid, "SIGKILL");
});
const place = { base: folder, folder: folder + "/notify-spool" };
const options = { place, targets: [{ webhook, timeout_ms: 30000 }], timeoutMs: 60000 };
console.log(JSON.stringify(await flushSpool(options, realTools(() => undefined))));`;

/** Another process that flushes the spool. */
async function flushingProcess(folder: string, url: string, dies: boolean): Promise<Deno.CommandOutput> {
  const file = join(folder, "flush.ts");
  Deno.writeTextFileSync(file, FLUSH);
  const config = new URL("../../deno.json", import.meta.url).pathname;
  return await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--config", config, file, folder, url, dies ? "dies" : "lives"],
    stdin: "null",
    stderr: "inherit",
  }).output();
}

Deno.test("several flushers at once deliver each message once", async () => {
  await withTempDir(async (folder) => {
    // Nobody gets an answer before two of them have asked.
    let asked = 0;
    let open = () => {};
    const both = new Promise<void>((resolve) => open = resolve);
    await using server = receiver(async () => {
      if (++asked === 2) open();
      await both;
      return new Response();
    });
    const place = placeIn(folder);
    const ids = fill(place, server.url, 60);
    const outputs = await Promise.all([1, 2, 3].map(() => flushingProcess(folder, server.url, false)));
    assert.deepEqual([...idsAt(server)].sort(), ids);
    const results = outputs.map(({ stdout }) => JSON.parse(new TextDecoder().decode(stdout)));
    assert.deepEqual(results.flatMap((it) => it.warnings), []);
    const delivered: readonly number[] = results.map((it) => it.delivered);
    assert.equal(delivered.reduce((sum, it) => sum + it, 0), 60);
    assert.ok(delivered.filter((it) => it > 0).length >= 2, `${delivered}`);
    assert.deepEqual(spoolFiles(place), []);
  });
});

testRequiring(
  ["posix"],
  "after a crash between delivery and removal a message comes again with its id",
  async () => {
    await withTempDir(async (folder) => {
      await using server = receiver(answer(200));
      const place = placeIn(folder);
      const ids = fill(place, server.url, 2);
      const { signal } = await flushingProcess(folder, server.url, true);
      assert.equal(signal, "SIGKILL");
      assert.deepEqual(idsAt(server), [ids[0]]);

      const targets = [webhook(server.url)];
      const tools = testTools();
      const soon = await flushSpool({ place, targets }, tools);
      // Whoever has the first one may still be alive.
      assert.deepEqual([soon.delivered, soon.waiting], [1, 1]);
      tools.advance(SPOOL_LIMITS.claimMs);
      const later = await flushSpool({ place, targets }, tools);
      assert.deepEqual([later.delivered, later.waiting], [1, 0]);
      assert.deepEqual(idsAt(server), [ids[0], ids[1], ids[0]]);
      assert.equal(server.received[0]!.body, server.received[2]!.body);
      assert.deepEqual(spoolFiles(place), []);
    });
  },
);

Deno.test("a message that was sent but cannot be removed is a warning", async () => {
  await withTempDir(async (folder) => {
    await using server = receiver(answer(200));
    const place = placeIn(folder);
    fill(place, server.url, 1);
    setFaultHook((call) => {
      if (call === "unlink") throw Object.assign(new Error("no"), { code: "EACCES" });
    });
    try {
      const result = await flushSpool({ place, targets: [webhook(server.url)] }, testTools());
      assert.equal(result.waiting, 1);
      assert.match(result.warnings.join(), /Cannot remove .*: permission denied/);
    } finally {
      setFaultHook(undefined);
    }
  });
});
