/** A dockerd of a test's own. Needs the capability `docker` (Debian: docker.io docker-compose iptables runc). */
import { type ContainerEngine, groupOf, startEngine } from "./container_engine.ts";

/** Starts it. */
export function startDocker(): Promise<ContainerEngine> {
  return startEngine({
    kind: "docker",
    serve:
      `T=$1; exec dockerd --data-root "$T/root" --exec-root "$T/exec" -p "$T/pid" -H "unix://$T/d.sock" ` +
      `--cgroup-parent "\${T##*/}"`,
    leftGroups: (folder) => [groupOf(folder)],
  });
}
