/** Every changing call of a restore fails, once or from then on: it ends before or after, and says which. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { setFaultHook } from "#/core/posix.ts";
import { recoverWorkspace, type WorkspaceOptions } from "#/snapshot/mod.ts";
import { withTempDir } from "../support/temp.ts";
import { changeAll, journals, look, makeWorld, restoring, taken, versions } from "./world.ts";

/** Fails the calls that `which` names. @returns how many there were */
async function withFaults(
  which: (call: number) => boolean,
  code: string,
  work: () => Promise<void>,
): Promise<number> {
  let calls = 0;
  setFaultHook((call, path) => {
    calls += 1;
    if (!which(calls)) return;
    throw Object.assign(new Error(`${code}: injected, ${call} '${path}'`), { code, syscall: call, path });
  });
  try {
    await work();
  } finally {
    setFaultHook(undefined);
  }
  return calls;
}

async function restoreWithFault(
  folder: string,
  options: WorkspaceOptions,
  id: string,
  at: number,
  fault: { readonly code: string; readonly which: (call: number) => boolean },
): Promise<boolean> {
  changeAll(folder, "v2");
  let exit = -1;
  let summary = "";
  const calls = await withFaults(fault.which, fault.code, async () => {
    ({ exit_code: exit, summary } = await restoring(options, id));
  });
  const where = `${fault.code} at call ${at} of ${calls}: ${exit} ${summary}`;
  const found = JSON.stringify(look(folder));
  const before = JSON.stringify(versions("v2"));
  const after = JSON.stringify(versions("v1"));
  if (exit === 0) assert.equal(found, after, where);
  else if (exit !== 53) assert.equal(found, before, where);
  // A lock that could not be removed is this process's own: nobody takes it from the living.
  const lock = join(folder, "ws", ".backout", "lock");
  await Deno.remove(lock, { recursive: true }).catch(() => {});
  await recoverWorkspace(options);
  const end = JSON.stringify(look(folder));
  assert.equal(end, exit === 0 ? after : before, `${where}, recovered`);
  assert.deepEqual(journals(folder), [], where);
  return calls >= at;
}

Deno.test("a call that fails once: done, or taken back", () =>
  withTempDir(async (folder) => {
    const options = makeWorld(folder);
    const id = await taken(options);
    let at = 1;
    while (
      await restoreWithFault(folder, options, id, at, {
        code: "EIO",
        which: (call) => call === at,
      })
    ) at += 1;
    assert.ok(at > 40, `only ${at} calls`);
  }));

Deno.test("a disk that is full from a call on: taken back, or by the recovery when there is space again", () =>
  withTempDir(async (folder) => {
    const options = makeWorld(folder);
    const id = await taken(options);
    let at = 1;
    while (await restoreWithFault(folder, options, id, at, { code: "ENOSPC", which: (call) => call >= at })) {
      at += 2;
    }
    assert.ok(at > 40, `only ${at} calls`);
  }));
