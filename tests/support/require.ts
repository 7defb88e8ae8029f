/**
 * What a test needs of the machine. On a person's machine a missing capability skips the test and its name says why;
 * with `BACKOUT_REQUIRE=all` (CI) the test runs and fails instead, so that nothing is skipped unseen.
 *
 *     testRequiring(["openssl"], "openssl verifies the signature", async () => { … });
 *     testRequiring(["root", "loop", "xfs_io"], "the index survives a power loss", async () => { … });
 */
import { delimiter, join } from "node:path";

export type Capability =
  | "root"
  | "setpriv"
  | "unshare-net"
  | "loop"
  | "xfs_io"
  | "openssl"
  | "jq"
  | "promtool"
  | "git"
  | "python3"
  | "pty"
  | "strace"
  | "gnu-time"
  | "posix"
  | "linux"
  | "ps"
  | "s6"
  | "systemd-user"
  | "ceph"
  | "restic"
  | "terraform"
  | "s3rver"
  | "postgresql"
  | "mariadb"
  | "redis"
  | "docker"
  | "podman";

const PROBES: Readonly<Record<Capability, () => boolean>> = {
  "root": isRoot,
  "setpriv": () => isRoot() && runs("setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", "true"]),
  "unshare-net": () => runs("unshare", [...UNSHARE_NET, "true"]),
  "loop": () => isRoot() && runs("losetup", ["-f"]) && onPath("mkfs.ext4") && onPath("mount"),
  "xfs_io": () => runs("xfs_io", ["-V"]),
  "openssl": () => runs("openssl", ["version"]),
  "jq": () => runs("jq", ["--version"]),
  "promtool": () => runs("promtool", ["--version"]),
  "git": () => runs("git", ["--version"]),
  "python3": () => runs("python3", ["-c", "pass"]),
  "pty": () => runs("script", ["-qec", "true", "/dev/null"]),
  "strace": () => runs("strace", ["-qq", "-o", "/dev/null", "true"]),
  "gnu-time": () => runs("/usr/bin/time", ["-v", "true"]),
  "posix": () => Deno.build.os !== "windows",
  "linux": () => Deno.build.os === "linux",
  "ps": () => runs("ps", ["-p", "1", "-o", "stat="]),
  "s6": () => ["s6-svscan", "s6-svstat"].every(onPath),
  "systemd-user": () => isRoot() && onPath("systemctl") && onPath("unshare") && runs("test", ["-x", SYSTEMD]),
  "restic": () => runs("restic", ["version"]),
  "terraform": () => runs("terraform", ["version"]),
  "ceph": () => ["radosgw", "ceph-mon", "ceph-osd", "ceph", "setpriv"].every(onPath),
  "postgresql": () => setprivThere() && onPath("pg_dump") && onPath("psql") && debianPostgres(),
  "mariadb": () =>
    setprivThere() && ["mariadbd", "mariadb-install-db", "mariadb", "mariadb-dump"].every(onPath),
  "redis": () => setprivThere() && ["redis-server", "redis-cli", "redis-check-rdb"].every(onPath),
  "docker": () => namespacesThere() && [...DOCKER_CLIENTS, "dockerd", "runc", "iptables"].every(onPath),
  "podman": () => namespacesThere() && [...DOCKER_CLIENTS, "podman", "runc"].every(onPath),
  "s3rver": () => onPath("setpriv") && runs(Deno.execPath(), ["cache", "--no-config", "--no-lock", S3RVER]),
};

/** A server that ignores the conditions of writes; its program is fetched by Deno, like every npm package. */
export const S3RVER = "npm:s3rver@3.7.1";

/** Started as a user's own manager by a test. */
export const SYSTEMD = "/lib/systemd/systemd";

/** Both engines are told what to do by them; `busybox` is what the images are made of. */
const DOCKER_CLIENTS: readonly string[] = ["docker", "docker-compose", "busybox", "nsenter", "tar"];

/** Flags of `unshare` that give a child an empty network; a plain user needs a user namespace for it. */
export const UNSHARE_NET: readonly string[] = isRoot() ? ["-n"] : ["-r", "-n"];

const NEEDS: Readonly<Record<Capability, string>> = {
  "root": "root",
  "setpriv": "root and setpriv (util-linux)",
  "unshare-net": "unshare -n (util-linux, and namespaces allowed)",
  "loop": "loop devices and mkfs.ext4",
  "xfs_io": "xfs_io (xfsprogs)",
  "openssl": "openssl",
  "jq": "jq",
  "promtool": "promtool (Debian's prometheus)",
  "git": "git",
  "python3": "python3",
  "pty": "script (bsdutils)",
  "strace": "strace, allowed to trace",
  "gnu-time": "GNU time at /usr/bin/time",
  "posix": "a POSIX system",
  "linux": "Linux",
  "ps": "ps (procps)",
  "s6": "s6-svscan (s6)",
  "systemd-user": "root, unshare, and /lib/systemd/systemd",
  "restic": "restic",
  "terraform": "terraform (no Debian package)",
  "ceph": "a Ceph with its gateway (radosgw, ceph-mon, ceph-osd, ceph-common) and setpriv (util-linux)",
  "s3rver": "s3rver 3.7.1 from npm and setpriv (util-linux)",
  "postgresql": "PostgreSQL (Debian's postgresql and postgresql-client) and setpriv (util-linux)",
  "mariadb": "MariaDB (mariadb-server, mariadb-client) and setpriv (util-linux)",
  "redis": "Redis (redis-server, redis-tools) and setpriv (util-linux)",
  "docker": "root, namespaces, and Docker (docker.io, docker-compose, runc, iptables, busybox-static)",
  "podman":
    "root, namespaces, and Podman (podman, netavark, runc, docker.io, docker-compose, busybox-static)",
};

const known = new Map<Capability, boolean>();

/** Whether this machine has it; probed once per process. */
export function has(capability: Capability): boolean {
  let present = known.get(capability);
  if (present === undefined) {
    present = PROBES[capability]();
    known.set(capability, present);
  }
  return present;
}

export interface Requirement {
  /** For `Deno.test`: true when something is missing and may be skipped here. */
  readonly ignore: boolean;
  /** Appended to the test's name; empty when everything is there. */
  readonly suffix: string;
  /** Fails the test that runs although something is missing (`BACKOUT_REQUIRE=all`). */
  readonly assertPresent: () => void;
}

/** No package archive has these, so `.ci/run` cannot install them: where they are not there already, they are skipped. */
const NOT_INSTALLABLE: ReadonlySet<Capability> = new Set<Capability>(["terraform"]);

/** Probes the capabilities that a test needs. */
export function requires(...capabilities: readonly Capability[]): Requirement {
  const lacking = capabilities.filter((capability) => !has(capability));
  const missing = lacking.map((it) => NEEDS[it]);
  const mandatory = Deno.env.get("BACKOUT_REQUIRE") === "all" &&
    !lacking.some((it) => NOT_INSTALLABLE.has(it));
  return {
    ignore: missing.length > 0 && !mandatory,
    suffix: missing.length === 0 ? "" : ` [skipped: needs ${missing.join(", ")}]`,
    assertPresent: () => {
      if (missing.length === 0) return;
      throw new Error(`BACKOUT_REQUIRE=all, but this machine lacks ${missing.join(", ")}`);
    },
  };
}

/** Registers a test that needs more of the machine than a POSIX shell. */
export function testRequiring(
  capabilities: readonly Capability[],
  name: string,
  fn: (t: Deno.TestContext) => void | Promise<void>,
): void {
  const requirement = requires(...capabilities);
  Deno.test({
    name: name + (requirement.ignore ? requirement.suffix : ""),
    ignore: requirement.ignore,
    fn: async (t) => {
      requirement.assertPresent();
      await fn(t);
    },
  });
}

/** Servers of the tests die with the test by it. */
function setprivThere(): boolean {
  return Deno.build.os === "linux" && onPath("setpriv");
}

/** An engine of a test lives in namespaces of its own. */
function namespacesThere(): boolean {
  return setprivThere() && isRoot() && runs("unshare", ["-mnp", "--fork", "--mount-proc", "true"]);
}

/** Debian keeps the server's programs out of PATH. */
function debianPostgres(): boolean {
  try {
    return [...Deno.readDirSync("/usr/lib/postgresql")].length > 0;
  } catch {
    return false;
  }
}

function isRoot(): boolean {
  return Deno.build.os !== "windows" && Deno.uid() === 0;
}

function runs(command: string, args: readonly string[]): boolean {
  try {
    const child = new Deno.Command(command, {
      args: [...args],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    });
    return child.outputSync().success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) return false;
    throw error;
  }
}

function onPath(command: string): boolean {
  for (const folder of (Deno.env.get("PATH") ?? "").split(delimiter)) {
    try {
      if (Deno.statSync(join(folder, command)).isFile) return true;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || (error as { code?: string }).code === "ENOTDIR") continue;
      throw error;
    }
  }
  return false;
}
