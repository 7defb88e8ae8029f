/** Two hundred components in twenty levels: each needs two of the level below it. */
import { gitIn } from "./meta_support.ts";

export interface ManyWorld {
  readonly root: string;
  readonly names: readonly string[];
  /** Lock files of the two versions, absolute. */
  readonly locks: readonly [string, string];
}

/** @param folder empty; @param files of each component, of which a part differs between the versions */
export function makeMany(folder: string, count = 200, levels = 20, files = 12): ManyWorld {
  const template = `${folder}/template`;
  Deno.mkdirSync(template);
  gitIn(template, "init", "--quiet", "--template=", "--initial-branch=main");
  for (let i = 0; i < files; i++) Deno.writeTextFileSync(`${template}/file${i}`, `${i}\n`.repeat(50));
  gitIn(template, "add", ".");
  gitIn(template, "commit", "--quiet", "-m", "one");
  gitIn(template, "tag", "v1.0.0");
  for (let i = 0; i < 3; i++) Deno.writeTextFileSync(`${template}/file${i}`, `${i} again\n`.repeat(50));
  gitIn(template, "commit", "--quiet", "-a", "-m", "two");
  gitIn(template, "tag", "v1.1.0");
  gitIn(template, "checkout", "--quiet", "--detach");
  const root = `${folder}/meta`;
  Deno.mkdirSync(`${root}/components`, { recursive: true });
  Deno.mkdirSync(`${root}/manifests`);
  const names = Array.from({ length: count }, (_, i) => `c${String(i).padStart(3, "0")}`);
  const script = 'template="$1"; shift; for name in "$@"; do cp -a "$template" "$name"; done';
  const { success } = new Deno.Command("sh", {
    args: ["-c", script, "sh", template, ...names],
    cwd: `${root}/components`,
  })
    .outputSync();
  if (!success) throw new Error("cannot copy the template");
  const width = count / levels;
  const manifest = names.map((name, i) => {
    const below = i < width ? [] : [i - width, i - (i % width) - width].map((at) => `${names[at]}@^1.0.0`);
    return `  ${name}:\n    repo: file://${template}\n    version: v1.1.0\n    depends_on: ${
      JSON.stringify([...new Set(below)])
    }\n`;
  });
  Deno.writeTextFileSync(`${root}/manifests/components.yaml`, `components:\n${manifest.join("")}`);
  const lock = (version: string): string => {
    const commit = gitIn(template, "rev-parse", version);
    const entries = names.map((name) => `  ${name}:\n    version: ${version}\n    commit: "${commit}"\n`);
    const path = `${root}/manifests/components.lock.${version === "v1.0.0" ? "old" : "new"}.yaml`;
    const environment = version === "v1.0.0" ? "old" : "new";
    Deno.writeTextFileSync(
      path,
      `generated_at: "2026-01-01"\nenvironment: ${environment}\ncomponents:\n${entries.join("")}`,
    );
    return path;
  };
  return { root, names, locks: [lock("v1.0.0"), lock("v1.1.0")] };
}
