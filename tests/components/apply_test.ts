/** `component apply`: in order, several at a time, and what a failure or a signal stops. */
import assert from "node:assert/strict";
import { applyComponents } from "#/component/apply/apply.ts";
import type { ApplyReport } from "#/component/apply/model.ts";
import type { OperationEvent } from "#/report/model.ts";
import { initialProgress, nextProgress, renderProgress } from "#/report/progress.ts";
import { git, makeRepository, type TestWorkspace, withWorkspace } from "../cli/snapshot_support.ts";
import { programCommand, runInProcess } from "../support/cli.ts";
import { testRequiring } from "../support/require.ts";
import { makeTree, namesIn } from "./entries_support.ts";

type Fields = Readonly<Record<string, unknown>>;

/** A meta repository with these components, each with an empty checkout. */
function withComponents(
  components: Readonly<Record<string, Fields>>,
  body: (workspace: TestWorkspace) => Promise<void>,
): Promise<void> {
  return withWorkspace("", async (workspace) => {
    workspace.write("manifests/components.yaml", JSON.stringify({ components }));
    for (const name of Object.keys(components)) makeTree(`${workspace.folder}/components/${name}`, {});
    await body(workspace);
  });
}

/** Waits for a file, a minute at most. */
const WAIT =
  'wait_for() { n=0; while [ ! -e "$1" ]; do n=$((n+1)); [ $n -gt 1200 ] && exit 9; sleep 0.05; done; }; ';
const RECORD = 'echo "$BACKOUT_COMPONENT" >> "$BACKOUT_ROOT/order"';

testRequiring(["posix"], "a component waits for what it depends on through one that is not applied", () => {
  const components = {
    web: { depends_on: ["api"], build: "test -e ../../db.end" },
    api: { depends_on: ["db"] },
    // Waits a moment, so that one that does not wait would be seen.
    db: { build: `${WAIT}(sleep 0.3; touch ../../go) & wait_for ../../go; touch ../../db.end` },
  };
  return withComponents(components, async ({ json }) => {
    const report: ApplyReport = await json("component", "apply", "web", "db");
    assert.deepEqual(report.components.map(({ name, state }) => [name, state]), [
      ["db", "done"],
      ["web", "done"],
    ]);
  });
});

testRequiring(["posix"], "components run after what they depend on, each with its commands in order", () => {
  const all = (name: string) => ({
    install: `echo ${name} install >> ../../order`,
    build: ["/bin/sh", "-c", `echo ${name} build >> ../../order`],
    commands: { test: `echo ${name} test >> ../../order` },
  });
  const components = {
    web: { ...all("web"), depends_on: ["api"] },
    api: { ...all("api"), depends_on: ["db"] },
    db: all("db"),
    none: {},
  };
  return withComponents(components, async ({ json, read, folder }) => {
    const report: ApplyReport = await json("component", "apply", "--all", "--parallel", "--jobs", "4");
    assert.equal(report.status, "success");
    const expected = ["db", "api", "web"].flatMap((name) =>
      ["install", "build", "test"].map((it) => `${name} ${it}\n`)
    );
    assert.equal(read("order"), expected.join(""));
    assert.deepEqual(report.components.map(({ name, state }) => [name, state]), [
      ["db", "done"],
      ["none", "nothing to do"],
      ["api", "done"],
      ["web", "done"],
    ]);
    assert.equal(namesIn(report.logs!).length, 9);
    assert.equal(Deno.statSync(`${folder}/.backout`).mode! & 0o777, 0o700);
    const dry: ApplyReport = await json("component", "apply", "web", "--dry-run");
    assert.deepEqual([dry.status, dry.components.map(({ name }) => name), dry.logs], [
      "dry_run",
      ["web"],
      null,
    ]);
    assert.equal(read("order"), expected.join(""));
  });
});

testRequiring(["posix"], "independent components run at the same time, and never more than --jobs", () => {
  // Each of the two waits for the other one.
  const meet = (other: string) => ({ test: `${WAIT} : > ../../$BACKOUT_COMPONENT; wait_for ../../${other}` });
  return withComponents({ a: meet("b"), b: meet("a") }, async ({ json }) => {
    assert.equal((await json("component", "apply", "--all", "--jobs", "2")).status, "success");
  }).then(() => {
    const count =
      "mkdir -p ../../now; : > ../../now/$BACKOUT_COMPONENT; ls ../../now | wc -l >> ../../counts; " +
      "sleep 0.05; rm ../../now/$BACKOUT_COMPONENT";
    const many = Object.fromEntries(Array.from({ length: 9 }, (_, n) => [`c${n}`, { test: count }]));
    return withComponents(many, async ({ json, read }) => {
      await json("component", "apply", "--all", "--jobs", "3");
      const counts = read("counts").trim().split("\n").map(Number);
      assert.equal(counts.length, 9);
      assert.ok(Math.max(...counts) <= 3, counts.join(" "));
    });
  });
});

testRequiring(
  ["posix"],
  "a failure stops what depends on it, and everything else unless --keep-going",
  () => {
    const components = {
      bad: { build: "echo 'the reason'; exit 7", test: RECORD },
      after: { test: RECORD, depends_on: ["bad"] },
      last: { test: RECORD, depends_on: ["after"] },
      free: { test: RECORD },
      tail: { test: RECORD, depends_on: ["free"] },
    };
    return withComponents(components, async ({ run, read, folder }) => {
      const going = await run(["component", "apply", "--all", "--keep-going", "--json"]);
      assert.equal(going.code, 49);
      const report = JSON.parse(going.stdout) as ApplyReport;
      const states = Object.fromEntries(report.components.map((it) => [it.name, it.state]));
      assert.deepEqual(states, {
        bad: "failed",
        free: "done",
        after: "skipped",
        tail: "done",
        last: "skipped",
      });
      const [bad] = report.components;
      assert.equal(bad!.reason, "build failed (exit code 7): the reason");
      assert.deepEqual([report.done, report.failed, report.skipped], [2, 1, 2]);
      assert.match(
        report.components.find(({ name }) => name === "last")!.reason,
        /bad failed, which it depends on/,
      );
      assert.equal(Deno.readTextFileSync(bad!.steps[0]!.log!), "the reason\n");
      Deno.removeSync(`${folder}/order`);
      const stopped = await run(["component", "apply", "--all", "--jobs", "1"]);
      assert.equal(stopped.code, 49);
      assert.match(
        stopped.stdout,
        /bad failed: build failed \(exit code 7\): the reason\n {4}\/.*\/bad-build\.log\n/,
      );
      assert.match(stopped.stdout, /tail skipped: something else failed before/);
      assert.throws(() => read("order"), Deno.errors.NotFound);
    });
  },
);

testRequiring(
  ["posix"],
  "what cannot be applied is refused before anything runs",
  () =>
    withComponents(
      { api: { test: RECORD }, web: { test: RECORD, depends_on: ["api"] } },
      async ({ run, write, read }) => {
        for (
          const [args, code] of [
            [["--all", "api"], 2],
            [[], 2],
            [["gone"], 40],
            [["--all", "--jobs", "0"], 2],
            [["--all", "--env", "../x"], 2],
            [["--all", "--locked"], 40],
          ] as const
        ) {
          const result = await run(["component", "apply", ...args]);
          assert.equal(result.code, code, `${args.join(" ")}: ${result.stderr}`);
        }
        write(
          "manifests/components.yaml",
          "components: {a: {depends_on: [b]}, b: {depends_on: [a], test: 'true'}}",
        );
        const circle = await run(["component", "apply", "--all"]);
        assert.equal(circle.code, 48);
        assert.match(circle.stderr, /in a circle: a → b → a/);
        write("manifests/components.yaml", "components: {missing: {test: 'true'}}");
        const missing = await run(["component", "apply", "--all"]);
        assert.equal(missing.code, 49);
        assert.match(missing.stdout, /there is no checkout in components\/missing/);
        const dry = await run(["component", "apply", "--all", "--dry-run"]);
        assert.equal(dry.code, 47, "what execution would hit");
        assert.match(dry.stdout, /Would fail: missing: there is no checkout in components\/missing/);
        assert.throws(() => read("order"), Deno.errors.NotFound);
      },
    ),
);

testRequiring(
  ["posix", "git"],
  "--locked runs only what is checked out as the lock file says",
  () =>
    withComponents({ api: { test: RECORD }, web: { test: RECORD } }, async ({ folder, run, write, read }) => {
      const commits = ["api", "web"].map((name) =>
        makeRepository(`${folder}/components/${name}`, "file", name)
      );
      const lock = (api: string) =>
        write(
          "manifests/components.lock.prod.yaml",
          `environment: prod\ncomponents: {api: {commit: ${api}}, web: {commit: ${
            commits[1]!.slice(0, 10)
          }}}\n`,
        );
      lock(commits[0]!);
      const all = await run(["component", "apply", "--all", "--locked", "--env", "prod"]);
      assert.equal(all.code, 0, all.stderr);
      assert.equal(read("order").trim().split("\n").length, 2);
      git(`${folder}/components/api`, "commit", "--allow-empty", "-m", "second");
      const { code, stderr } = await run(["component", "apply", "--all", "--locked", "--env", "prod"]);
      assert.equal(code, 51, stderr);
      assert.match(stderr, new RegExp(`api is at [0-9a-f]{12} instead of ${commits[0]!.slice(0, 12)}`));
      assert.equal((await run(["component", "apply", "web", "--locked", "--env", "prod"])).code, 0);
      assert.equal(read("order").trim().split("\n").length, 3);
    }),
);

testRequiring(
  ["linux"],
  "a signal ends the commands with all that they started, and says what was done",
  () => {
    // The grandchild holds nothing but its life.
    const long = { test: "sleep 600 & echo $! > ../../grandchild; echo $$ > ../../child; wait" };
    return withComponents({
      quick: { test: "true" },
      long: { ...long, depends_on: ["quick"] },
      never: { depends_on: ["long"] },
    }, async ({ folder }) => {
      const child = programCommand(["component", "apply", "--all", "--json"], { cwd: folder }).spawn();
      const output = child.output();
      const ended = output.then(() => true);
      while (!namesIn(folder).includes("child") || Deno.readTextFileSync(`${folder}/child`) === "") {
        const isOver = await Promise.race([ended, new Promise<false>((go) => setTimeout(go, 20, false))]);
        assert.ok(!isOver, "it ended by itself");
      }
      child.kill("SIGTERM");
      const { code, stdout } = await output;
      assert.equal(code, 143);
      const report = JSON.parse(new TextDecoder().decode(stdout)) as ApplyReport;
      assert.equal(report.status, "stopped");
      assert.deepEqual(report.components.map(({ state }) => state), ["done", "stopped", "skipped"]);
      for (const name of ["child", "grandchild"]) {
        const pid = Deno.readTextFileSync(`${folder}/${name}`).trim();
        await gone(pid);
      }
    });
  },
);

/** Waits for its end, which follows the signal; half a minute at most. */
async function gone(pid: string): Promise<void> {
  for (let looks = 0; !hasEnded(pid); looks++) {
    assert.ok(looks < 600, `${pid} still runs`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Gone, or only waiting to be collected. */
function hasEnded(pid: string): boolean {
  try {
    return /\) [ZX] /.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
  } catch {
    return true;
  }
}

testRequiring(["posix"], "two hundred components on twenty levels", () => {
  const level = (n: number) => Math.floor(n / 10);
  const components = Object.fromEntries(
    Array.from({ length: 200 }, (_, n) => [`c${n}`, {
      test: [":", RECORD].at(n % 20 === 0 ? 1 : 0),
      depends_on: level(n) === 0 ? [] : [`c${n - 10}`, `c${(level(n) - 1) * 10}`],
    }]),
  );
  return withComponents(components, async ({ folder, read }) => {
    const report = await applyComponents({ folder, components: [], jobs: 8 });
    assert.deepEqual([report.status, report.done], ["success", 200]);
    const order = read("order").trim().split("\n").map((name) => Number(name.slice(1)));
    assert.deepEqual(order, order.toSorted((a, b) => a - b));
    assert.equal(order.length, 10);
  });
});

testRequiring(["posix"], "progress counts what has ended, and is silent where that is wanted", () => {
  const components = Object.fromEntries(["a", "b", "c", "d", "e"].map((name) => [name, { test: "true" }]));
  return withComponents(components, async ({ folder }) => {
    const events: OperationEvent[] = [];
    await applyComponents({ folder, components: [], jobs: 1, onEvent: (event) => events.push(event) });
    let state = initialProgress;
    const shown = events.map((event) => renderProgress(state = nextProgress(state, event), 60));
    assert.ok(shown.some((text) => text.startsWith("[████████████░░░░░░░░] 60% (3/5) ")), shown.join("\n"));
    assert.ok(shown.at(-1)!.startsWith("[████████████████████] 100% (5/5) "), shown.at(-1));
    const loud = await runInProcess(["component", "apply", "--all"], { cwd: folder, terminal: true });
    assert.match(loud.stderr, /░\] 0% \(1\/5\)/);
    const quiet = await runInProcess(["component", "apply", "--all", "--no-progress"], {
      cwd: folder,
      terminal: true,
    });
    assert.equal(quiet.stderr, "");
  });
});
