/** service_status against real service managers, each started by the test. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { SYSTEMD, testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";
import { sees, until } from "./checks_support.ts";

/** A user's own manager in its own mounts: nothing of this machine's sees it. Arguments: folder. */
const START_SYSTEMD = `
mount -t tmpfs none /run
mkdir -p /run/systemd/system "$1/run" "$1/cgroup"
mount -t cgroup2 none "$1/cgroup"
mkdir -p "$1/cgroup/backout-test-$$"
echo $$ > "$1/cgroup/backout-test-$$/cgroup.procs"
mount --bind "$1/cgroup/backout-test-$$" /sys/fs/cgroup
export XDG_RUNTIME_DIR="$1/run" SYSTEMD_UNIT_PATH="$1/units"
exec ${SYSTEMD} --user
`;
/** Arguments: folder, the manager's process id. */
const REMOVE_GROUP = `
mount -t cgroup2 none "$1/cgroup"
find "$1/cgroup/backout-test-$2" -depth -type d -exec rmdir {} ";"
`;
const TARGETS = ["basic", "default", "shutdown", "exit", "sockets", "timers", "paths"].map((it) =>
  `${it}.target`
);

testRequiring(["systemd-user"], "service_status: systemd", async () => {
  await withTempDir(async (folder) => {
    const units = join(folder, "units");
    await Deno.mkdir(units);
    for (const unit of [...TARGETS, "systemd-exit.service"]) {
      await Deno.copyFile(`/usr/lib/systemd/user/${unit}`, join(units, unit));
    }
    const unit = (exec: string, type = "simple") => `[Service]\nType=${type}\nExecStart=${exec}\n`;
    await Deno.writeTextFile(join(units, "steady.service"), unit("/bin/sleep 600"));
    await Deno.writeTextFile(join(units, "broken.service"), unit("/bin/false", "oneshot"));
    await Deno.writeTextFile(join(units, "idle.service"), unit("/bin/sleep 600"));
    const manager = new Deno.Command("unshare", {
      args: ["-m", "--propagation", "private", "sh", "-ec", START_SYSTEMD, "sh", folder],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const env = { XDG_RUNTIME_DIR: join(folder, "run") };
    const systemctl = (...args: string[]) =>
      new Deno.Command("systemctl", {
        args: ["--user", ...args],
        env,
        stdin: "null",
        stderr: "null",
        stdout: "null",
      })
        .outputSync().success;
    const up = (services: string | string[]) => ({
      type: "service_status",
      services,
      manager: "systemd-user",
    });
    try {
      await until(() => systemctl("start", "steady"), "systemd");
      systemctl("start", "broken");
      await sees(up("steady"), { env }, "passes");
      await sees(up(["steady", "idle"]), { env }, /found steady active \(running\), idle inactive \(dead\)$/);
      await sees(
        up("broken.service"),
        { env },
        /expected broken\.service up, found broken\.service failed \(failed\)$/,
      );
      await sees(up("gone"), { env }, /found gone not found$/);
      await sees(
        up("steady"),
        { env: { XDG_RUNTIME_DIR: join(folder, "units") } },
        /cannot be looked at: .*systemctl/,
      );
    } finally {
      systemctl("stop", "steady");
      manager.kill("SIGKILL");
      await manager.status;
      const args = [
        "-m",
        "--propagation",
        "private",
        "sh",
        "-ec",
        REMOVE_GROUP,
        "sh",
        folder,
        String(manager.pid),
      ];
      const removed = new Deno.Command("unshare", { args, stdin: "null" }).outputSync();
      assert.ok(removed.success, new TextDecoder().decode(removed.stderr));
    }
  });
});

testRequiring(["s6"], "service_status: s6", async () => {
  await withTempDir(async (folder) => {
    for (const name of ["steady", "idle"]) {
      await Deno.mkdir(join(folder, name));
      await Deno.writeTextFile(join(folder, name, "run"), "#!/bin/sh\nexec sleep 600\n", { mode: 0o755 });
    }
    await Deno.writeTextFile(join(folder, "idle", "down"), "");
    const scan = new Deno.Command("s6-svscan", {
      args: [folder],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const up = (services: string[]) => ({
      type: "service_status",
      services,
      manager: "s6",
      scan_folder: folder,
    });
    try {
      await until(() => status(join(folder, "steady")).startsWith("up"), "s6");
      await sees(up(["steady"]), {}, "passes");
      await sees(
        up(["steady", "idle"]),
        {},
        /^the services: expected steady up, idle up, found steady up, idle down$/,
      );
      await sees(up(["gone"]), {}, /found gone not found$/);
      await Deno.mkdir(join(folder, "late"));
      await sees(up([join(folder, "late")]), {}, /found \S+late not supervised$/);
    } finally {
      new Deno.Command("s6-svscanctl", { args: ["-t", folder] }).outputSync();
      await scan.status;
    }
  });
});

function status(folder: string): string {
  return new TextDecoder().decode(
    new Deno.Command("s6-svstat", { args: [folder], stderr: "null" }).outputSync().stdout,
  );
}

testRequiring(["posix"], "service_status: OpenRC and service, by their exit codes", async () => {
  await withTempDir(async (folder) => {
    // Neither starts here: stand-ins answer as the Linux Standard Base says.
    for (const program of ["rc-service", "service"]) {
      const script = `#!/bin/sh
test "$2" = status || exit 99
case "$1" in steady) exit 0;; idle) exit 3;; *) exit 4;; esac
`;
      await Deno.writeTextFile(join(folder, program), script, { mode: 0o755 });
    }
    const env = { PATH: `${folder}:${Deno.env.get("PATH")}` };
    for (const manager of ["openrc", "service"]) {
      const up = (services: string) => ({ type: "service_status", services, manager });
      await sees(up("steady"), { env }, "passes");
      await sees(up("idle"), { env }, /found idle down$/);
      await sees(up("gone"), { env }, /found gone unknown \(exit code 4\)$/);
    }
  });
});
