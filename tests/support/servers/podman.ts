/**
 * Podman's API service of a test's own, which the clients of Docker use as well. Needs the capability `podman` (Debian:
 * podman netavark runc tini docker.io docker-compose).
 */
import { type ContainerEngine, startEngine } from "./container_engine.ts";

/** Starts it. Limits are lower than the default: raising them may be forbidden here. */
export function startPodman(): Promise<ContainerEngine> {
  return startEngine({
    kind: "podman",
    prepare: (folder) => {
      Deno.writeTextFileSync(`${folder}/containers.conf`, containersConf(folder));
      Deno.writeTextFileSync(`${folder}/storage.conf`, storageConf(folder));
    },
    serve: `T=$1; export CONTAINERS_CONF="$T/containers.conf" CONTAINERS_STORAGE_CONF="$T/storage.conf"; ` +
      `exec podman system service -t 0 "unix://$T/d.sock"`,
    leftGroups: (folder) =>
      containersOf(folder).flatMap((
        id,
      ) => [`libpod_parent/libpod-${id}`, `libpod_parent/libpod-conmon-${id}`]),
  });
}

function containersConf(folder: string): string {
  return `[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
init_path = "/usr/bin/tini-static"
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "${folder}/tmp"
[network]
network_backend = "netavark"
network_config_dir = "${folder}/networks"
`;
}

function storageConf(folder: string): string {
  return `[storage]
driver = "overlay"
graphroot = "${folder}/root"
runroot = "${folder}/exec"
`;
}

function containersOf(folder: string): readonly string[] {
  try {
    return [...Deno.readDirSync(`${folder}/root/overlay-containers`)].filter((it) => it.isDirectory).map((
      it,
    ) => it.name);
  } catch {
    return [];
  }
}
