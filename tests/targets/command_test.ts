import assert from "node:assert/strict";
import type { ProgramError } from "#/target/run_program.ts";
import { inWorld, targetContract, type TargetFixture } from "./target_contract.ts";

const plain: TargetFixture = {
  name: "command: a file by cat",
  type: "command",
  needs: ["posix"],
  setUp: (world) => {
    Deno.writeTextFileSync(`${world}/state`, "one\n");
    return {
      capture: ["cat", `${world}/state`],
      restore: ["sh", "-c", 'cat > "$1.new" && mv "$1.new" "$1"', "sh", `${world}/state`],
    };
  },
  changes: {
    "another content": (world) => Deno.writeTextFileSync(`${world}/state`, "two\n"),
    "nothing in it": (world) => Deno.writeTextFileSync(`${world}/state`, ""),
  },
  look: (world) => Deno.readTextFileSync(`${world}/state`),
  exported: (_world, folder) => assert.equal(Deno.readTextFileSync(`${folder}/it`), "one\n"),
};
targetContract(plain);

const rich: TargetFixture = {
  ...plain,
  name: "command: with a plan, a fingerprint, an export and a secret",
  setUp: (world) => ({
    ...plain.setUp(world) as { capture: string[]; restore: string[] },
    plan: ["sh", "-c", "echo replace the state; echo and tell"],
    fingerprint: ["sh", "-c", 'test "$TOKEN" = hunter-two || exit 9; cat "$1"', "sh", `${world}/state`],
    export: ["sh", "-c", 'cat > "$BACKOUT_EXPORT/mine"'],
    undo: "exact",
    env: { TOKEN: "hunter-two" },
  }),
  exported: (_world, folder) => assert.equal(Deno.readTextFileSync(`${folder}/mine`), "one\n"),
  sweep: false,
};
targetContract(rich);

Deno.test("command: the plan shows what the plan command prints, and undo what was declared", async () => {
  await inWorld(rich, async (world) => {
    const { driver, target } = world;
    assert.equal(driver.undo(target.config), "exact");
    const saved = await world.capture();
    Deno.writeTextFileSync(`${world.folder}/state`, "two\n");
    const plan = await driver.plan(target, saved, world.context());
    assert.deepEqual(plan.changes.map((it) => it.detail), ["replace the state", "and tell"]);
    const partly = await driver.plan(target, saved, world.context(["/x"]));
    assert.equal(partly.problems.length, 1);
  });
});

Deno.test("command: a capture that fails after it wrote is no snapshot; its error has no secret", async () => {
  const setUp = () => ({
    capture: ["sh", "-c", 'echo half; echo "no $TOKEN" >&2; exit 4'],
    restore: ["true"],
    env: { TOKEN: "${TOKEN}" },
  });
  await inWorld({ ...plain, setUp }, async (world) => {
    const target = {
      ...world.target,
      config: { ...world.target.config as object, env: { TOKEN: "hunter-two" } },
    };
    await assert.rejects(
      world.driver.capture(target, { ...world.context(), previous: undefined }),
      (error: ProgramError) => error.code === 45 && /exit code 4: no \*\*\*/.test(error.message),
    );
  });
});

Deno.test("command: a restore that does not restore is an error where exact was declared, else a warning", async () => {
  for (const undo of ["exact", "compensating"]) {
    const setUp = (world: string) => ({
      ...plain.setUp(world) as { capture: string[] },
      restore: ["sh", "-c", "cat >/dev/null"],
      undo,
    });
    await inWorld({ ...plain, setUp }, async (world) => {
      const { driver, target } = world;
      const saved = await world.capture();
      Deno.writeTextFileSync(`${world.folder}/state`, "two\n");
      const run = driver.restore(target, saved, world.context());
      if (undo === "exact") await assert.rejects(run, /not equal to the saved one/);
      else assert.match((await run).warnings[0]!, /not equal to the saved one/);
    });
  }
});

Deno.test("command: a missing program is named", async () => {
  const setUp = () => ({ capture: ["no-such-program-x"], restore: ["true"] });
  await inWorld({ ...plain, setUp }, async (world) => {
    await assert.rejects(world.capture(), /no-such-program-x was not found/);
  });
});
