/** Small ext4 filesystems in a file, to fill up or to cut the power of. Needs root and loop devices. */

export interface ImageOptions {
  readonly megabytes: number;
  readonly inodes?: number;
  /** @default true */
  readonly journal?: boolean;
}

/** Makes an image with an empty ext4 filesystem. */
export function makeImage(image: string, options: ImageOptions): void {
  must("truncate", ["-s", `${options.megabytes}M`, image]);
  must("mkfs.ext4", [
    ...["-q", "-F", "-b", "1024", "-m", "0"],
    ...(options.inodes === undefined ? [] : ["-N", String(options.inodes)]),
    ...(options.journal === false ? ["-O", "^has_journal"] : []),
    image,
  ]);
}

export interface Mounted extends Disposable {
  readonly at: string;
  /** Drops everything that is not durable, as a power cut would; the filesystem refuses all work from then on. */
  readonly powerOff: (options?: { readonly flushLog?: boolean }) => void;
}

/** Mounts an image; leaving the scope unmounts it. */
export function mountImage(image: string, at: string): Mounted {
  Deno.mkdirSync(at, { recursive: true });
  must("mount", ["-o", "loop", image, at]);
  return {
    at,
    powerOff: ({ flushLog = false } = {}) =>
      must("xfs_io", ["-x", "-c", flushLog ? "shutdown -f" : "shutdown", at]),
    [Symbol.dispose]: () => unmount(at),
  };
}

/** Whoever looks at all mounts (a namespace that is being made, a scan of the system) holds one for a moment. */
function unmount(at: string): void {
  const deadline = Date.now() + 20_000;
  for (;;) {
    try {
      return must("umount", [at]);
    } catch (error) {
      if (!/busy/.test(String(error)) || Date.now() > deadline) throw error;
      new Deno.Command("sleep", { args: ["0.1"] }).outputSync();
    }
  }
}

/** @throws {Error} with what the command said when it fails */
function must(command: string, args: readonly string[]): void {
  const result = new Deno.Command(command, { args: [...args], stdin: "null" }).outputSync();
  if (result.success) return;
  const said = new TextDecoder().decode(result.stderr).trim();
  throw new Error(`${command} ${args.join(" ")}: exit ${result.code}: ${said}`);
}
