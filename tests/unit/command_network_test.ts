/** When the network permission is kept: only where a location or the configuration names a network. */
import assert from "node:assert/strict";
import { needsNetwork } from "#/command/network.ts";
import { withTempDir } from "../support/temp.ts";

function asks(argv: readonly string[], env: Record<string, string> = {}, cwd = "/"): boolean {
  return needsNetwork({ argv, env: (name) => env[name], cwd });
}

Deno.test("network: dropped for folders", () => {
  assert.equal(asks([]), false);
  assert.equal(asks(["release", "rollback", "v1", "-r", "/srv/releases"]), false);
  assert.equal(asks(["release", "list", "-r", "file:///srv/releases"]), false);
  assert.equal(asks(["release", "list"], { BACKOUT_REPOSITORY: "/srv/s3" }), false);
  assert.equal(asks(["release", "rollback", "v1", "--reason", "see https://ops/42"]), false);
  assert.equal(asks(["release", "rollback", "v1", "--reason=see s3://x"]), false);
});

Deno.test("network: kept for buckets, however they are named", () => {
  assert.equal(asks(["release", "list", "-r", "s3://bucket/x"]), true);
  assert.equal(asks(["release", "list", "-rs3://bucket/x"]), true);
  assert.equal(asks(["release", "list", "--repository=gs://bucket"]), true);
  assert.equal(asks(["release", "list", "--repository-type", "s3", "--repository-bucket", "b"]), true);
  assert.equal(asks(["release", "list", "--repository-type=gcs"]), true);
  assert.equal(asks(["release", "list"], { BACKOUT_REPOSITORY: "S3://bucket" }), true);
});

Deno.test("network: --offline wins", () => {
  assert.equal(asks(["release", "list", "-r", "s3://bucket/x", "--offline"]), false);
});

Deno.test("network: the configuration decides too, its comments do not", async () => {
  await withTempDir((folder) => {
    const write = (text: string) => Deno.writeTextFileSync(`${folder}/backout.yaml`, text);
    Deno.mkdirSync(`${folder}/below`);
    const below = `${folder}/below`;
    write("version: 1\n# notify: https://ops.example/hook\nrepository: /srv\n");
    assert.equal(asks(["status"], {}, below), false);
    write("version: 1\nrepository: s3://bucket\n");
    assert.equal(asks(["status"], {}, below), true);
    write("version: 1\nrepository: ${WHERE}\n");
    assert.equal(asks(["status"], { WHERE: "gs://bucket" }, below), true);
    assert.equal(asks(["status"], { WHERE: "/srv" }, below), false);
    const elsewhere = `${folder}/below/other.yaml`;
    Deno.writeTextFileSync(elsewhere, "version: 1\n");
    assert.equal(asks(["status", "--config", "other.yaml"], {}, below), false);
    assert.equal(asks(["--config=../backout.yaml", "status"], { WHERE: "s3://b" }, below), true);
    assert.equal(asks(["status"], { BACKOUT_CONFIG: elsewhere }, folder), false);
  });
});
