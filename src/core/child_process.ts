/** What is the same for every child: its environment, the end of its process group, waits that leave no timer behind. */

/** A process that does not even end by SIGKILL (it hangs in the kernel) is left after this, in milliseconds. */
const KILL_GRACE_MS = 5_000;
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The environment of every child: where programs and the home are, and nothing else of ours. */
export function cleanEnvironment(env: (name: string) => string | undefined): Record<string, string> {
  const clean: Record<string, string> = { PATH: env("PATH") || DEFAULT_PATH, LANG: env("LANG") || "C.UTF-8" };
  const names = Deno.build.os === "windows" ? ["SYSTEMROOT", "USERPROFILE", "HOME"] : ["HOME"];
  for (const name of names) {
    const value = env(name);
    if (value !== undefined && value !== "") clean[name] = value;
  }
  return clean;
}

/** Asks the whole process group to end (SIGTERM), then ends it (SIGKILL), and waits for the child. */
export async function endGroup(child: Deno.ChildProcess, termGraceMs: number): Promise<void> {
  signalGroup(child, "SIGTERM");
  await within(child.status, termGraceMs);
  // Also when the child has gone: what it started may have stayed.
  signalGroup(child, "SIGKILL");
  await within(child.status, KILL_GRACE_MS);
}

/** To the whole group; where there are none, or this process may not, to the child alone. */
export function signalGroup(child: Deno.ChildProcess, signal: Deno.Signal): void {
  if (Deno.build.os !== "windows" && tryTo(() => Deno.kill(-child.pid, signal))) return;
  tryTo(() => child.kill(signal));
}

/** False when it has ended already, with all that it started. */
function tryTo(send: () => void): boolean {
  try {
    send();
    return true;
  } catch {
    return false;
  }
}

/** Waits until the promise is settled, the time is over, or the signal aborts. Leaves no timer behind. */
export async function within(
  promise: Promise<unknown>,
  ms: number | undefined,
  signal?: AbortSignal,
): Promise<"ended" | "late" | "aborted"> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let onAbort: (() => void) | undefined;
  try {
    return await Promise.race([
      promise.then(() => "ended" as const, () => "ended" as const),
      new Promise<"late">((resolve) => {
        if (ms !== undefined) timer = setTimeout(() => resolve("late"), ms);
      }),
      new Promise<"aborted">((resolve) => {
        onAbort = () => resolve("aborted");
        if (signal?.aborted === true) onAbort();
        signal?.addEventListener("abort", onAbort);
      }),
    ]);
  } finally {
    clearTimeout(timer);
    if (onAbort !== undefined) signal?.removeEventListener("abort", onAbort);
  }
}
