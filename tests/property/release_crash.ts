/** The world of a property test, and its end: a process that dies, and the recovery after it. */
import { setFaultHook } from "#/core/posix.ts";
import * as backout from "#/mod.ts";
import { writeTarsRepository } from "../support/tars.ts";
import { contentOf, filesOf, firstModel, type Model, SHARED, VERSIONS } from "./release_model.ts";
import { timeOf } from "./release_world.ts";

export interface World {
  readonly folder: string;
  readonly root: string;
  readonly states: Model[];
  tick: number;
  serial: number;
}

/** Three releases of T.A.R.S., and folders with what can be published. */
export function makeWorld(folder: string): World {
  const root = `${folder}/releases`;
  const files = (version: string) =>
    Object.fromEntries(filesOf(version).map((path) => [path.slice(version.length + 1), contentOf(path)]));
  writeTarsRepository(root, {
    releases: ["t1", "t2", "t3"].map((version, i) => ({
      version,
      timestamp: `2026-01-0${i + 1}T10:00:00.123456+00:00`,
      files: files(version),
      elsewhere: version === "t1" ? {} : { [SHARED]: contentOf(SHARED) },
    })),
  });
  for (const name of VERSIONS) {
    for (const [path, content] of Object.entries(files(name))) {
      for (const kind of ["same", "other"]) {
        const file = `${folder}/${kind}/${name}/${path}`;
        Deno.mkdirSync(file.slice(0, file.lastIndexOf("/")), { recursive: true });
        Deno.writeTextFileSync(file, kind === "same" ? content : `other ${content}`);
      }
    }
  }
  return { folder, root, states: [firstModel()], tick: 0, serial: 0 };
}

/** Runs it as if the process died before its n-th changing call: everything after that fails too. */
export async function dying<T>(
  n: number,
  run: () => Promise<T>,
): Promise<{ crashed: boolean; report: T | undefined }> {
  let calls = 0;
  setFaultHook((call, path) => {
    if (++calls >= n) throw Object.assign(new Error(`EIO: dead before ${call} ${path}`), { code: "EIO" });
  });
  try {
    return { report: await run(), crashed: calls >= n };
  } catch (error) {
    if (calls < n) throw error;
    return { report: undefined, crashed: true };
  } finally {
    setFaultHook(undefined);
  }
}

export async function recover(
  { root, tick }: Pick<World, "root" | "tick">,
  n: number,
  noticed: boolean,
): Promise<void> {
  const go = async () => {
    await freeLock(root, noticed);
    return await backout.recoverRepository({ repository: root, now: () => timeOf(tick) });
  };
  await dying(n, go);
  await go();
}

/** This process holds the dead one's lock: it is made to look like another one's, or removed. */
export async function freeLock(root: string, noticed: boolean): Promise<void> {
  const file = `${root}/.backout/lock`;
  try {
    disownTemporaries(`${root}/.backout/tmp`);
    if (noticed) {
      const holder = JSON.parse(Deno.readTextFileSync(file));
      Deno.writeTextFileSync(file, JSON.stringify({ ...holder, process_start: "1" }));
    } else await backout.unlockRepository({ repository: root, force: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Those of a living process are not swept away. */
function disownTemporaries(folder: string): void {
  for (const { name } of Deno.readDirSync(folder)) {
    Deno.renameSync(`${folder}/${name}`, `${folder}/${name.replace(/^[0-9a-f]{8}/, "00000000")}`);
  }
}
