/** What saves and restores a folder: backout, restic and borgbackup, each with a store of its own. */
import { join } from "node:path";
import { type Timed, timed } from "./measure.ts";

export interface Tool {
  readonly name: string;
  /** Makes the store anew, empty. */
  readonly reset: () => void;
  readonly save: () => Timed;
  /** The last snapshot, into an empty folder. */
  readonly restore: (out: string) => Timed;
  /** The last snapshot, over what is there. */
  readonly restoreInPlace: () => Timed;
  /** Bytes of all files of the store. */
  readonly size: () => number;
}

/** Those that are installed; backout comes first. @param folder for the stores @param data what is saved, absolute */
export function toolsFor(backout: readonly string[], folder: string, data: string): readonly Tool[] {
  return [
    backoutTool(backout, join(folder, "backout"), data),
    ...(isThere("restic") ? [resticTool(join(folder, "restic"), data)] : []),
    ...(isThere("borg") ? [borgTool(join(folder, "borg"), data)] : []),
  ];
}

function backoutTool(command: readonly string[], folder: string, data: string): Tool {
  const run = (...words: readonly string[]) => timed([...command, ...words], { cwd: folder, peak: true });
  return {
    name: "backout",
    reset: () => {
      empty(folder);
      const config = { version: 1, targets: { data: { type: "file_system", paths: [data] } } };
      Deno.writeTextFileSync(join(folder, "backout.yaml"), JSON.stringify(config));
    },
    save: () => run("snapshot", "create", "measured"),
    restore: (out) => run("snapshot", "restore", "latest", "--to", out, "--yes"),
    restoreInPlace: () => run("snapshot", "restore", "latest", "--yes"),
    size: () => sizeOf(join(folder, ".backout")),
  };
}

function resticTool(folder: string, data: string): Tool {
  const [store, cache] = [join(folder, "store"), join(folder, "cache")];
  const run = (...words: readonly string[]) =>
    timed(["restic", "-q", "-r", store, "--cache-dir", cache, ...words], {
      env: { RESTIC_PASSWORD: "measured" },
      peak: true,
    });
  return {
    name: "restic",
    reset: () => {
      empty(folder);
      run("init");
    },
    save: () => run("backup", data),
    restore: (out) => run("restore", "latest", "--target", out),
    restoreInPlace: () => run("restore", "latest", "--target", "/"),
    size: () => sizeOf(store),
  };
}

function borgTool(folder: string, data: string): Tool {
  const store = join(folder, "store");
  const env = { BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: "yes", BORG_BASE_DIR: join(folder, "base") };
  const run = (cwd: string, ...words: readonly string[]) =>
    timed(["borg", ...words], { cwd, env, peak: true });
  const last = () => `${store}::${run(folder, "list", "--last", "1", "--short", store).stdout.trim()}`;
  const extract = (cwd: string) => {
    const archive = last();
    return run(cwd, "extract", archive);
  };
  return {
    name: "borg",
    reset: () => {
      empty(folder);
      run(folder, "init", "-e", "none", store);
    },
    save: () => run(folder, "create", `${store}::${crypto.randomUUID()}`, data),
    restore: extract,
    restoreInPlace: () => extract("/"),
    size: () => sizeOf(store),
  };
}

function empty(folder: string): void {
  try {
    Deno.removeSync(folder, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  Deno.mkdirSync(folder, { recursive: true });
}

function isThere(program: string): boolean {
  try {
    return new Deno.Command(program, { args: ["--version"], stdout: "null", stderr: "null" }).outputSync()
      .code <= 2;
  } catch {
    return false;
  }
}

function sizeOf(folder: string): number {
  let bytes = 0;
  for (const entry of Deno.readDirSync(folder)) {
    const path = join(folder, entry.name);
    bytes += entry.isDirectory ? sizeOf(path) : Deno.lstatSync(path).size;
  }
  return bytes;
}
