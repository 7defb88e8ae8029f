/** What receivers get, over real connections, and what becomes of a message that they do not take. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { notify, type NotifyResult } from "#/notify/notify.ts";
import { signatureOf } from "#/notify/signature.ts";
import type { WebhookTarget } from "#/notify/target.ts";
import type { NotifyTools } from "#/notify/tools.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";
import {
  answer,
  deadPort,
  eventOf,
  KEY,
  KEY_NAME,
  placeIn,
  receiver,
  spoolFiles,
  testTools,
  URL_SECRET,
  webhook,
} from "../unit/notify_support.ts";
import { reports } from "../unit/report_fixtures.ts";

const event = eventOf();

interface Sent extends NotifyResult {
  readonly files: readonly string[];
  readonly spooledText: string;
}

/** Sends one event to one webhook, and shows what is in the spool afterwards. */
async function send(target: WebhookTarget, tools: NotifyTools, offline = false): Promise<Sent> {
  return await withTempDir(async (folder) => {
    const spool = placeIn(folder);
    const result = await notify({ targets: [target], spool, offline }, [event], tools);
    const files = spoolFiles(spool);
    const texts = files.map((name) => Deno.readTextFileSync(join(spool.folder, name)));
    const { delivered, spooled, warnings, unreachable } = result;
    for (const text of [...texts, ...files, ...warnings]) {
      assert.ok(!text.includes(URL_SECRET), `the URL's secret is in ${text}`);
      assert.ok(!text.includes(KEY), `the key is in ${text}`);
    }
    return { delivered, spooled, warnings, unreachable, files, spooledText: texts.join("") };
  });
}

Deno.test("a receiver gets the event once, as CloudEvents JSON", async () => {
  await using server = receiver(answer(204));
  const sent = await send(webhook(server.url), testTools());
  assert.deepEqual([sent.delivered, sent.spooled, sent.warnings, sent.files], [1, 0, [], []]);
  assert.equal(server.received.length, 1);
  const [got] = server.received;
  assert.equal(got!.method, "POST");
  assert.equal(got!.path, `/${URL_SECRET}`);
  assert.equal(got!.headers.get("content-type"), "application/cloudevents+json; charset=utf-8");
  assert.match(got!.headers.get("user-agent")!, /^backout\/\d/);
  assert.equal(got!.headers.get("backout-signature"), null);
  assert.equal(got!.body, event.body);
});

testRequiring(
  ["python3"],
  "the signature is over exactly these bytes, as the examples in the docs verify it",
  async () => {
    await using server = receiver(answer(200));
    const tools = testTools({ [KEY_NAME]: KEY });
    const unusual = eventOf({ ...reports.success, reason: "naïve “quotes” \u{1F680} \ud800" });
    await notify(
      { targets: [webhook(server.url, { secret_env: KEY_NAME })], spool: undefined },
      [unusual],
      tools,
    );
    const [{ body, headers }] = server.received as [typeof server.received[0]];
    const header = headers.get("backout-signature")!;
    const at = Number(/^t=(\d+),v1=[0-9a-f]{64}$/.exec(header)![1]);
    const checks = [
      [KEY, header, body],
      [KEY, header, body + " "],
      [KEY, header.replace(`t=${at}`, `t=${at + 1}`), body],
      ["another key", header, body],
      [KEY, header.replace(/v1=..../, "v1="), body],
      [KEY, signatureOf(body, KEY, new Date((at - 3600) * 1000)), body],
    ] as const;
    const expected = [true, false, false, false, false, false];
    await withTempDir(async (folder) => {
      assert.deepEqual(await python(folder, checks), expected);
      const file = join(folder, "verify.ts");
      Deno.writeTextFileSync(file, example("ts"));
      const { isGenuine } = await import(pathToFileURL(file).href);
      assert.deepEqual(
        checks.map(([key, header, body]) => isGenuine(key, header, new TextEncoder().encode(body))),
        expected,
      );
    });
  },
);

function example(language: string): string {
  const text = Deno.readTextFileSync(new URL("../../docs/notifications.md", import.meta.url));
  return new RegExp("```" + language + "\\n([^`]*(?:`[^`]+`[^`]*)*)```").exec(text)![1]!;
}

async function python(folder: string, checks: readonly (readonly string[])[]): Promise<unknown> {
  const cases = join(folder, "checks.json");
  Deno.writeTextFileSync(cases, JSON.stringify(checks));
  const run =
    "import json, sys\nwith open(sys.argv[1], encoding='utf-8') as file: checks = json.load(file)\n" +
    "print(json.dumps([is_genuine(key.encode(), header, body.encode()) for key, header, body in checks]))";
  const { stdout, success } = await new Deno.Command("python3", {
    args: ["-c", `${example("python")}\n${run}`, cases],
    stdin: "null",
    stderr: "inherit",
  }).output();
  assert.ok(success);
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test("without its key a message is not sent unsigned: it waits", async () => {
  await using server = receiver(answer(200));
  const sent = await send(webhook(server.url, { secret_env: KEY_NAME }), testTools());
  assert.equal(server.received.length, 0);
  assert.equal(sent.spooled, 1);
  assert.match(sent.warnings[0]!, /BACKOUT_TEST_WEBHOOK_SECRET is not set/);
});

Deno.test("after a 500 the same bytes are sent again, signed anew", async () => {
  await using server = receiver(answer(500), answer(503), answer(200));
  const tools = testTools({ [KEY_NAME]: KEY });
  const sent = await send(webhook(server.url, { secret_env: KEY_NAME }), tools);
  assert.equal(sent.delivered, 1);
  assert.deepEqual(server.received.map((it) => it.body), [event.body, event.body, event.body]);
  assert.deepEqual(tools.sleeps, [100, 200]); // half of 200 ms and of 400 ms
});

Deno.test("a receiver that only fails is tried four times; then the message waits", async () => {
  await using server = receiver(answer(502));
  const tools = testTools({ [KEY_NAME]: KEY });
  const sent = await send(webhook(server.url, { secret_env: KEY_NAME }), tools);
  assert.equal(server.received.length, 4);
  assert.deepEqual([sent.delivered, sent.spooled], [0, 1]);
  assert.match(
    sent.warnings[0]!,
    /^Could not notify the webhook at 127\.0\.0\.1:\d+: it answered 502\. The message waits/,
  );
  assert.equal(JSON.parse(sent.spooledText).body, event.body);
});

Deno.test("Retry-After is kept to, in seconds and as a date", async () => {
  const now = new Date("2026-03-04T05:06:07Z");
  const tools = { ...testTools(), now: () => now };
  const date = new Date(now.getTime() + 9_000).toUTCString();
  await using server = receiver(
    answer(429, { "retry-after": "2" }),
    answer(503, { "retry-after": date }),
    answer(200),
  );
  const sent = await send(webhook(server.url), tools);
  assert.equal(sent.delivered, 1);
  assert.deepEqual(tools.sleeps, [2_000, 9_000]);
});

Deno.test("a Retry-After beyond the target's time is not waited for", async () => {
  await using server = receiver(answer(429, { "retry-after": "3600" }), answer(200));
  const tools = testTools();
  const sent = await send(webhook(server.url), tools);
  assert.equal(server.received.length, 1);
  assert.deepEqual(tools.sleeps, []);
  assert.equal(sent.spooled, 1);
});

Deno.test("a receiver that never answers holds nobody up", async () => {
  await using server = receiver(() => new Promise<Response>(() => {}));
  const sent = await send(webhook(server.url, { timeout_ms: 100 }), testTools());
  assert.deepEqual([sent.delivered, sent.spooled], [0, 1]);
  assert.match(sent.warnings[0]!, /did not answer in time/);
});

Deno.test("a request that does not even look at its time is left behind", async () => {
  const tools = { ...testTools(), fetch: () => new Promise<Response>(() => {}) };
  const sent = await send(webhook("http://127.0.0.1:9/", { timeout_ms: 50 }), tools);
  assert.equal(sent.spooled, 1);
});

Deno.test("a port that nobody listens on: the message waits", async () => {
  const tools = testTools();
  const sent = await send(webhook(`http://127.0.0.1:${deadPort()}/${URL_SECRET}`), tools);
  assert.equal(sent.spooled, 1);
  assert.equal(tools.sleeps.length, 3);
  assert.match(sent.warnings[0]!, /: the connection was refused\. /);
});

Deno.test("a connection that breaks: the message waits", async () => {
  let connections = 0;
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    for await (const connection of listener) {
      connections++;
      await connection.read(new Uint8Array(1)); // what is left unread makes the close a reset
      connection.close();
    }
  })();
  const { port } = listener.addr;
  const sent = await send(webhook(`http://127.0.0.1:${port}/${URL_SECRET}`), testTools());
  listener.close();
  await serving;
  assert.equal(sent.spooled, 1);
  assert.ok(connections >= 4, `${connections} connections`);
  assert.match(sent.warnings[0]!, /: (the connection broke|the request failed)\. /);
});

Deno.test("a redirect is not followed", async () => {
  await using elsewhere = receiver(answer(200));
  await using server = receiver(answer(307, { location: elsewhere.url }));
  const sent = await send(webhook(server.url), testTools());
  assert.equal(elsewhere.received.length, 0);
  assert.equal(server.received.length, 1);
  assert.equal(sent.spooled, 1);
  assert.match(sent.warnings[0]!, /redirect, which is not followed/);
});

Deno.test("an answer without end is not read to its end", async () => {
  let stopped = () => {};
  const isStopped = new Promise<void>((resolve) => stopped = resolve);
  const endless = () =>
    new Response(
      new ReadableStream({
        pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
        cancel: () => stopped(),
      }),
    );
  await using server = receiver(endless);
  const sent = await send(webhook(server.url), testTools());
  assert.equal(sent.delivered, 1);
  await isStopped;
});

Deno.test("what a receiver rejects is not kept; what it refuses is", async () => {
  for (const [status, spooled] of [[400, 0], [413, 0], [422, 0], [401, 1], [404, 1], [410, 1]] as const) {
    await using server = receiver(answer(status));
    const sent = await send(webhook(server.url), testTools());
    assert.equal(server.received.length, 1, `${status} was tried again`);
    assert.equal(sent.spooled, spooled, `${status}`);
    assert.match(sent.warnings[0]!, new RegExp(`it answered ${status}`));
  }
});

Deno.test("offline nothing is sent: the message waits, silently", async () => {
  await using server = receiver(answer(200));
  const sent = await send(webhook(server.url), testTools(), true);
  assert.equal(server.received.length, 0);
  assert.deepEqual([sent.spooled, sent.warnings], [1, []]);
});

Deno.test("without the permission for the network the message waits and nothing asks", async () => {
  await using server = receiver(answer(200));
  const sent = await send(webhook(server.url), { ...testTools(), mayConnect: () => false });
  assert.equal(server.received.length, 0);
  assert.equal(sent.spooled, 1);
});
