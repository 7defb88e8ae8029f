/** Bundling the program into plain JavaScript files that start fast. */
import { join } from "node:path";
import { run } from "./child.ts";

/** The threads' programs, by their names in the bundle. `compile.ts` includes them. */
export const WORKERS: Readonly<Record<string, string>> = {
  "digest_worker.js": "src/core/digest_worker.ts",
  "store_worker.js": "src/store/store_worker.ts",
};

/**
 * Bundles the entries (one file per dynamic import, so that a run loads only what it needs) and the workers into `folder`.
 * @returns false when bundling failed; the reason was printed
 */
export function bundleProgram(root: string, entries: readonly string[], folder: string): boolean {
  Deno.mkdirSync(folder, { recursive: true });
  const common = [Deno.execPath(), "bundle", "--quiet", "--platform", "deno"];
  if (!run([...common, "--code-splitting", "--outdir", folder, ...entries], root)) return false;
  for (const [name, source] of Object.entries(WORKERS)) {
    if (!run([...common, "-o", join(folder, name), source], root)) return false;
  }
  for (const name of bundleFiles(folder)) allowRequire(join(folder, name));
  nameExports(folder);
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

/**
 * A CommonJS module that is imported dynamically becomes a file with a default export only, while its importers ask for
 * its names: they get them here, as from Node and from Deno without a bundle.
 */
function nameExports(folder: string): void {
  const files = bundleFiles(folder).map((name) => ({
    name,
    text: Deno.readTextFileSync(join(folder, name)),
  }));
  const commonJs = files.filter(({ text }) =>
    /^export default require_\w+\(\);$/m.test(text) && !/^export \{/m.test(text)
  );
  const names = commonJs.map(({ name }) => name.replaceAll(".", "\\."));
  if (names.length === 0) return;
  const imported = new RegExp(`\\bimport\\("\\./(${names.join("|")})"\\)`, "g");
  for (const { name, text } of files) {
    const named = text.replace(imported, "$&.then(({ default: it }) => ({ ...it, default: it }))");
    if (named !== text) Deno.writeTextFileSync(join(folder, name), named);
  }
}
