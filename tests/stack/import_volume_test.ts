/** Volumes that another rollback tool kept as archives, taken over and put back on a real engine. */
import assert from "node:assert/strict";
import { sha256Hex } from "#/core/sha256.ts";
import { withWorkspace } from "../cli/snapshot_support.ts";
import { testRequiring } from "../support/require.ts";
import { importBusybox } from "../support/servers/container_images.ts";
import { startDocker } from "../support/servers/docker.ts";

const POINT = "rb-a1b2c3d4e5f6";
const VOLUME = "prime-spark-redis";
/** What stands for "equal" here: names, kinds, modes, owners, times, contents. */
const LOOK =
  "cd /data && find . ! -type d | sort | xargs -n1 stat -c '%n %F %a %u:%g %Y %h' && find . -type d | " +
  "sort | xargs -n1 stat -c '%n %a %u:%g' && cat dump.rdb deep/er/log && readlink link";

testRequiring(
  ["docker"],
  "import: volumes that were kept as archives come back on a real engine",
  async () => {
    await using engine = await startDocker();
    await importBusybox(engine, "bb:1");
    const inVolume = (script: string, ...more: readonly string[]) =>
      engine.docker("run", "--rm", "-v", `${VOLUME}:/data`, ...more, "bb:1", "sh", "-c", script);
    await withWorkspace("", async ({ folder, run, write }) => {
      const backups = `${folder}/rollback/backups`;
      await inVolume(
        "cd /data && echo one > dump.rdb && chown 999:998 dump.rdb && chmod 600 dump.rdb && mkdir -p deep/er && " +
          "echo two > deep/er/log && ln deep/er/log second && ln -s dump.rdb link && chmod 750 deep && " +
          "head -c 9000000 /dev/zero > big && touch -d '2025-11-05 17:00:00' dump.rdb big",
      );
      const before = await inVolume(LOOK);
      Deno.mkdirSync(`${backups}/${POINT}/volumes`, { recursive: true });
      // As the other tool does it.
      await inVolume(
        `tar czf /backup/${VOLUME}.tar.gz -C /data .`,
        "-v",
        `${backups}/${POINT}/volumes:/backup`,
      );
      Deno.writeTextFileSync(`${backups}/${POINT}/volumes/gone.tar.gz`, "no archive");
      write(`rollback/backups/${POINT}/configs/docker-compose.yml`, "services: {}\n");
      write(
        "rollback/backups/rollback_index.json",
        JSON.stringify({
          rollback_points: [{
            id: POINT,
            timestamp: "2025-11-05T17:30:00",
            description: "Before v2.0",
            volumes: [VOLUME],
            config_hashes: { "docker-compose.yml": `sha256:${sha256Hex("services: {}\n")}` },
          }],
        }),
      );
      await inVolume("cd /data && echo three > dump.rdb && rm -r deep link && echo x > later");
      assert.notEqual(await inVolume("ls -R /data"), "");

      const env = { PATH: Deno.env.get("PATH")!, HOME: folder, ...engine.env };
      const backout = async (...args: readonly string[]) => {
        const { code, stdout, stderr } = await run([...args, "--json"], { env });
        assert.equal(code, 0, `${args.join(" ")}: ${stderr}${stdout}`);
        return JSON.parse(stdout);
      };
      const report = await backout("snapshot", "import", ".");
      assert.deepEqual(report.versions, [POINT]);
      assert.match(report.warnings.join("\n"), /left out the volume gone: docker has no volume of this name/);
      const restored = await backout("snapshot", "restore", POINT, "--yes");
      assert.deepEqual(
        restored.snapshot.targets.map(({ name }: { name: string }) => name).toSorted(),
        ["configuration", `volume-${VOLUME}`],
      );
      assert.equal(await inVolume(LOOK), before);
      await assert.rejects(inVolume("ls /data/later"), /No such file/);
      const again = await backout("snapshot", "restore", POINT, "--yes");
      assert.match(again.summary, /Nothing to restore/);
    });
  },
);

testRequiring(
  ["docker"],
  "import: archives of volumes that climb out, or are damaged, are left out",
  async () => {
    await using engine = await startDocker();
    await withWorkspace("", async ({ folder, run, write }) => {
      const volumes = `rollback/backups/${POINT}/volumes`;
      for (
        const [name, script] of [
          ["climbs", "mkdir a && echo x > a/f && tar czPf ARCHIVE -C a ../a/f"],
          ["cut", "head -c 100000 /dev/urandom > f && tar czf whole f && head -c 60000 whole > ARCHIVE"],
          ["fifo", "mkdir b && mkfifo b/p && tar czf ARCHIVE -C b ."],
        ] as const
      ) {
        await engine.docker("volume", "create", name);
        write(`${volumes}/README`, "not a volume\n");
        const { success, stderr } = new Deno.Command("sh", {
          args: ["-ec", script.replaceAll("ARCHIVE", `${folder}/${volumes}/${name}.tar.gz`)],
          cwd: Deno.makeTempDirSync({ dir: folder }),
        }).outputSync();
        assert.ok(success, new TextDecoder().decode(stderr));
      }
      write("rollback/backups/rollback_index.json", JSON.stringify({ rollback_points: [{ id: POINT }] }));
      const env = { PATH: Deno.env.get("PATH")!, HOME: folder, ...engine.env };
      const { code, stdout } = await run(["snapshot", "import", ".", "--json"], { env });
      assert.equal(code, 0, stdout);
      const report = JSON.parse(stdout);
      assert.deepEqual(report.versions, []);
      const warnings = report.warnings.join("\n");
      assert.match(warnings, /the volume climbs: its archive has the path "\.\.\/a\/f"/);
      assert.match(warnings, /left out the volume cut: /);
      assert.match(warnings, /the volume fifo: its archive has "[^"]*p", a fifo/);
      assert.match(warnings, /README: it is not named after a volume/);
    });
  },
);
