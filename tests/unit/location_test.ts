/** LOCATION, taken apart; and the drivers that this build has. */
import assert from "node:assert/strict";
import { UsageError } from "#/core/errors.ts";
import { type Location, parseLocation } from "#/storage/location.ts";
import { openStorage } from "#/storage/registry.ts";

Deno.test("a location is a path, a file URL or a bucket", () => {
  const cases: readonly (readonly [string, Location])[] = [
    ["/srv/releases", { type: "local", path: "/srv/releases" }],
    ["releases", { type: "local", path: "releases" }],
    ["C:odd", { type: "local", path: "C:odd" }],
    ["file:///srv/my%20releases", { type: "local", path: "/srv/my releases" }],
    ["s3://bucket", { type: "s3", bucket: "bucket", prefix: "" }],
    ["S3://bucket/a/b/", { type: "s3", bucket: "bucket", prefix: "a/b" }],
    ["gs://my-bucket/p", { type: "gcs", bucket: "my-bucket", prefix: "p" }],
  ];
  for (const [text, wanted] of cases) assert.deepEqual(parseLocation(text), wanted, text);
});

Deno.test("a location that cannot be one is refused with a hint", () => {
  const wrong = [
    "",
    "  ",
    "a\0b",
    "ftp://host/x",
    "file://host/share",
    "file:///a?b",
    "s3://",
    "s3://UPPER/x",
    "s3://b/../x",
  ];
  for (const text of wrong) {
    assert.throws(() => parseLocation(text), (error: unknown) => {
      assert.ok(error instanceof UsageError, text);
      assert.equal(typeof error.hint, "string");
      return true;
    });
  }
});

Deno.test("a state folder beside a bucket is a usage error", async () => {
  await assert.rejects(
    openStorage("s3://bucket/x", { stateDir: "state" }),
    /--state-dir is for a repository in a folder/,
  );
  await assert.rejects(openStorage("gs://bucket/x", { stateDir: "state" }), UsageError);
});

Deno.test("opening creates nothing, and shows an absolute path", async () => {
  const { store } = await openStorage("no/such/folder");
  assert.equal(store.location, `${Deno.cwd()}/no/such/folder`);
  assert.throws(() => Deno.lstatSync(store.location), Deno.errors.NotFound);
});
