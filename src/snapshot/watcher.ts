/** The process that takes a restore back when nobody confirms it in time; it outlives the session that started it. */
import { fileURLToPath as fromUrl } from "node:url";
import { messageOf } from "#/core/errors.ts";
import type { WorkspaceOptions } from "./options.ts";

/** The hidden command that the process runs. */
export const WATCH_COMMAND: readonly string[] = ["snapshot", "watch-confirm"];

/**
 * Starts it in a session of its own, with nothing of the terminal. Where it cannot be started that is a warning: the
 * next command, or the recovery at boot, takes the restore back too.
 */
export function startWatcher(options: WorkspaceOptions, warn: (message: string) => void): void {
  const command = ownCommand();
  const late = "it is taken back by the next command after that time, or by `backout recover`";
  if (command === undefined) return warn(`No process waits for the confirmation: ${late}`);
  const [program, ...args] = command;
  const config = options.configFile === undefined ? [] : ["--config", options.configFile];
  try {
    const child = new Deno.Command(program!, {
      args: [...args, ...WATCH_COMMAND, ...config, "--store", options.store.location, "--quiet"],
      cwd: options.folder,
      stdin: "null",
      stdout: "null",
      stderr: "null",
      detached: true,
    }).spawn();
    child.unref();
    child.status.catch(() => {}); // how it ends, the journal says
  } catch (error) {
    warn(`The process that waits for the confirmation could not be started (${messageOf(error)}): ${late}`);
  }
}

/** This program again; undefined where it is a library in another one. */
function ownCommand(): readonly string[] | undefined {
  if (Deno.build.standalone) return [Deno.execPath()];
  const main = new URL("../../main.ts", import.meta.url);
  if (Deno.mainModule !== main.href) return undefined;
  const config = new URL("../../deno.json", import.meta.url);
  return [Deno.execPath(), "run", ...grantedFlags(), "--config", fromUrl(config), fromUrl(main)];
}

const KINDS = ["read", "write", "env", "sys", "run", "net", "ffi"] as const;

/** What this process may do, as flags for `deno run`. */
function grantedFlags(): readonly string[] {
  const granted = KINDS.filter((name) => Deno.permissions.querySync({ name }).state === "granted");
  if (granted.length === KINDS.length) return ["-A", "--no-prompt"];
  return [...granted.map((name) => `--allow-${name}`), "--no-prompt"];
}
