/** Every fault of a network or a service, on every request of a bucket: real servers behind a proxy that breaks them. */
import assert from "node:assert/strict";
import { BucketError } from "#/storage/bucket/bucket_error.ts";
import type { Bucket } from "#/storage/bucket/bucket.ts";
import { mapLimited } from "#/storage/limit.ts";
import { testRequiring } from "../support/require.ts";
import { type FaultAction, PASS } from "../support/servers/fault_proxy.ts";
import type { RequestKind } from "../support/servers/request_kind.ts";
import { withTempDir } from "../support/temp.ts";
import {
  assertFails,
  assertIs,
  BODY,
  breakFirst,
  bytesOf,
  FAULTS,
  keysOf,
  openPlace,
  type Place,
  resilient,
  type Service,
  SERVICES,
  textAt,
} from "./resilient_support.ts";

const CASES_AT_ONCE = 6;

interface Call {
  /** What the driver asks the service for it. */
  readonly kind: RequestKind;
  /** Makes the call and checks what came of it. */
  readonly run: (bucket: Bucket, place: Place) => Promise<void>;
}

const CALLS: Readonly<Record<string, Call>> = {
  "head": {
    kind: "head",
    run: async (bucket) => {
      assert.equal((await bucket.head("old"))?.size, BODY.length);
    },
  },
  "get": {
    kind: "get",
    run: async (bucket) => {
      assert.equal(await textAt(bucket, "old"), BODY);
    },
  },
  "list": {
    kind: "list",
    run: async (bucket) => {
      assert.deepEqual(await keysOf(bucket), ["old", "old2"]);
    },
  },
  "keepsVersions": {
    kind: "bucket",
    run: async (bucket) => {
      assert.equal(await bucket.keepsVersions(), false);
    },
  },
  "put": {
    kind: "put",
    run: async (bucket, { direct }) => {
      const { tag } = await bucket.put("new", bytesOf(BODY));
      await assertIs(direct, "new", tag);
    },
  },
  "create": {
    kind: "put",
    run: async (bucket, { direct }) => {
      const { tag } = await bucket.put("new", bytesOf(BODY), { condition: { absent: true } });
      await assertIs(direct, "new", tag);
    },
  },
  "replace": {
    kind: "put",
    run: async (bucket, { direct }) => {
      const old = await direct.put("index", bytesOf("serial 1"));
      const { tag } = await bucket.put("index", bytesOf(BODY), { condition: { tag: old.tag } });
      await assertIs(direct, "index", tag);
    },
  },
  "upload": {
    kind: "put",
    run: async (bucket, { direct }) => {
      await withTempDir(async (folder) => {
        const path = `${folder}/file`;
        await Deno.writeTextFile(path, BODY);
        let progress = 0;
        const onBytes = (bytes: number) => progress = bytes;
        const { tag } = await bucket.upload("new", { path, size: BODY.length }, { onBytes });
        await assertIs(direct, "new", tag);
        assert.equal(progress, BODY.length);
      });
    },
  },
  "copy": {
    kind: "copy",
    run: async (bucket, { direct }) => {
      const { object } = await bucket.copy({ key: "old", size: BODY.length }, "new");
      await assertIs(direct, "new", object.tag);
    },
  },
  "remove": {
    kind: "remove",
    run: async (bucket, { direct }) => {
      assert.deepEqual(await bucket.remove([{ key: "old" }, { key: "old2" }, { key: "none" }]), []);
      assert.deepEqual(await keysOf(direct), []);
    },
  },
};

/** One fault on the first request of one call, which has to succeed all the same. */
async function survives(service: Service, fault: FaultAction, { kind, run }: Call): Promise<void> {
  await using place = await openPlace(service);
  await place.direct.put("old", bytesOf(BODY));
  await place.direct.put("old2", bytesOf(BODY));
  breakFirst(place.proxy, kind, fault);
  await run(resilient(place.proxied), place);
  assert.equal(
    place.proxy.log.find((it) => it.request.kind === kind)?.action,
    fault.kind,
    "the fault was not met",
  );
}

async function conditionalWrites(t: Deno.TestContext, service: Service): Promise<void> {
  const change = bytesOf("mine 2");
  const foreign = bytesOf("his  2");

  await t.step("somebody else's change is a precondition, before and instead of ours", async () => {
    await using place = await openPlace(service);
    const bucket = resilient(place.proxied);
    const { tag } = await place.direct.put("index", bytesOf("serial 1"));
    await place.direct.put("index", foreign);
    await assertFails(bucket.put("index", change, { condition: { tag } }), "precondition");
    await assertFails(bucket.put("index", change, { condition: { absent: true } }), "precondition");
    assert.equal(await textAt(place.direct, "index"), "his  2");
  });

  await t.step("a change that meets a removed object is a precondition", async () => {
    await using place = await openPlace(service);
    const { tag } = await place.direct.put("index", bytesOf("serial 1"));
    await place.direct.remove([{ key: "index" }]);
    await assertFails(resilient(place.proxied).put("index", change, { condition: { tag } }), "precondition");
    assert.equal(await textAt(place.direct, "index"), undefined);
  });

  await t.step("our change that was replaced before its reply got lost is a precondition", async () => {
    await using place = await openPlace(service);
    const { tag } = await place.direct.put("index", bytesOf("serial 1"));
    const afterReply = async () => void await place.direct.put("index", foreign);
    breakFirst(place.proxy, "put", { kind: "lose_reply", afterReply });
    await assertFails(resilient(place.proxied).put("index", change, { condition: { tag } }), "precondition");
    assert.equal(await textAt(place.direct, "index"), "his  2");
  });

  await t.step("somebody else comes first while ours is sent in vain", async () => {
    await using place = await openPlace(service);
    const bucket = resilient(place.proxied);
    for (const kind of ["reset_before", "hang"] as const) {
      const key = `index-${kind}`;
      const { tag } = await place.direct.put(key, bytesOf("serial 1"));
      const isOurs = (method: string) => method === "PUT" || method === "POST";
      place.proxy.onRequest = async ({ method }) => {
        if (!isOurs(method)) return PASS;
        await place.direct.put(key, foreign);
        return { kind };
      };
      await assertFails(bucket.put(key, change, { condition: { tag } }), "precondition");
      assert.equal(await textAt(place.direct, key), "his  2");
    }
  });

  await t.step("a race has one winner, also when half of the replies get lost", async () => {
    await using place = await openPlace(service);
    const { tag } = await place.direct.put("index", bytesOf("serial 1"));
    let puts = 0;
    place.proxy.onRequest = ({ kind }) => kind === "put" && puts++ % 2 === 0 ? { kind: "lose_reply" } : PASS;
    const outcomes = await Promise.all(Array.from({ length: 8 }, async (_, i) => {
      const bucket = resilient(await place.open());
      try {
        await bucket.put("index", bytesOf(`writer ${i}`), { condition: { tag } });
        return `writer ${i}`;
      } catch (error) {
        assert.ok(error instanceof BucketError && error.failure === "precondition", `${error}`);
        return undefined;
      }
    }));
    const winners = outcomes.filter((it) => it !== undefined);
    assert.deepEqual(winners, [await textAt(place.direct, "index")]);
  });
}

for (const { name, needs, start } of SERVICES) {
  testRequiring(needs, `a bucket of ${name} survives every fault`, async (t) => {
    await using service = await start();
    for (const [fault, action] of Object.entries({ ...FAULTS, "slow down": service.slowDown })) {
      await t.step(fault, async () => {
        const failed: string[] = [];
        await mapLimited(Object.entries(CALLS), CASES_AT_ONCE, async ([call, it]) => {
          await survives(service, action, it).catch((error) => failed.push(`${call}: ${error.stack}`));
        });
        assert.deepEqual(failed, []);
      });
    }
    await conditionalWrites(t, service);
  });
}
