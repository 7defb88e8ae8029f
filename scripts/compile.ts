/**
 * Compiles the executable: bundle first (one file per dynamic import, so that a command loads only what it needs),
 * then `deno compile` with explicit permissions.
 *
 *     deno task compile [--target TRIPLE | --all] [--output FILE] [--bundle-only]
 *
 * DENORT_BIN names a `denort` to use instead of a download; DENO_COMPILE a command line that stands for `deno`
 * in `deno compile` (it must match that denort), for example `npx -y deno@2.6.8`.
 */
import { parseArgs } from "node:util";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleFiles, bundleProgram, WORKERS } from "./bundle.ts";
import { output } from "./child.ts";
import { PERMISSIONS, V8_FLAGS } from "./permissions.ts";

const TARGETS = [
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "x86_64-apple-darwin",
  "aarch64-apple-darwin",
  "x86_64-pc-windows-msvc",
] as const;

const NO_DENORT = "Compiling needs `denort`, which `deno compile` downloads: where there is no network, " +
  "set DENORT_BIN to one of the same Deno version (and DENO_COMPILE to that Deno).";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const bundleFolder = join(root, "dist", "bundle");

const { values: flags } = parseArgs({
  args: Deno.args,
  options: {
    "target": { type: "string" },
    "all": { type: "boolean", default: false },
    "output": { type: "string" },
    "bundle-only": { type: "boolean", default: false },
    "help": { type: "boolean", default: false },
  },
});

if (import.meta.main) Deno.exit(main());

function main(): number {
  if (flags.help) {
    console.log("deno task compile [--target TRIPLE | --all] [--output FILE] [--bundle-only]");
    console.log(`Targets: ${TARGETS.join(", ")}`);
    return 0;
  }
  if (flags.target !== undefined && !TARGETS.some((it) => it === flags.target)) {
    return fail(`Unknown target ${JSON.stringify(flags.target)}; known are ${TARGETS.join(", ")}.`);
  }
  if (
    Deno.env.get("DENORT_BIN") && (flags.all || (flags.target ?? Deno.build.target) !== Deno.build.target)
  ) {
    return fail("DENORT_BIN holds the runtime of one target: unset it to compile for others.");
  }
  if (!bundle()) return fail("Bundling failed.");
  if (flags["bundle-only"]) return 0;
  if (!flags.all) {
    return compile(flags.target, flags.output ?? join(root, "dist", executableName(flags.target)));
  }
  for (const target of TARGETS) {
    const code = compile(target, join(root, "dist", target, executableName(target)));
    if (code !== 0) return code;
  }
  return 0;
}

/** Writes main.js, its chunks and the workers into `dist/bundle`. */
function bundle(): boolean {
  removeIfThere(bundleFolder);
  if (!bundleProgram(root, ["main.ts"], bundleFolder)) return false;
  stampVersion();
  return true;
}

/** Puts version and commit in the place of the constants of src/core/version.ts. */
function stampVersion(): void {
  const config = JSON.parse(Deno.readTextFileSync(join(root, "deno.json"))) as { version: string };
  const values = { VERSION: config.version, COMMIT: currentCommit() };
  for (const [name, value] of Object.entries(values)) {
    const constant = new RegExp(`\\b(var|const|let) ${name} = "[^"\\n]*"`);
    const stamped = bundleFiles(bundleFolder).filter((file) => {
      const path = join(bundleFolder, file);
      const text = Deno.readTextFileSync(path);
      if (!constant.test(text)) return false;
      Deno.writeTextFileSync(path, text.replace(constant, `$1 ${name} = ${JSON.stringify(value)}`));
      return true;
    });
    if (stamped.length !== 1) {
      throw new Error(`${name} stands in ${stamped.length} files of the bundle, expected exactly one`);
    }
  }
}

/** The commit of the checkout, marked when files differ from it; BACKOUT_COMMIT where there is no git. */
function currentCommit(): string {
  const given = Deno.env.get("BACKOUT_COMMIT");
  if (given !== undefined && given !== "") return given;
  const commit = output(["git", "rev-parse", "--short=12", "HEAD"], root);
  if (commit === undefined) return "unknown";
  return output(["git", "status", "--porcelain", "--untracked-files=no"], root) === ""
    ? commit
    : `${commit}-dirty`;
}

function compile(target: string | undefined, file: string): number {
  Deno.mkdirSync(dirname(file), { recursive: true });
  const compiler = (Deno.env.get("DENO_COMPILE") ?? "").split(" ").filter((it) => it !== "");
  // V8's cache would lie in the shared temporary folder, where anybody may put code for it to run.
  const cache = "--no-code-cache";
  const command = [
    ...(compiler.length > 0 ? compiler : [Deno.execPath()]),
    ...["compile", "--quiet", "--no-config", "--no-check", cache, V8_FLAGS, ...PERMISSIONS],
    ...Object.keys(WORKERS).flatMap((name) => ["--include", join(bundleFolder, name)]),
    ...(target === undefined ? [] : ["--target", target]),
    ...["--output", file, join(bundleFolder, "main.js")],
  ];
  const [program, ...args] = command;
  const result = new Deno.Command(program!, { args, cwd: root, stdin: "null" }).outputSync();
  if (!result.success) {
    const said = new TextDecoder().decode(result.stderr).trim();
    return fail(/denort/i.test(said) && /error sending request|download/i.test(said) ? NO_DENORT : said);
  }
  console.log(`${file} (${(Deno.statSync(file).size / 1e6).toFixed(0)} MB)`);
  return 0;
}

function executableName(target: string | undefined): string {
  const windows = target === undefined ? Deno.build.os === "windows" : target.includes("windows");
  return windows ? "backout.exe" : "backout";
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function fail(message: string): number {
  console.error(message);
  return 1;
}
