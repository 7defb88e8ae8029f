/** `--confirm-within` on the command line: a process that outlives its session takes the restore back. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { parseJson } from "#/core/json.ts";
import { programWords, runProgram } from "../support/cli.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";

const ENV = { PATH: Deno.env.get("PATH") ?? "", HOME: Deno.env.get("HOME") ?? "" };

interface Place {
  readonly folder: string;
  readonly file: string;
  readonly id: string;
}

/** A configuration with one file as target, a snapshot of it, and a change since. */
async function makePlace(folder: string): Promise<Place> {
  const file = join(folder, "app.conf");
  Deno.writeTextFileSync(
    join(folder, "backout.yaml"),
    `version: 1\ntargets:\n  app: {type: configuration, config_files: [${file}]}\n`,
  );
  Deno.writeTextFileSync(file, "v1");
  const made = await runProgram(["snapshot", "create", "before", "--json"], { cwd: folder, env: ENV });
  assert.equal(made.code, 0, made.stderr);
  Deno.writeTextFileSync(file, "v2");
  return { folder, file, id: (parseJson(made.stdout) as { version: string }).version };
}

async function until(what: string, condition: () => boolean): Promise<void> {
  for (let i = 0; i < 600; i++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(`waited in vain for ${what}`);
}

testRequiring(
  ["posix"],
  "the session is killed, nobody confirms: the restore is taken back by itself",
  () =>
    withTempDir(async (folder) => {
      const { file, id } = await makePlace(folder);
      const [program, ...args] = programWords(["snapshot", "restore", id, "--yes", "--confirm-within", "4s"]);
      // A session of its own, as ssh makes one; its whole process group goes with the connection.
      const session = new Deno.Command("sh", {
        args: ["-c", `"$@"; echo done > '${folder}/restored'; sleep 60`, "sh", program!, ...args],
        cwd: folder,
        env: ENV,
        stdin: "null",
        stdout: "null",
        stderr: "inherit",
        detached: true,
      }).spawn();
      await until("the restore", () => exists(join(folder, "restored")));
      assert.equal(Deno.readTextFileSync(file), "v1");
      Deno.kill(-session.pid, "SIGHUP");
      Deno.kill(-session.pid, "SIGKILL");
      await session.status;
      await until("the way back", () => Deno.readTextFileSync(file) === "v2");
      await until(
        "the end of the journal",
        () => names(join(folder, ".backout/target-operations")).length === 0,
      );
      const late = await runProgram(["confirm"], { cwd: folder, env: ENV });
      assert.equal(late.code, 43, late.stderr);
    }),
);

testRequiring(
  ["posix"],
  "somebody confirms in a new session: the restore stands, and the watcher ends",
  () =>
    withTempDir(async (folder) => {
      const { file, id } = await makePlace(folder);
      const words = ["snapshot", "restore", id, "--yes", "--confirm-within", "60s", "--json"];
      const restored = await runProgram(words, { cwd: folder, env: ENV });
      assert.equal(restored.code, 0, restored.stderr);
      const busy = await runProgram(["snapshot", "create"], { cwd: folder, env: ENV });
      assert.equal(busy.code, 50, busy.stderr);
      const confirmed = await runProgram(["confirm"], { cwd: folder, env: ENV });
      assert.equal(confirmed.code, 0, confirmed.stderr);
      assert.equal(Deno.readTextFileSync(file), "v1");
      await until("the watcher's end", () => watchers(folder).length === 0);
    }),
);

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

function names(folder: string): readonly string[] {
  return exists(folder) ? [...Deno.readDirSync(folder)].map(({ name }) => name) : [];
}

/** Processes that watch over a confirmation in the folder. */
function watchers(folder: string): readonly string[] {
  const { stdout } = new Deno.Command("ps", { args: ["-ww", "-eo", "args"] }).outputSync();
  return new TextDecoder().decode(stdout).split("\n")
    .filter((line) => line.includes("watch-confirm") && line.includes(folder));
}
