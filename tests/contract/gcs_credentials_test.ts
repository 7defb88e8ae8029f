/** Credentials of GCS: by the SDK, sent where they belong, and in no message. */
import assert from "node:assert/strict";
import { generateKeyPairSync, verify } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BucketFailure } from "#/storage/bucket/bucket_error.ts";
import { withTempDir } from "../support/temp.ts";
import { bytesOf, failsWith, openOn, refusal, startWithBucket } from "./gcs_support.ts";

const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const PEM = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
const KEY_LINE = PEM.split("\n")[5]!;
const ACCOUNT = {
  type: "service_account",
  project_id: "tests",
  private_key_id: "c0ffee",
  private_key: PEM,
  client_email: "backout@tests.iam.gserviceaccount.com",
  client_id: "1",
  token_uri: "http://127.0.0.1:9/token",
};

/** A file of credentials. */
async function withKeyFile(content: string, body: (path: string) => Promise<void>): Promise<void> {
  await withTempDir(async (folder) => {
    const path = join(folder, "key.json");
    await Deno.writeTextFile(path, content, { mode: 0o600 });
    await body(path);
  });
}

Deno.test("a service account signs its requests to GCS itself, and no error shows its token", async () => {
  await withKeyFile(JSON.stringify(ACCOUNT), async (path) => {
    const tokens = new Set<string>();
    await using server = await startWithBucket({
      authorize: (authorization) => {
        const token = /^Bearer (.+)$/.exec(authorization ?? "")?.[1];
        if (token !== undefined) tokens.add(token);
        return token !== undefined && isSigned(token);
      },
    });
    const bucket = await openOn(server, { environment: { GOOGLE_APPLICATION_CREDENTIALS: path } });
    await bucket.put("a", bytesOf("x"), { condition: { absent: true } });
    assert.equal((await bucket.head("a"))!.size, 1);
    assert.equal(tokens.size, 1, "one token serves all requests");
    const [token] = [...tokens];
    const { iss, scope, exp } = partOf(token!, 1);
    assert.equal(iss, ACCOUNT.client_email);
    assert.equal(scope, "https://www.googleapis.com/auth/cloud-platform");
    assert.ok(Number(exp) * 1000 > Date.now());

    const secrets = [token!, token!.split(".")[2]!, KEY_LINE];
    await failsWith("precondition", bucket.put("a", bytesOf("x"), { condition: { absent: true } }), secrets);
    // A service that repeats what it was sent.
    server.intercept = ({ headers }) => refusal(401, "authError", `no: ${headers.get("authorization")}`);
    await failsWith("bad_credentials", bucket.head("a"), secrets);
    server.intercept = ({ headers }) => new Response(`no: ${headers.get("authorization")}`, { status: 500 });
    await failsWith("server", bucket.head("a"), secrets);
  });
});

Deno.test("a clock that is wrong is told from wrong credentials", async () => {
  await using server = await startWithBucket();
  const bucket = await openOn(server);
  const wrong = (date: Date) => () => {
    const reply = refusal(401, "authError", "Invalid Credentials");
    reply.headers.set("date", date.toUTCString());
    return reply;
  };
  server.intercept = wrong(new Date(Date.now() + 3600_000));
  await failsWith("clock_skew", bucket.head("a"));
  server.intercept = wrong(new Date());
  await failsWith("bad_credentials", bucket.head("a"));
});

function isSigned(token: string): boolean {
  const [head, claims, signature] = token.split(".");
  return verify(
    "sha256",
    bytesOf(`${head}.${claims}`),
    publicKey,
    Uint8Array.fromBase64(signature!, { alphabet: "base64url" }),
  );
}

function partOf(token: string, index: number): Record<string, unknown> {
  return JSON.parse(
    new TextDecoder().decode(Uint8Array.fromBase64(token.split(".")[index]!, { alphabet: "base64url" })),
  );
}

Deno.test("an emulator of GCS is sent no credentials, however its address is written", async () => {
  await using server = await startWithBucket({ authorize: (authorization) => authorization === null });
  const host = new URL(server.endpoint).host;
  for (const address of [server.endpoint, `${server.endpoint}/`, host, `${server.endpoint}/storage/v1/`]) {
    const bucket = await openOn({ endpoint: address });
    assert.equal(await bucket.head("a"), undefined);
  }
  await assert.rejects(openOn({ endpoint: "http://user:hunter2@127.0.0.1" }), (error: Error) => {
    return error.name === "UsageError" && !error.message.includes("hunter2");
  });
});

const UNUSABLE: readonly (readonly [what: string, content: string, failure: BucketFailure])[] = [
  ["no JSON", `{"private_key": "${KEY_LINE}`, "bad_credentials"],
  ["an empty file", "", "bad_credentials"],
  ["no key", JSON.stringify({ ...ACCOUNT, private_key: undefined }), "bad_credentials"],
  ["half a key", JSON.stringify({ ...ACCOUNT, private_key: PEM.slice(0, 300) }), "bad_credentials"],
  ["half a user", JSON.stringify({ type: "authorized_user", client_secret: KEY_LINE }), "bad_credentials"],
];

for (const [what, content, failure] of UNUSABLE) {
  Deno.test(`credentials of GCS with ${what} are refused without showing them`, async () => {
    await withKeyFile(content, async (path) => {
      await using server = await startWithBucket();
      const bucket = await openOn(server, { environment: { GOOGLE_APPLICATION_CREDENTIALS: path } });
      const error = await failsWith(failure, bucket.head("a"), [KEY_LINE, KEY_LINE.slice(0, 20)]);
      assert.match(error.message, /^Cannot get credentials in gs:\/\/releases: /);
      assert.deepEqual(server.requests, []);
    });
  });
}

Deno.test("a file of credentials that is not there is told by its name", async () => {
  await withTempDir(async (folder) => {
    await using server = await startWithBucket();
    const path = join(folder, "gone.json");
    const bucket = await openOn(server, { environment: { GOOGLE_APPLICATION_CREDENTIALS: path } });
    const error = await failsWith("no_credentials", bucket.head("a"));
    assert.match(error.message, /gone\.json/);
  });
});

/** Runs a program in a process of its own: what the SDK finds on this machine must not matter. Returns what it prints. */
async function runAlone(program: string, env: Readonly<Record<string, string>>): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", "--config", fileURLToPath(import.meta.resolve("../../deno.json")), program],
    clearEnv: true,
    env: {
      PATH: Deno.env.get("PATH") ?? "",
      DENO_DIR: Deno.env.get("DENO_DIR") ?? join(Deno.env.get("HOME") ?? "/", ".cache", "deno"),
      METADATA_SERVER_DETECTION: "none",
      ...env,
    },
    stdin: "null",
    stderr: "inherit",
  });
  return new TextDecoder().decode((await child.output()).stdout);
}

Deno.test("without any credentials GCS is not asked", async () => {
  await withTempDir(async (folder) => {
    const said = await runAlone(
      `const { openGcsBucket } = await import(${
        JSON.stringify(import.meta.resolve("#/storage/gcs/open.ts"))
      });
      const bucket = await openGcsBucket({ bucket: "releases", prefix: "" }, { jobs: 1 });
      try { await bucket.head("a"); } catch (error) { console.log(error.failure, error.message); }`,
      { HOME: folder },
    );
    assert.match(said, /^no_credentials Cannot get credentials in gs:\/\/releases: there are no credentials/);
  });
});

Deno.test("Google itself is asked with the credentials of the environment", async () => {
  await withKeyFile(JSON.stringify(ACCOUNT), async (path) => {
    const said = await runAlone(
      `const { openAccess } = await import(${JSON.stringify(import.meta.resolve("#/storage/gcs/access.ts"))});
      const access = await openAccess(undefined);
      console.log(access.endpoint, access.isCustom, JSON.stringify(await access.authorization()));`,
      { HOME: "/nonexistent", GOOGLE_APPLICATION_CREDENTIALS: path, STORAGE_EMULATOR_HOST: "" },
    );
    const [, token] = /^https:\/\/storage\.googleapis\.com false \[\["authorization","Bearer (\S+)"\]\]\n$/
      .exec(said)!;
    assert.ok(isSigned(token!));
    assert.equal(partOf(token!, 1).scope, "https://www.googleapis.com/auth/cloud-platform");
  });
});
