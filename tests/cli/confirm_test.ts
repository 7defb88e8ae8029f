/** Questions on a terminal, and stopping. In this process: a terminal and a signal that the test makes up. */
import assert from "node:assert/strict";
import { runInProcess } from "../support/cli.ts";
import type { InProcessOptions } from "../support/cli.ts";
import { testRepository } from "../support/repository.ts";
import { withTempDir } from "../support/temp.ts";

async function withReleases(
  body: (
    cwd: string,
    run: (options: InProcessOptions, ...args: readonly string[]) => ReturnType<typeof runInProcess>,
  ) => Promise<void>,
): Promise<void> {
  await withTempDir(async (cwd) => {
    const repository = testRepository(cwd, runInProcess);
    for (const version of ["v1.0.0", "v1.0.1", "v1.0.2"]) await repository.publish(version);
    await body(
      cwd,
      (options, ...args) => runInProcess([...args, "-r", repository.path], { cwd, ...options }),
    );
  });
}

function versions(cwd: string): readonly string[] {
  const index = JSON.parse(Deno.readTextFileSync(`${cwd}/releases/index.json`));
  return index.releases.map((release: { version: string }) => release.version);
}

Deno.test("confirm: no changes nothing, and the question shows what would happen", async () => {
  await withReleases(async (cwd, run) => {
    const args = ["release", "rollback", "--to", "v1.0.0", "--reason", "x"];
    for (const answer of ["n", "", "no", "maybe"]) {
      const { code, stderr } = await run({ terminal: true, stdin: `${answer}\n` }, ...args);
      assert.equal(code, 2);
      assert.match(stderr, /1\. /);
      assert.match(stderr, /v1\.0\.2/);
      assert.match(stderr, /go on\? \[y\/N\] /);
      assert.match(stderr, /Not confirmed; nothing was changed/);
      assert.deepEqual(versions(cwd), ["v1.0.2", "v1.0.1", "v1.0.0"]);
    }
  });
});

Deno.test("confirm: yes goes on", async () => {
  await withReleases(async (cwd, run) => {
    const { code, stderr } = await run(
      { terminal: true, stdin: "y\n" },
      "release",
      "rollback",
      "--to",
      "v1.0.0",
    );
    assert.equal(code, 0, stderr);
    assert.deepEqual(versions(cwd), ["v1.0.0"]);
  });
});

Deno.test("confirm: --yes, --dry-run and a named version do not ask", async () => {
  await withReleases(async (cwd, run) => {
    const unasked: readonly (readonly string[])[] = [
      ["release", "rollback", "--to", "v1.0.0", "--dry-run"],
      ["release", "rollback", "v1.0.2"],
      ["release", "rollback", "--to", "v1.0.0", "--yes"],
    ];
    for (const args of unasked) {
      const { code, stderr } = await run({ terminal: true }, ...args);
      assert.equal(code, 0, stderr);
      assert.doesNotMatch(stderr, /\[y\/N\]/);
    }
    assert.deepEqual(versions(cwd), ["v1.0.0"]);
  });
});

Deno.test("confirm: what would be refused is refused without a question", async () => {
  await withReleases(async (_cwd, run) => {
    const { code, stderr } = await run({ terminal: true, stdin: "y\n" }, "backup", "delete", "v1.0.2");
    assert.equal(code, 40);
    assert.doesNotMatch(stderr, /\[y\/N\]/);
  });
});

Deno.test("stop: a signal before the commit takes everything back", async () => {
  await withReleases(async (cwd, run) => {
    for (const [name, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
      const signal = AbortSignal.abort(name);
      const result = await run({ signal }, "release", "rollback", "v1.0.2", "--json");
      assert.equal(result.code, code, result.stdout + result.stderr);
      assert.deepEqual(versions(cwd), ["v1.0.2", "v1.0.1", "v1.0.0"]);
    }
  });
});

Deno.test("terminal: a short outcome with the way back", async () => {
  await withReleases(async (_cwd, run) => {
    const { code, stdout } = await run(
      { terminal: true, env: { NO_COLOR: "1" } },
      "release",
      "rollback",
      "v1.0.2",
    );
    assert.equal(code, 0);
    assert.doesNotMatch(stdout, /ROLLBACK REPORT/);
    assert.match(stdout, /Undo +backout release restore /);
  });
});
