/** What goes wrong with a service, as a person meets it: exit code 52, what to do, and no secret anywhere. */
import assert from "node:assert/strict";
import { mapLimited } from "#/storage/limit.ts";
import { BUCKET_WORLDS, type BucketWorld, COMMANDS_AT_ONCE } from "../support/bucket_world.ts";
import { type CliServer, startCliServer } from "../support/cli_server.ts";
import { testRequiring } from "../support/require.ts";
import { startCeph } from "../support/servers/ceph.ts";
import { startGcs } from "../support/servers/gcs.ts";
import { askFreePorts } from "../support/servers/started_server.ts";
import { withTempDir } from "../support/temp.ts";

const SECRETS = [
  "AKWRONGWRONGWRONG",
  "SKwrong+wrong/wrong",
  "SKbackoutTestOnly",
  "TOKENwrong",
  "Signature=",
  "X-Amz-",
];

/** Each with what its failure must say. */
interface Failure {
  readonly location: string;
  readonly says: RegExp;
  readonly hint: RegExp;
}

testRequiring(["ceph"], "an S3 that refuses or is not there", async (t) => {
  await using ceph = await startCeph();
  await ceph.createBucket("releases");
  const good = ceph.environment();
  const closed = `http://127.0.0.1:${askFreePorts(1)[0]}`;
  const here = { location: "s3://releases/a" };
  const failures: Readonly<Record<string, Failure & { readonly env: Record<string, string> }>> = {
    "a missing bucket": {
      env: good,
      location: "s3://no-such-bucket/a",
      says: /no such bucket|NoSuchBucket/i,
      hint: /bucket's name/,
    },
    "a wrong access key": {
      ...here,
      env: { ...good, AWS_ACCESS_KEY_ID: SECRETS[0]! },
      says: /InvalidAccessKeyId|access key/i,
      hint: /access key/,
    },
    "a wrong secret": {
      ...here,
      env: { ...good, AWS_SECRET_ACCESS_KEY: SECRETS[1]! },
      says: /SignatureDoesNotMatch|secret/i,
      hint: /access key and its secret/,
    },
    "a refused connection": {
      ...here,
      env: { ...good, AWS_ENDPOINT_URL: closed },
      says: /could not be made/,
      hint: /AWS_ENDPOINT_URL/,
    },
    "no credentials": {
      ...here,
      env: without(good, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
      says: /credentials/i,
      hint: /AWS_ACCESS_KEY_ID/,
    },
  };
  for (const [name, { env, ...failure }] of Object.entries(failures)) {
    await t.step(name, async () => {
      await using server = startCliServer(env);
      await assertFails(server, failure);
    });
  }
});

Deno.test("a GCS that refuses or is not there", async (t) => {
  await using open = await startGcs();
  open.createBucket("releases");
  await using closed = await startGcs({ authorize: () => false });
  const nowhere = `http://127.0.0.1:${askFreePorts(1)[0]}`;
  const failures: Readonly<Record<string, Failure & { readonly host: string }>> = {
    "a missing bucket": {
      host: open.endpoint,
      location: "gs://no-such-bucket/a",
      says: /bucket/i,
      hint: /bucket's name/,
    },
    "no permission": {
      host: closed.endpoint,
      location: "gs://releases/a",
      says: /Invalid Credentials/i,
      hint: /credentials/,
    },
    "a refused connection": {
      host: nowhere,
      location: "gs://releases/a",
      says: /could not be made/,
      hint: /STORAGE_EMULATOR_HOST/,
    },
  };
  for (const [name, { host, ...failure }] of Object.entries(failures)) {
    await t.step(name, async () => {
      await using server = startCliServer({ STORAGE_EMULATOR_HOST: host });
      await assertFails(server, failure);
    });
  }
});

/** Reading, writing and planning commands all fail alike. */
async function assertFails({ run }: CliServer, { location, says, hint }: Failure): Promise<void> {
  await withTempDir(async (cwd) => {
    Deno.mkdirSync(`${cwd}/new`);
    Deno.writeTextFileSync(`${cwd}/new/app.txt`, "app\n");
    const commands: readonly (readonly string[])[] = [
      ["release", "list"],
      ["release", "rollback", "v1.0.2", "--reason", "test"],
      ["release", "rollback", "v1.0.2", "--dry-run"],
      ["release", "publish", "v1.0.3", "new"],
      ["backup", "list"],
      ["audit", "verify"],
      ["recover"],
      ["status"],
    ];
    await mapLimited(commands, COMMANDS_AT_ONCE, async (command) => {
      const words = `${command.join(" ")} on ${location}`;
      const result = await run([...command, "-r", location, "--json", "-v"], { cwd });
      assert.equal(result.code, 52, `${words}: ${result.stdout}${result.stderr}`);
      const { error } = JSON.parse(result.stdout);
      assert.equal(error.code, 52, words);
      assert.match(error.message, says, `${words}: ${error.message}`);
      assert.match(error.hint, hint, `${words}: ${error.message}: ${error.hint}`);
      const text = await run([...command, "-r", location], { cwd });
      assert.equal(text.code, 52, words);
      assert.doesNotMatch(text.stderr, /^\s+at /m, words);
      for (const secret of SECRETS) {
        const shown = [result.stdout, result.stderr, text.stdout, text.stderr].join("\n");
        assert.ok(!shown.includes(secret), `${words} shows ${secret}: ${shown}`);
      }
    });
    const doctor = await run(["doctor", "-r", location, "--json"], { cwd });
    assert.ok([52, 54].includes(doctor.code), doctor.stdout);
    assert.match(doctor.stdout, says);
  });
}

for (const kind of BUCKET_WORLDS) {
  testRequiring(kind.needs, `locations and flags that cannot be on ${kind.name}`, async (t) => {
    await using world = await kind.start();
    for (const [name, body] of Object.entries(MISUSES)) {
      await t.step(name, () => withTempDir((cwd) => body(world, cwd)));
    }
  });
}

const MISUSES: Readonly<Record<string, (world: BucketWorld, cwd: string) => Promise<void>>> = {
  "--offline is refused before anything is asked": async (world, cwd) => {
    const { json } = world.repository(cwd);
    assert.match((await json(2, "release", "list", "--offline")).error.message, /--offline/);
    await json(2, "release", "rollback", "v1", "--offline");
  },

  "--state-dir is for folders": async (world, cwd) => {
    const { json } = world.repository(cwd);
    assert.match((await json(2, "release", "list", "--state-dir", "state")).error.message, /--state-dir/);
    await json(2, "release", "publish", "v1", cwd, "--state-dir", "state");
  },

  "a bucket without an index says so, and stays empty": async (world, cwd) => {
    const { json, list } = world.repository(cwd);
    const { error } = await json(40, "release", "list");
    assert.match(error.message, /no repository at .* no index\.json/);
    assert.match(error.hint, /publish/);
    await json(40, "release", "rollback", "v1");
    await json(40, "recover");
    await json(54, "doctor");
    assert.deepEqual(await list(), []);
  },

  "a damaged index is 44, and stays as it is": async (world, cwd) => {
    const { json, list, write, read } = world.repository(cwd);
    await write("index.json", '{"releases": [');
    await json(44, "release", "list");
    await json(44, "release", "rollback", "v1");
    assert.equal(await read("index.json"), '{"releases": [');
    assert.deepEqual((await list()).filter((key) => /^\.backout\/operations|^v1/.test(key)), []);
  },

  "names that are no bucket": async ({ scheme, cli }, cwd) => {
    for (const location of ["", "/x", "UPPER/x", "a/../b", "b_/../../x", "a/./b"]) {
      const { code, stderr } = await cli.run(["release", "list", "-r", `${scheme}://${location}`], { cwd });
      assert.equal(code, 2, `${location}: ${stderr}`);
    }
  },
};

function without(env: Record<string, string>, ...names: readonly string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !names.includes(name)));
}
