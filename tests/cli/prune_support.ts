/** A workspace with snapshots of a test's own names. */
import { FILES, type TestWorkspace, withWorkspace } from "./snapshot_support.ts";

/** By the rules of `prune.yaml`. */
export const PRUNE = ["snapshot", "prune", "--config", "prune.yaml", "--yes", "--json"];
/** Of `prune.yaml`. */
export const RETENTION = "snapshots: {retention: {keep_last: 2}}\n";

/** A workspace with these snapshots, oldest first; rules come in flags or from `prune.yaml`. */
export async function withPoints(
  ids: readonly string[],
  body: (workspace: TestWorkspace) => Promise<void>,
): Promise<void> {
  await withWorkspace(FILES, async (workspace) => {
    for (const id of ids) await point(workspace, id);
    workspace.write("prune.yaml", `version: 1\n${FILES}${RETENTION}`);
    await body(workspace);
  });
}

async function point({ write, json }: TestWorkspace, id: string): Promise<void> {
  write("etc/app.conf", `${id}\n`);
  write("data/f", "f\n");
  await json("snapshot", "create", "--id", id);
}

export async function ids({ json }: TestWorkspace): Promise<readonly string[]> {
  const { snapshots } = await json("snapshot", "list");
  return snapshots.map(({ id }: { id: string }) => id).toReversed();
}
