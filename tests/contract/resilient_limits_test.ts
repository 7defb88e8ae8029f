/** Where a bucket's requests end: attempts, deadlines, stops, the lease; and listings that go on. On real services. */
import assert from "node:assert/strict";
import { UnfinishedOperationError } from "#/core/errors.ts";
import type { Bucket } from "#/storage/bucket/bucket.ts";
import { BucketStore } from "#/storage/bucket/store.ts";
import { Lease } from "#/storage/lease/lease.ts";
import { mapLimited } from "#/storage/limit.ts";
import { RETRY_LIMITS } from "#/storage/bucket/resilient/retry.ts";
import { testRequiring } from "../support/require.ts";
import { PASS } from "../support/servers/fault_proxy.ts";
import { withTempDir } from "../support/temp.ts";
import { recordOf } from "./object_store_support.ts";
import {
  assertFails,
  assertIs,
  BODY,
  breakFirst,
  bytesOf,
  countOf,
  FAULTS,
  keysOf,
  openPlace,
  resilient,
  type Service,
  SERVICES,
  textAt,
} from "./resilient_support.ts";

async function failures(t: Deno.TestContext, service: Service): Promise<void> {
  await t.step("a service that always asks to slow down ends in that, after all attempts", async () => {
    await using place = await openPlace(service);
    place.proxy.onRequest = () => service.slowDown;
    const error = await assertFails(resilient(place.proxied).put("new", bytesOf(BODY)), "throttled");
    assert.equal(error.context.attempts, RETRY_LIMITS.attempts);
    assert.equal(place.proxy.log.length, RETRY_LIMITS.attempts);
  });

  await t.step("a service that never answers ends in a timeout", async () => {
    await using place = await openPlace(service);
    place.proxy.onRequest = () => ({ kind: "hang" });
    const bucket = resilient(place.proxied, { requestMs: 50 });
    await assertFails(bucket.put("new", bytesOf(BODY)), "timeout");
    await assertFails(bucket.put("new", bytesOf(BODY), { condition: { absent: true } }), "timeout");
    await assertFails(bucket.head("new"), "timeout");
    await assertFails(bucket.list({ prefix: "" })[Symbol.asyncIterator]().next(), "timeout");
  });

  await t.step("a refusal is not asked again", async () => {
    await using place = await openPlace(service);
    const bucket = resilient(place.proxied);
    await bucket.keepsVersions();
    for (const condition of [{}, { condition: { absent: true } as const }]) {
      place.proxy.clearLog();
      place.proxy.onRequest = () => ({ kind: "refuse", status: 403, code: "AccessDenied" });
      const error = await assertFails(bucket.put("new", bytesOf(BODY), condition), "denied");
      assert.equal(error.context.attempts, undefined);
      assert.equal(place.proxy.log.length, 1);
    }
  });

  await t.step("a stopped request is not sent again", async () => {
    for (const own of [true, false]) {
      await using place = await openPlace(service);
      const controller = new AbortController();
      const { signal } = controller;
      place.proxy.onRequest = () => ({ kind: "hang", delayMs: 0 });
      const bucket = resilient(place.proxied, { requestMs: 60_000, ...(own ? { signal } : {}) });
      const result = assertFails(bucket.put("new", bytesOf(BODY), own ? {} : { signal }), "aborted");
      while (place.proxy.log.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      controller.abort();
      await result;
      await assertFails(bucket.head("new", own ? {} : { signal }), "aborted");
      assert.equal(place.proxy.log.length, 1);
    }
  });

  await t.step("a copy that was sent before a stop is waited for", async () => {
    await using place = await openPlace(service);
    await place.direct.put("old", bytesOf(BODY));
    const controller = new AbortController();
    place.proxy.onRequest = ({ kind }) => kind === "copy" ? { kind: "pass", delayMs: 200 } : PASS;
    const from = (await place.direct.head("old"))!;
    const copying = resilient(place.proxied).copy(from, "new", { signal: controller.signal });
    while (countOf(place.proxy, "copy") === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    controller.abort();
    await copying;
    assert.equal(await textAt(place.direct, "new"), BODY);
  });

  await t.step(
    "small files that were sent before a stop are waited for, and nothing after that",
    async () => {
      await withTempDir(async (folder) => {
        Deno.writeTextFileSync(`${folder}/a`, BODY);
        await using place = await openPlace(service);
        const controller = new AbortController();
        const { signal } = controller;
        place.proxy.onRequest = ({ kind }) => kind === "put" ? { kind: "pass", delayMs: 200 } : PASS;
        const bucket = resilient(place.proxied, { requestMs: 60_000 });
        const store = new BucketStore(bucket, { jobs: 4, settle: () => bucket.settle() });
        const source = { path: `${folder}/a` };
        const files = Array.from({ length: 9 }, (_, i) => ({ record: recordOf(`v1/${i}`, BODY), source }));
        const adding = store.addFiles("op", files, { signal });
        while (countOf(place.proxy, "put") < 4) await new Promise((resolve) => setTimeout(resolve, 5));
        controller.abort("SIGTERM");
        await assert.rejects(adding, { code: 143 });
        assert.equal((await keysOf(place.direct)).length, 4, "what was sent is there");
        const before = performance.now();
        await store.settle();
        assert.ok(performance.now() - before < 30_000, "nobody knows what became of it: a minute is waited");
      });
    },
  );

  await t.step("a body that breaks off or falls silent is an error of its stream", async () => {
    await using place = await openPlace(service);
    await place.direct.put("old", bytesOf(BODY));
    for (const [kind, failure] of [["reset_in_reply", "network"], ["hang_in_reply", "timeout"]] as const) {
      breakFirst(place.proxy, "get", { kind });
      const opened = await resilient(place.proxied).open("old");
      await assertFails(new Response(opened!.body).arrayBuffer(), failure);
    }
    const opened = await resilient(place.proxied).open("old");
    assert.equal(await new Response(opened!.body).text(), BODY);
    await (await resilient(place.proxied).open("old"))!.body.cancel();
    assert.equal(await resilient(place.proxied).open("none"), undefined);
  });

  await t.step("an object that is larger than expected is not read", async () => {
    await using place = await openPlace(service);
    await place.direct.put("old", bytesOf(BODY));
    await assertFails(resilient(place.proxied).get("old", { maxBytes: 10 }), "too_large");
    assert.equal(countOf(place.proxy, "get"), 1);
  });
}

async function listings(t: Deno.TestContext, service: Service): Promise<void> {
  const names = Array.from(
    { length: 23 },
    (_, i) => `k/${String(i).padStart(2, "0")}${i % 3 === 0 ? "/x" : ""}`,
  );

  await t.step("a listing with failures on the way has no gaps and nothing twice", async () => {
    await using place = await openPlace(service, { pageSize: 4 });
    await mapLimited(names, 8, (key) => place.direct.put(key, bytesOf(key)));
    const faults = ["500", "503", "reset before", "reset in the reply", "hang"].map((it) => FAULTS[it]!);
    for (const shallow of [false, true]) {
      const actions = shallow ? faults.toReversed() : faults;
      let [pass, page, broken] = [0, 0, 0];
      place.proxy.onRequest = ({ kind, path }) => {
        if (kind !== "list") return PASS;
        page++;
        if (!/[?&](?:pageToken|continuation-token)=/.test(path)) [pass, page] = [pass + 1, 1];
        return page === pass + 1 ? actions[broken++] ?? PASS : PASS; // each pass gets one page further
      };
      const seen: string[] = [];
      for await (const page of resilient(place.proxied).list({ prefix: "k/", shallow })) {
        seen.push(...page.objects.map((it) => it.key), ...page.prefixes);
      }
      const expected = names.map((it) => shallow && it.endsWith("/x") ? it.slice(0, -1) : it);
      assert.deepEqual(seen.toSorted(), expected);
      assert.ok(broken > actions.length / 2, `${broken} faults were met`);
    }
  });

  await t.step("a reader who has seen enough leaves nothing behind", async () => {
    await using place = await openPlace(service, { pageSize: 4 });
    await mapLimited(names, 8, (key) => place.direct.put(key, bytesOf(key)));
    for await (const page of resilient(place.proxied).list({ prefix: "k/" })) {
      assert.equal(page.objects[0]?.key, names[0]);
      break;
    }
    assert.equal(countOf(place.proxy, "list"), 1);
  });
}

async function leases(t: Deno.TestContext, service: Service): Promise<void> {
  const changes: Readonly<Record<string, (bucket: Bucket, path: string) => Promise<unknown>>> = {
    put: (bucket) => bucket.put("new", bytesOf(BODY)),
    create: (bucket) => bucket.put("new", bytesOf(BODY), { condition: { absent: true } }),
    upload: (bucket, path) => bucket.upload("new", { path, size: BODY.length }),
    copy: (bucket) => bucket.copy({ key: "old", size: BODY.length }, "new"),
    remove: (bucket) => bucket.remove([{ key: "old" }]),
  };

  await t.step("without the lease nothing that changes is sent, and reads go on", async () => {
    await withTempDir(async (folder) => {
      const path = `${folder}/file`;
      await Deno.writeTextFile(path, BODY);
      await using place = await openPlace(service);
      await place.direct.put("old", bytesOf(BODY));
      for (const end of ["lost", "ran out"] as const) {
        const lease = new Lease();
        const { steady, wall } = Lease.now();
        lease.begin({ steady: steady - (end === "lost" ? 0 : 60_000), wall }, 60_000);
        if (end === "lost") lease.lose("somebody has it");
        const bucket = resilient(place.proxied, { lease });
        for (const change of Object.values(changes)) {
          await assert.rejects(change(bucket, path), UnfinishedOperationError);
        }
        assert.equal(place.proxy.log.length, 0);
        assert.equal(await textAt(bucket, "old"), BODY);
        place.proxy.clearLog();
      }
    });
  });

  await t.step("a change that hangs is given up before the lease ends, and not sent again", async () => {
    await withTempDir(async (folder) => {
      const path = `${folder}/file`;
      await Deno.writeTextFile(path, BODY);
      for (const [name, change] of Object.entries(changes)) {
        await using place = await openPlace(service);
        await place.direct.put("old", bytesOf(BODY));
        await place.proxied.keepsVersions();
        place.proxy.clearLog();
        place.proxy.onRequest = ({ kind }) =>
          ["put", "copy", "remove"].includes(kind) ? { kind: "hang" } : PASS;
        const lease = new Lease();
        lease.begin(Lease.now(), 700);
        const bucket = resilient(place.proxied, { lease, requestMs: 60_000 });
        await assert.rejects(change(bucket, path), UnfinishedOperationError, name);
        assert.equal(place.proxy.log.filter((it) => it.action === "hang").length, 1, name);
      }
    });
  });

  await t.step("a lease that has run out is prolonged on demand", async () => {
    await using place = await openPlace(service);
    const lease = new Lease();
    const { steady, wall } = Lease.now();
    let renewals = 0;
    lease.begin({ steady: steady - 60_000, wall }, 60_000, () => {
      renewals++;
      lease.extend(Lease.now(), 60_000);
      return Promise.resolve();
    });
    const { tag } = await resilient(place.proxied, { lease }).put("new", bytesOf(BODY));
    await assertIs(place.direct, "new", tag);
    assert.equal(renewals, 1);
  });

  await t.step("a large upload ends when the lease is lost, and leaves nothing", async () => {
    await withTempDir(async (folder) => {
      const path = `${folder}/file`;
      const size = 17 * 1024 * 1024;
      await Deno.writeFile(path, new Uint8Array(size));
      await using place = await openPlace(service);
      const lease = new Lease();
      lease.begin(Lease.now(), 3_600_000); // so that only its loss can end it
      place.proxy.onRequest = ({ kind, method, path }) => {
        const isPart = kind === "part" || kind === "upload" && method === "PUT" && path.includes("upload_id");
        if (!isPart) return PASS;
        setTimeout(() => lease.lose("somebody has it"), 0);
        return { kind: "hang" };
      };
      const bucket = resilient(place.proxied, { lease, requestMs: 3_600_000 });
      await assert.rejects(bucket.upload("new", { path, size }), UnfinishedOperationError);
      assert.equal(await place.direct.head("new"), undefined);
    });
  });
}

for (const { name, needs, start } of SERVICES) {
  testRequiring(needs, `requests to ${name} end in time`, async (t) => {
    await using service = await start();
    await failures(t, service);
    await listings(t, service);
    await leases(t, service);
  });
}
