/** What backout keeps of its own is not taken back with a target that covers it, whatever names lead to it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { driver } from "#/target/file_system.ts";
import { createSnapshot, listSnapshots, type WorkspaceOptions } from "#/snapshot/mod.ts";
import { withTempDir } from "../support/temp.ts";
import { journals, restoring, taken } from "./world.ts";

interface Places {
  readonly workspace?: string;
  readonly root?: string;
  readonly store: string;
  readonly fallback?: string;
}

/** A workspace whose target is a folder `data` with a file in it, which a symlink `link` leads to as well. */
function workspaceOf(folder: string, { workspace = "ws", root = "data", store, fallback }: Places) {
  const paths = [join(folder, root)];
  Deno.mkdirSync(join(folder, workspace), { recursive: true });
  const options: WorkspaceOptions = {
    folder: join(folder, workspace),
    store: {
      location: join(folder, store),
      ...(fallback === undefined ? {} : { fallback: join(folder, fallback) }),
    },
    targets: [{
      name: "data",
      type: "file_system",
      config: driver.schema.parse({ paths }),
      written: { paths },
      after: [],
    }],
    checks: [],
    env: () => undefined,
    by: "tester",
  };
  return options;
}

const PLACES: Readonly<Record<string, Places>> = {
  "a store that a symlink leads to": { store: "link/store" },
  "a store by its own name, below a root that is named through a symlink": {
    root: "link/in",
    store: "data/in/store",
  },
  "a workspace that is named through a symlink": { workspace: "link/ws", store: "link/ws/.backout/store" },
  "a workspace by its own name, below a root that is named through a symlink": {
    workspace: "data/in/ws",
    root: "link/in",
    store: "data/in/ws/.backout/store",
  },
};

for (const [what, places] of Object.entries(PLACES)) {
  Deno.test(`a restore leaves alone ${what}`, () =>
    withTempDir(async (folder) => {
      Deno.mkdirSync(join(folder, "data/in"), { recursive: true });
      Deno.symlinkSync("data", join(folder, "link"));
      const file = join(folder, "data/in/file");
      Deno.writeTextFileSync(file, "before");
      const options = workspaceOf(folder, places);
      const id = await taken(options);
      const later = await taken(options);
      Deno.writeTextFileSync(file, "after");
      const report = await restoring(options, id);
      assert.equal(report.exit_code, 0, report.summary);
      assert.deepEqual(report.snapshot?.targets[0]?.changes.map(({ path }) => path.endsWith("in/file")), [
        true,
      ]);
      assert.equal(Deno.readTextFileSync(file), "before");
      const ids = (await listSnapshots(options)).snapshots.map((it) => it.id);
      assert.ok(ids.includes(later), `${later} is gone: ${ids}`);
      assert.deepEqual(journals(folder), []);
      const back = await restoring(options, report.snapshot!.safety_id!);
      assert.equal(back.exit_code, 0, back.summary);
      assert.equal(Deno.readTextFileSync(file), "after");
    }));
}

Deno.test("a restore leaves alone the fallback of a store, which this process has not opened", () =>
  withTempDir(async (folder) => {
    Deno.mkdirSync(join(folder, "data/in"), { recursive: true });
    Deno.writeTextFileSync(join(folder, "data/in/file"), "before");
    const options = workspaceOf(folder, { store: "store", fallback: "data/fallback" });
    const id = await taken(options);
    Deno.writeTextFileSync(join(folder, "data/in/file"), "after");
    Deno.mkdirSync(join(folder, "data/fallback"));
    Deno.writeTextFileSync(join(folder, "data/fallback/kept"), "while the store was away");
    const report = await restoring(options, id);
    assert.equal(report.exit_code, 0, report.summary);
    assert.equal(Deno.readTextFileSync(join(folder, "data/in/file")), "before");
    assert.equal(Deno.readTextFileSync(join(folder, "data/fallback/kept")), "while the store was away");
  }));

Deno.test("a path that no target holds is refused; one that nothing is at is named", () =>
  withTempDir(async (folder) => {
    Deno.mkdirSync(join(folder, "data"));
    Deno.writeTextFileSync(join(folder, "data/file"), "before");
    const options = workspaceOf(folder, { store: "store" });
    const id = await taken(options);
    Deno.writeTextFileSync(join(folder, "data/file"), "after");
    const refused = await restoring(options, id, { paths: [join(folder, "dta/file")] });
    assert.equal(refused.exit_code, 40, refused.summary);
    assert.match(refused.summary, /does not hold ".*dta\/file"/);
    const one = await restoring(options, id, {
      paths: [join(folder, "data/file"), join(folder, "data/fil")],
    });
    assert.equal(one.exit_code, 0, one.summary);
    assert.match(one.warnings.join("\n"), /Nothing is there[^"]*"[^"]*data\/fil"$/m);
    Deno.writeTextFileSync(join(folder, "data/file"), "after");
    const above = await restoring(options, id, { paths: [folder] });
    assert.equal(above.exit_code, 0, above.summary);
    assert.equal(Deno.readTextFileSync(join(folder, "data/file")), "before");
  }));

Deno.test("a symlink as a root is kept as a link, and a warning says so where nothing else holds what it leads to", () =>
  withTempDir(async (folder) => {
    Deno.mkdirSync(join(folder, "real"));
    Deno.symlinkSync("real", join(folder, "data"));
    const report = await createSnapshot(workspaceOf(folder, { store: "store" }));
    assert.equal(report.exit_code, 0, report.summary);
    assert.match(report.warnings.join("\n"), /only the link is kept.*\/data"/);
    const [target] = workspaceOf(folder, { store: "store" }).targets;
    const paths = [join(folder, "data"), join(folder, "real")];
    const both = { ...target!, config: driver.schema.parse({ paths }), written: { paths } };
    const held = await createSnapshot({ ...workspaceOf(folder, { store: "store" }), targets: [both] });
    assert.doesNotMatch(held.warnings.join("\n"), /only the link is kept/);
  }));
