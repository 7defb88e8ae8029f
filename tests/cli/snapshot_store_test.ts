/** The snapshot store as a person meets it: what was lost of it, made anew, moved into an encrypted one, or is in use. */
import assert from "node:assert/strict";
import { generateKeyFile } from "#/store/user_key.ts";
import { startLockChild } from "../store/lock_support.ts";
import { testRequiring } from "../support/require.ts";
import { type TestWorkspace, withWorkspace } from "./snapshot_support.ts";

const TARGETS = "targets: {data: {type: file_system, paths: [data]}}\n";

/** A workspace with one snapshot. */
async function withSnapshot(
  body: (workspace: TestWorkspace & { readonly store: string }) => Promise<void>,
): Promise<void> {
  await withWorkspace(TARGETS, async (workspace) => {
    workspace.write("data/file", "one\n".repeat(5000));
    await workspace.json("snapshot", "create", "--id", "one");
    await body({ ...workspace, store: `${workspace.folder}/.backout/store` });
  });
}

function filesIn(folder: string): readonly string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => `${folder}/${name}`);
}

testRequiring(
  ["posix"],
  "a store that lost its config.json does not read as empty, nor is it begun anew",
  () =>
    withSnapshot(async ({ run, store }) => {
      const config = Deno.readTextFileSync(`${store}/config.json`);
      Deno.removeSync(`${store}/config.json`);
      for (const verb of ["list", "verify", "collect", "create", "show latest"]) {
        const { code, stdout, stderr } = await run(["snapshot", ...verb.split(" ")]);
        assert.equal(code, 54, `${verb}: ${stdout}${stderr}`);
        assert.match(stdout + stderr, /config\.json: it is missing/);
      }
      Deno.writeTextFileSync(`${store}/config.json`, config);
      assert.equal((await run(["snapshot", "verify", "--read-data"])).code, 0);
    }),
);

testRequiring(
  ["posix"],
  "what is no file in the place of a store's file is damage, and is not waited for",
  () =>
    withSnapshot(async ({ run, store }) => {
      Deno.removeSync(`${store}/config.json`);
      assert.ok(new Deno.Command("mkfifo", { args: [`${store}/config.json`] }).outputSync().success);
      const { code, stderr } = await run(["snapshot", "list"]);
      assert.equal(code, 54, stderr);
      assert.match(stderr, /config\.json is no file/);
    }),
);

testRequiring(
  ["posix"],
  "snapshot verify names altered packs, and makes a lost index anew",
  () =>
    withSnapshot(async ({ run, store }) => {
      const [index] = filesIn(`${store}/index`);
      Deno.removeSync(index!);
      const lost = await run(["snapshot", "verify"]);
      assert.equal(lost.code, 54);
      assert.match(lost.stdout, /snapshot verify --repair-index/);
      assert.equal((await run(["snapshot", "verify", "--repair-index", "--dry-run"])).code, 2);
      const repaired = await run(["snapshot", "verify", "--repair-index", "--read-data"]);
      assert.equal(repaired.code, 0, repaired.stdout + repaired.stderr);
      assert.match(repaired.stderr, /Repaired the index: 1 pack added/);
      const [pack] = filesIn(`${store}/packs`);
      const bytes = Deno.readFileSync(pack!);
      bytes[12]! ^= 1;
      Deno.writeFileSync(pack!, bytes);
      const altered = await run(["snapshot", "verify", "--read-data"]);
      assert.equal(altered.code, 54);
      assert.ok(
        altered.stdout.includes(`packs/${pack!.slice(pack!.lastIndexOf("/") + 1)}: `),
        altered.stdout,
      );
    }),
);

testRequiring(
  ["posix"],
  "an unencrypted store is copied into an encrypted one, as the refusal says",
  () =>
    withSnapshot(async ({ run, json, write, folder, store }) => {
      generateKeyFile(`${folder}/key`);
      const configure = (location: string) =>
        write(
          "backout.yaml",
          `version: 1\nstore: {location: ${location}, encryption: {key_file: key}}\n${TARGETS}`,
        );
      configure(".backout/store");
      const refused = await run(["snapshot", "list"]);
      assert.equal(refused.code, 2);
      assert.ok(refused.stderr.includes(`backout snapshot sync --from ${store}`), refused.stderr);
      configure("encrypted");
      await json("snapshot", "sync", "--from", store);
      assert.equal((await run(["snapshot", "verify", "one", "--read-data"])).code, 0);
      assert.match(Deno.readTextFileSync(`${folder}/encrypted/snapshots/one.json`), /"sealed"/);
    }),
);

testRequiring(
  ["posix"],
  "who waits for the store says for whom",
  () =>
    withSnapshot(async ({ run, folder, store }) => {
      await using holder = startLockChild(store, "exclusive");
      assert.equal(await holder.line(), "held");
      const events = `${folder}/events`;
      const waiting = run(["snapshot", "create", "--events", events]);
      const told = () => {
        try {
          return /"waiting_for_lock".*work exclusive by child@/.test(Deno.readTextFileSync(events));
        } catch {
          return false; // not begun yet
        }
      };
      const ended = waiting.then(() => true);
      while (!told() && !await Promise.race([ended, new Promise<false>((go) => setTimeout(go, 20, false))]));
      const wasTold = told();
      await holder.release();
      const { code, stderr } = await waiting;
      assert.equal(code, 0, stderr);
      assert.ok(wasTold);
      assert.match(stderr, /Waiting for the lock: held by work exclusive by child@/);
    }),
);
