/** What an operation that died held still goes on. */
import { messageOf } from "#/core/errors.ts";
import { readHeld } from "#/target/held.ts";
import { loadDriver } from "./bind_target.ts";
import { heldFolders } from "./target_context.ts";
import type { Workspace } from "./workspace.ts";

/** @returns false when something could not go on: it is tried again by the next command */
export async function letHeldGo(workspace: Workspace, id: string): Promise<boolean> {
  const { options, scope } = workspace;
  let all = true;
  for (const folder of heldFolders(workspace, id)) {
    const held = readHeld(folder);
    if (held === undefined) continue;
    const signal = scope.signal ?? new AbortController().signal;
    try {
      const driver = await loadDriver(options, held.type);
      const what = await driver.letGo?.(held.note, { env: options.env, signal });
      if (what !== undefined) workspace.warn(`${what}: an operation that was cut off had held it still`);
    } catch (error) {
      all = false;
      workspace.warn(`An operation that was cut off may still hold something: ${messageOf(error)}`);
    }
  }
  return all;
}
