import assert from "node:assert/strict";
import { join } from "node:path";
import { UsageError } from "#/core/errors.ts";
import { checkConfigFile, configSchema, initConfig, loadConfig } from "#/config/mod.ts";
import { withTempDir } from "../support/temp.ts";

Deno.test("config init writes a file that loads, and never over another", async () => {
  await withTempDir(async (folder) => {
    const path = join(folder, "backout.yaml");
    await initConfig(path);
    const config = await loadConfig({ cwd: folder, env: () => undefined });
    assert.deepEqual(config, {
      path,
      version: 1,
      repository: join(folder, "releases"),
      policy: { mode: "strict" },
      audit: { sign: false },
    });
    await Deno.writeTextFile(path, "version: 1\n");
    await assert.rejects(initConfig(path), (error: UsageError) => {
      assert.equal(error.code, 2);
      assert.match(error.message, /it is already there$/);
      return true;
    });
    assert.equal(await Deno.readTextFile(path), "version: 1\n");
    await assert.rejects(initConfig(join(folder, "nowhere/backout.yaml")), /its folder does not exist/);
  });
});

Deno.test("the commented lines of the example are right too", async () => {
  await withTempDir(async (folder) => {
    const path = join(folder, "backout.yaml");
    await initConfig(path);
    const text = await Deno.readTextFile(path);
    const uncommented = text.replaceAll(/^(\s*)# (\w+: \/\S+)$/gm, "$1$2");
    assert.notEqual(uncommented, text);
    await Deno.writeTextFile(path, uncommented);
    const { problems, config } = await checkConfigFile(path, () => undefined);
    assert.deepEqual(problems, []);
    assert.equal(config?.audit?.signing_key, "/etc/backout/key.pem");
  });
});

Deno.test("config check lists what is wrong", async () => {
  await withTempDir(async (folder) => {
    const path = join(folder, "other.yaml");
    await Deno.writeTextFile(path, "version: 1\nauditt: {}\n");
    assert.deepEqual(await checkConfigFile(path, () => undefined), {
      path,
      config: null,
      problems: [{
        line: 2,
        column: 1,
        message: '"auditt" is not a known key',
        hint: 'Did you mean "audit"?',
      }],
    });
    await assert.rejects(checkConfigFile(join(folder, "none.yaml"), () => undefined), UsageError);
  });
});

Deno.test("the JSON Schema names all keys and forbids others", async () => {
  const schema = await configSchema() as {
    properties: Record<string, { properties?: Record<string, unknown> }>;
    additionalProperties: boolean;
    required: string[];
  };
  assert.deepEqual(Object.keys(schema.properties), [
    "version",
    "repository",
    "state_dir",
    "storage",
    "policy",
    "retention",
    "audit",
    "notify",
    "hooks",
    "trusted_keys",
    "store",
    "snapshots",
    "targets",
    "checks",
    "metrics_file",
  ]);
  assert.deepEqual(Object.keys(schema.properties.audit?.properties ?? {}), ["sign", "signing_key"]);
  assert.equal(schema.additionalProperties, false);
  assert.deepEqual(schema.required, ["version"]);
});

Deno.test("without a config file neither zod nor yaml is loaded", () => {
  const { code, stdout } = new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "--no-lock", new URL("../../src/config/load.ts", import.meta.url).pathname],
    stdout: "piped",
    stderr: "piped",
  }).outputSync();
  assert.equal(code, 0);
  const info = JSON.parse(new TextDecoder().decode(stdout)) as {
    modules: {
      specifier: string;
      dependencies?: { specifier: string; code?: unknown; isDynamic?: boolean }[];
    }[];
  };
  const load = info.modules.find((module) => module.specifier.endsWith("/config/load.ts"));
  const eager = (load?.dependencies ?? []).filter((it) => it.code !== undefined && it.isDynamic !== true).map(
    (it) => it.specifier,
  );
  assert.deepEqual(eager, ["node:path", "#/core/errors.ts"]);
});
