/** Bundling the program into plain JavaScript files that start fast. */
import { join } from "node:path";
import { run } from "./child.ts";

/**
 * Bundles the entries (one file per dynamic import, so that a run loads only what it needs) and the hash worker into `folder`.
 * @returns false when bundling failed; the reason was printed
 */
export function bundleProgram(root: string, entries: readonly string[], folder: string): boolean {
  Deno.mkdirSync(folder, { recursive: true });
  const common = [Deno.execPath(), "bundle", "--quiet", "--platform", "deno"];
  if (!run([...common, "--code-splitting", "--outdir", folder, ...entries], root)) return false;
  const worker = join(folder, "digest_worker.js");
  if (!run([...common, "-o", worker, "src/core/digest_worker.ts"], root)) return false;
  for (const name of bundleFiles(folder)) allowRequire(join(folder, name));
  return true;
}

/** The JavaScript files of a bundle. */
export function bundleFiles(folder: string): readonly string[] {
  return [...Deno.readDirSync(folder)].map((it) => it.name).filter((it) => it.endsWith(".js"));
}

/** CommonJS packages in the bundle ask for built-in modules with `require`, which a module does not have. */
function allowRequire(path: string): void {
  const text = Deno.readTextFileSync(path);
  if (!text.includes("Dynamic require of")) return;
  const head = 'import { createRequire as backoutRequire } from "node:module";\n' +
    "const require = backoutRequire(import.meta.url);\n";
  Deno.writeTextFileSync(path, head + text);
}
