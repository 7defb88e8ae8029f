/** What the upload in parts does when single requests fail: with a server that fails as it is told. */
import assert from "node:assert/strict";
import type { Bucket } from "#/storage/bucket/bucket.ts";
import { openS3Bucket } from "#/storage/s3/open.ts";
import { clientEnvironment } from "../support/servers/s3_server.ts";
import { withTempDir } from "../support/temp.ts";
import { failsWith } from "./s3_support.ts";

const MIB = 1024 * 1024;
const SIZE = 12 * MIB; // three parts

/** Requests in short: `PUT 2` is the second part. The answer is a status, or undefined for what is right. */
type Answer = (request: string, count: number) => Response | undefined;

const failure = (status: number, code: string) =>
  new Response(`<Error><Code>${code}</Code></Error>`, { status });

Deno.test("a part that fails is sent again", async () => {
  const requests = await uploading(
    (request, count) => request.startsWith("PUT") && count <= 2 ? failure(503, "SlowDown") : undefined,
    async (upload) => assert.equal((await upload()).tag, "whole-3"),
  );
  assert.deepEqual(counts(requests), { "create": 1, "PUT 1": 3, "PUT 2": 3, "PUT 3": 3, "complete": 1 });
});

Deno.test("a part that never succeeds ends the upload, and what was sent is removed", async () => {
  const requests = await uploading(
    (request) => request === "PUT 2" ? failure(500, "InternalError") : undefined,
    async (upload) => void await failsWith("server", upload()),
  );
  assert.deepEqual(counts(requests), { "create": 1, "PUT 1": 1, "PUT 2": 5, "PUT 3": 1, "abort": 1 });
});

Deno.test("a part that is refused is not sent again", async () => {
  const requests = await uploading(
    (request) => request === "PUT 1" ? failure(403, "AccessDenied") : undefined,
    async (upload) => void await failsWith("denied", upload()),
  );
  const found = counts(requests);
  assert.equal(found["PUT 1"], 1);
  assert.equal(found.abort, 1);
  assert.equal(found.complete, undefined);
});

Deno.test("the request that makes the object appear is sent once", async () => {
  for (const status of [500, 409]) {
    const requests = await uploading(
      (request) => request === "complete" ? failure(status, "InternalError") : undefined,
      async (upload) => assert.ok((await failsWith("server", upload())).isUnknown),
    );
    assert.equal(counts(requests).complete, 1);
    assert.equal(counts(requests).abort, 1);
  }
});

Deno.test("a failure is told although the parts cannot be removed", async () => {
  await uploading(
    (request) => request === "PUT 1" || request === "abort" ? failure(403, "AccessDenied") : undefined,
    async (upload) => void await failsWith("denied", upload()),
  );
});

/** Runs an upload of three parts against a server that answers so, and returns what was asked of it. */
async function uploading(
  answer: Answer,
  body: (upload: () => ReturnType<Bucket["upload"]>) => Promise<void>,
): Promise<readonly string[]> {
  const requests: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    await request.body?.pipeTo(new WritableStream());
    const name = nameOf(request);
    requests.push(name);
    return answer(name, counts(requests)[name]!) ?? rightAnswer(name);
  });
  try {
    await withTempDir(async (folder) => {
      const path = `${folder}/file`;
      Deno.writeFileSync(path, new Uint8Array(SIZE));
      const endpoint = `http://127.0.0.1:${server.addr.port}`;
      const environment = clientEnvironment({ endpoint, accessKey: "AK", secretKey: "SECRETKEY" });
      const bucket = await openS3Bucket({ bucket: "mine", prefix: "" }, { jobs: 4, environment });
      await body(() => bucket.upload("key", { path, size: SIZE }));
    });
  } finally {
    await server.shutdown();
  }
  return requests;
}

function nameOf({ method, url }: Request): string {
  const { searchParams } = new URL(url);
  if (searchParams.has("uploads")) return "create";
  if (method === "PUT") return `PUT ${searchParams.get("partNumber")}`;
  return method === "POST" ? "complete" : method === "DELETE" ? "abort" : method;
}

function rightAnswer(name: string): Response {
  if (name === "create") return new Response("<R><UploadId>7</UploadId></R>");
  if (name === "complete") return new Response('<R><ETag>"whole-3"</ETag></R>');
  return new Response(null, { headers: { ETag: '"part"' } });
}

function counts(requests: readonly string[]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const name of requests.toSorted()) found[name] = (found[name] ?? 0) + 1;
  return found;
}
