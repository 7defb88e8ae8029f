/** `backout plugin`: requests that are large, and targets that only a request names. */
import assert from "node:assert/strict";
import { programWords } from "../support/cli.ts";
import { testRequiring } from "../support/require.ts";
import { sql, type TestWorkspace, withWorkspace } from "./snapshot_support.ts";

// deno-lint-ignore no-explicit-any -- documents of many shapes, whose fields the tests look at
type Answer = any;

/** The answers to these requests, in their order. */
async function ask({ run }: TestWorkspace, ...requests: readonly unknown[]): Promise<readonly Answer[]> {
  const stdin = requests.map((one) => typeof one === "string" ? one : JSON.stringify(one)).join("\n");
  const { stdout, stderr } = await run(["plugin"], { stdin });
  assert.equal(stderr, "");
  return stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
}

testRequiring(["posix"], "plugin: the name of a target tells nothing of its password", async () => {
  await withWorkspace("", async (workspace) => {
    sql(`${workspace.folder}/d.db`, "create table t(x); insert into t values (1)");
    const target = (password: string) => ({
      type: "database",
      config: { connection_string: `sqlite://d.db?password=${password}` },
    });
    const create = { action: "create_snapshot", snapshot_id: "db", ...target("hunter2") };
    const [created] = await ask(workspace, create);
    assert.equal(created.status, "success", JSON.stringify(created));
    sql(`${workspace.folder}/d.db`, "delete from t");
    const again = { action: "execute_rollback", snapshot_id: "db", ...target("another1") };
    const [restored] = await ask(workspace, again);
    assert.equal(restored.status, "completed", JSON.stringify(restored));
    assert.deepEqual(sql(`${workspace.folder}/d.db`, ""), [1]);
  });
});

testRequiring(
  ["posix"],
  "plugin: a signal while it waits for the next request ends it, and says so",
  async () => {
    await withWorkspace("", async ({ folder }) => {
      const [program = "", ...args] = programWords(["plugin"]);
      const child = new Deno.Command(program, {
        args: [...args],
        cwd: folder,
        stdin: "piped",
        stdout: "piped",
        stderr: "null",
      }).spawn();
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode('{"action": "list_snapshots"}\n{"action":\n'));
      const reader = child.stdout.getReader();
      const { value } = await reader.read();
      assert.equal(JSON.parse(new TextDecoder().decode(value)).status, "success");
      child.kill("SIGTERM");
      assert.equal((await child.status).code, 143);
      assert.ok((await reader.read()).done, "the request that was cut off is not answered");
      await writer.abort().catch(() => {});
    });
  },
);

Deno.test("plugin: a request of very many lines is read in a time that grows with it", async () => {
  await withWorkspace("", async (workspace) => {
    const fields = Array.from({ length: 30_000 }, (_, i) => `  "the key ${i}": {"a list": ["}", 1, 2, 3]},`);
    const [answer, next] = await ask(
      workspace,
      ["{", ...fields, '  "action": "status"', "}"].join("\n"),
      { action: "list_snapshots" },
    );
    assert.match(answer.error, /larger than 1 MiB/);
    assert.equal(next.status, "success");
  });
});
