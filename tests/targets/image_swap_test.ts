/** What of a container is its own, and what came from its image. */
import assert from "node:assert/strict";
import type { JsonObject } from "#/core/json.ts";
import { onOtherImage } from "#/target/container/image_swap.ts";

const OLD: JsonObject = {
  Config: {
    Env: ["PATH=/bin", "MODEL=old", "ONLY_OLD=1"],
    Cmd: ["serve", "--old"],
    WorkingDir: "/old",
    ExposedPorts: { "80/tcp": {} },
    Labels: { maker: "old", kept: "image" },
    Healthcheck: { Test: ["CMD", "old"] },
  },
};
const NEW: JsonObject = {
  Config: { Env: ["PATH=/bin", "MODEL=new"], Cmd: ["serve"], Labels: { maker: "new" } },
};
const image = { reference: "app:1", id: "sha256:1", record: NEW };

Deno.test("a container on another image keeps what it was given, and gets what the image brings", () => {
  const record: JsonObject = {
    Id: "a",
    Image: "sha256:2",
    Config: {
      Image: "app:2",
      User: "70",
      Env: ["PATH=/bin", "MODEL=mine", "ONLY_OLD=1", "TOKEN=x"],
      Cmd: ["serve", "--old"],
      WorkingDir: "/old",
      ExposedPorts: { "80/tcp": {} },
      Healthcheck: { Test: ["CMD", "old"] },
      Labels: { maker: "old", kept: "own", "com.docker.compose.image": "sha256:2" },
    },
  };
  const { Image, Config } = onOtherImage(record, OLD, image) as { Image: string; Config: JsonObject };
  assert.equal(Image, "sha256:1");
  assert.deepEqual(Config, {
    Image: "app:1",
    User: "70",
    Env: ["PATH=/bin", "MODEL=mine", "TOKEN=x"],
    Cmd: ["serve"],
    WorkingDir: "",
    Labels: { maker: "new", kept: "own", "com.docker.compose.image": "sha256:1" },
  });
});

Deno.test("a command of its own stays, and where the old image is gone everything counts as its own", () => {
  const record: JsonObject = { Config: { Image: "app:2", Cmd: ["mine"], Env: ["MODEL=old"] } };
  const known = onOtherImage(record, OLD, image).Config as JsonObject;
  assert.deepEqual([known.Cmd, known.Env], [["mine"], ["PATH=/bin", "MODEL=new"]]);
  const gone = onOtherImage(record, undefined, image).Config as JsonObject;
  assert.deepEqual([gone.Cmd, gone.Env], [["mine"], ["PATH=/bin", "MODEL=old"]]);
});

Deno.test("the command that made a container of podman names the other image", () => {
  const record: JsonObject = {
    ImageName: "app:2",
    Config: { CreateCommand: ["podman", "run", "-d", "app:2", "serve", "app:2"] },
  };
  const swapped = onOtherImage(record, OLD, image);
  assert.equal(swapped.ImageName, "app:1");
  assert.deepEqual((swapped.Config as JsonObject).CreateCommand, [
    "podman",
    "run",
    "-d",
    "app:1",
    "serve",
    "app:2",
  ]);
});
