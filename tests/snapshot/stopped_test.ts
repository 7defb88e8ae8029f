/** A real process that restores is told to stop: what was begun is taken back. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseJson } from "#/core/json.ts";
import { binary, programCommand, runProgram } from "../support/cli.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";

const ENV = { PATH: Deno.env.get("PATH") ?? "", HOME: Deno.env.get("HOME") ?? "" };
const preload = fileURLToPath(new URL("../support/faulty_main.ts", import.meta.url));

/** The fault calls are numbered; this is the first that changes the target. */
function callOn(counted: string, path: string): number {
  const line = Deno.readTextFileSync(counted).split("\n").find((it) => it.includes(path));
  return Number(line?.split(" ")[0]);
}

if (binary === undefined) {
  testRequiring(
    ["posix"],
    "SIGTERM in the middle of a restore: exit 143, all is as before",
    () =>
      withTempDir(async (folder) => {
        const file = join(folder, "conf", "app.conf");
        Deno.mkdirSync(join(folder, "conf"));
        Deno.writeTextFileSync(
          join(folder, "backout.yaml"),
          "version: 1\ntargets:\n  app: {type: file_system, paths: [conf]}\n",
        );
        Deno.writeTextFileSync(file, "v1");
        const made = await runProgram(["snapshot", "create", "--json"], { cwd: folder, env: ENV });
        assert.equal(made.code, 0, made.stderr);
        const { version: id } = parseJson(made.stdout) as { version: string };
        const words = ["snapshot", "restore", id, "--yes", "--json"];
        Deno.writeTextFileSync(file, "v2");
        const counted = join(folder, "calls");
        const whole = await runProgram(words, {
          cwd: folder,
          env: { ...ENV, BACKOUT_FAULT: `count:${counted}` },
          preload,
        });
        assert.equal(whole.code, 0, whole.stderr);
        assert.equal(Deno.readTextFileSync(file), "v1");

        Deno.writeTextFileSync(file, "v2");
        const paused = join(folder, "paused");
        const fault = `pause:${callOn(counted, "/conf")}:${paused}`;
        const child = programCommand(words, { cwd: folder, env: { ...ENV, BACKOUT_FAULT: fault }, preload })
          .spawn();
        while (!exists(paused)) await new Promise((resolve) => setTimeout(resolve, 10));
        child.kill("SIGTERM");
        await new Promise((resolve) => setTimeout(resolve, 50));
        Deno.writeTextFileSync(`${paused}.go`, "");
        const { code, stdout } = await child.output();
        assert.equal(code, 143, new TextDecoder().decode(stdout));
        assert.equal(Deno.readTextFileSync(file), "v2");
        const operations = join(folder, ".backout/target-operations");
        assert.deepEqual(exists(operations) ? [...Deno.readDirSync(operations)] : [], []);
      }),
  );
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
