/** On podman: through its socket, as docker-compose uses it, and by its own command line, as podman-compose does. */
import type { JsonObject } from "#/core/json.ts";
import { run } from "../support/servers/container_engine.ts";
import { engineOf, mountpoint, setUpStack, stackFixture, stackOf } from "./container_support.ts";
import { targetContract } from "./target_contract.ts";

const socket = stackFixture("podman");
targetContract(socket);

/** As podman-compose makes a container: by a command, with labels. */
async function runService(world: string, service: string, image: string, ...more: readonly string[]) {
  const label = (name: string, value: string) => ["--label", `com.docker.compose.${name}=${value}`];
  await podman(
    world,
    ...["run", `--name=shop_${service}_1`, "-d", "--init", "--pull=never", ...label("project", "shop")],
    ...[...label("service", service), ...label("container-number", "1"), ...more, image, "sleep", "100000"],
  );
}

function podman(world: string, ...args: readonly string[]): Promise<string> {
  return run(["podman", ...args], { env: { CONTAINER_HOST: engineOf(world).env["CONTAINER_HOST"]! } });
}

function runWeb(world: string, image: string): Promise<void> {
  const folder = stackOf(world);
  return runService(
    world,
    "web",
    image,
    ...["--env-file", `${folder}/web.env`, "-e", "PASSWORD=s3cret-token", "-v", "shop_data:/data"],
    ...["-v", `${folder}/web.conf:/etc/web.conf:ro`],
  );
}

async function setUp(world: string): Promise<JsonObject> {
  const config = await setUpStack(world, "podman", { compose: ["no-such-compose"] });
  await engineOf(world).compose(stackOf(world), "rm", "-sf");
  await runService(world, "db", "app:1", "-v", "shop_db:/data");
  await runWeb(world, "app:1");
  return { ...config, engine: "podman" };
}

targetContract({
  ...socket,
  name: "container: a stack of podman's own",
  setUp,
  changes: {
    "another image runs, with other variables and data": async (world) => {
      Deno.writeTextFileSync(`${stackOf(world)}/web.env`, "MODE=two\n");
      await podman(world, "rm", "-f", "shop_web_1");
      await runWeb(world, "docker.io/library/app:2");
      Deno.writeTextFileSync(`${await mountpoint(world, "shop_data")}/one`, "2");
    },
  },
  env: (world) => ({ CONTAINER_HOST: engineOf(world).env["CONTAINER_HOST"]! }),
  brief: true,
});
