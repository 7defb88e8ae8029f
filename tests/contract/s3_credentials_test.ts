/**
 * The usual places of keys, region and endpoint, for the program as it is shipped: bundled, and with only the
 * permissions of the executable.
 */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleProgram } from "../../scripts/bundle.ts";
import { PERMISSIONS } from "../../scripts/permissions.ts";
import { testRequiring } from "../support/require.ts";
import { type CephServer, startCeph } from "../support/servers/ceph.ts";
import type { ChildReport } from "../support/s3_child.ts";
import { withTempDir } from "../support/temp.ts";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../..");
const READ: ChildReport = { read: "hello" };

testRequiring(["ceph"], "an S3 location finds its keys, region and endpoint", async (t) => {
  await using ceph = await startCeph();
  await ceph.createBucket("shared");
  await withTempDir(async (folder) => {
    assert.ok(bundleProgram(ROOT, ["tests/support/s3_child.ts"], join(folder, "bundle")));
    const keys = {
      AWS_ACCESS_KEY_ID: ceph.accessKey,
      AWS_SECRET_ACCESS_KEY: ceph.secretKey,
    };
    const child = (env: Record<string, string>) => runChild(folder, env);

    await t.step("in variables", async () => {
      assert.deepEqual(await child({ ...keys, AWS_ENDPOINT_URL: ceph.endpoint }), READ);
      assert.deepEqual(await child({ ...keys, AWS_ENDPOINT_URL_S3: ceph.endpoint }), READ);
      const nobody = "http://127.0.0.1:1";
      const both = { AWS_ENDPOINT_URL_S3: ceph.endpoint, AWS_ENDPOINT_URL: nobody };
      assert.deepEqual(await child({ ...keys, ...both, AWS_DEFAULT_REGION: "eu-north-1" }), READ);
    });

    await t.step("in a profile", async () => {
      writeProfiles(folder, ceph);
      assert.deepEqual(await child({ AWS_PROFILE: "ops" }), READ);
      const files = {
        AWS_CONFIG_FILE: join(folder, ".aws/config"),
        AWS_SHARED_CREDENTIALS_FILE: join(folder, ".aws/credentials"),
        HOME: "/nowhere",
      };
      assert.deepEqual(await child({ AWS_PROFILE: "ops", ...files }), READ);
    });

    await t.step("in a role that a token or another profile may take", async () => {
      await using tokens = startTokenService(ceph);
      const service = { AWS_ENDPOINT_URL_STS: tokens.endpoint };
      assert.deepEqual(await child({ AWS_PROFILE: "assumed", ...service }), READ);
      Deno.writeTextFileSync(join(folder, "token"), "a.b.c");
      const web = {
        AWS_ROLE_ARN: "arn:aws:iam::123456789012:role/deployer",
        AWS_WEB_IDENTITY_TOKEN_FILE: join(folder, "token"),
        AWS_ENDPOINT_URL_S3: ceph.endpoint,
      };
      assert.deepEqual(await child({ ...web, ...service }), READ);
      assert.deepEqual(tokens.actions, ["AssumeRole", "AssumeRoleWithWebIdentity"]);
    });

    await t.step("nowhere", async () => {
      const { failure, message } = await child({ AWS_ENDPOINT_URL: ceph.endpoint });
      assert.equal(failure, "no_credentials", message);
    });
  });
});

async function runChild(folder: string, env: Record<string, string>): Promise<ChildReport> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-config", ...PERMISSIONS, join(folder, "bundle/s3_child.js"), "shared"],
    env: {
      HOME: folder,
      NO_COLOR: "1",
      AWS_EC2_METADATA_DISABLED: "true",
      PATH: Deno.env.get("PATH")!,
      ...env,
    },
    clearEnv: true,
    stdin: "null",
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

function writeProfiles(folder: string, ceph: CephServer): void {
  Deno.mkdirSync(join(folder, ".aws"));
  const place = `region = eu-central-1\nendpoint_url = ${ceph.endpoint}\n`;
  const role = "role_arn = arn:aws:iam::123456789012:role/deployer\nsource_profile = ops\n";
  Deno.writeTextFileSync(
    join(folder, ".aws/config"),
    `[profile ops]\n${place}\n[profile assumed]\n${role}${place}`,
  );
  const keys = `aws_access_key_id = ${ceph.accessKey}\naws_secret_access_key = ${ceph.secretKey}\n`;
  Deno.writeTextFileSync(join(folder, ".aws/credentials"), `[ops]\n${keys}`);
}

/** Gives the server's own keys to whoever asks for a role. */
function startTokenService(ceph: CephServer) {
  const actions: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const action = new URLSearchParams(await request.text()).get("Action") ?? "";
    actions.push(action);
    const expires = new Date(Date.now() + 3_600_000).toISOString();
    const keys =
      `<AccessKeyId>${ceph.accessKey}</AccessKeyId><SecretAccessKey>${ceph.secretKey}</SecretAccessKey>`;
    const found =
      `<Credentials>${keys}<SessionToken></SessionToken><Expiration>${expires}</Expiration></Credentials>`;
    return new Response(`<${action}Response><${action}Result>${found}</${action}Result></${action}Response>`);
  });
  return {
    endpoint: `http://127.0.0.1:${server.addr.port}`,
    actions,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}
