/** Helpers for tests of the filesystem driver: a second device, another user, and failures of single calls. */
import { type MutatingCall, setFaultHook } from "#/core/posix.ts";
import { requires } from "../support/require.ts";

/** A writable folder on another device than the temporary folder's; undefined where there is none. */
export function secondDevice(): string | undefined {
  const probe = Deno.makeTempDirSync();
  try {
    const here = Deno.statSync(probe).dev;
    return ["/dev/shm", "/run/shm", "/var/tmp"].find((path) => isWritableElsewhere(path, here));
  } finally {
    Deno.removeSync(probe);
  }
}

function isWritableElsewhere(path: string, device: number): boolean {
  try {
    if (Deno.statSync(path).dev === device) return false;
    Deno.removeSync(Deno.makeTempDirSync({ dir: path }));
    return true;
  } catch {
    return false;
  }
}

/** Registers a test that needs two devices; skipped by name where there is one (and failing with BACKOUT_REQUIRE=all). */
export function testOnTwoDevices(name: string, body: (elsewhere: string) => Promise<void>): void {
  const elsewhere = secondDevice();
  const skip = elsewhere === undefined && Deno.env.get("BACKOUT_REQUIRE") !== "all";
  Deno.test({
    name: name + (skip ? " [skipped: needs a second writable device such as /dev/shm]" : ""),
    ignore: skip,
    fn: async () => {
      if (elsewhere === undefined) throw new Error("BACKOUT_REQUIRE=all, but this machine has one device");
      const folder = await Deno.makeTempDir({ dir: elsewhere, prefix: "backout-test-" });
      try {
        await body(folder);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

/** Makes the n-th changing call fail with an error number (1 is the first), until disposed. */
export function failCall(n: number, errno: string): { calls: number } & Disposable {
  const counter = {
    calls: 0,
    [Symbol.dispose]: () => setFaultHook(undefined),
  };
  setFaultHook((call: MutatingCall, path: string) => {
    counter.calls += 1;
    if (counter.calls !== n) return;
    throw Object.assign(new Error(`${errno}: injected, ${call} '${path}'`), { code: errno });
  });
  return counter;
}

/** Runs a program as the user nobody, with the driver at hand; what it prints is the answer. */
export async function asNobody(program: string, folder: string): Promise<string> {
  requires("setpriv").assertPresent();
  const file = `${folder}/program.ts`;
  await Deno.mkdir(`${folder}/deno`, { recursive: true });
  await Deno.chmod(`${folder}/deno`, 0o777);
  await Deno.writeTextFile(file, program);
  const root = new URL("../..", import.meta.url).pathname;
  const output = await new Deno.Command("setpriv", {
    args: [
      ...["--reuid=65534", "--regid=65534", "--clear-groups", Deno.execPath(), "run", "-A", "--no-lock"],
      ...["--no-check", "--config", `${root}deno.json`, file],
    ],
    env: { DENO_DIR: `${folder}/deno`, HOME: folder },
    stdout: "piped",
    stderr: "piped",
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (!output.success) throw new Error(decode(output.stderr));
  return decode(output.stdout).trim();
}
