/** A meta repository as a team has one: three components that need each other, with bare remotes. */
import assert from "node:assert/strict";
import { type CliOptions, type CliResult, runCli } from "../support/cli.ts";
import { withTempDir } from "../support/temp.ts";

export const COMPONENTS = ["lib", "api", "web"] as const;

export interface MetaWorld {
  /** The folder with `manifests/` and `components/`. */
  readonly root: string;
  /** Bare repositories, `NAME.git`. */
  readonly remotes: string;
  readonly run: (args: readonly string[], options?: CliOptions) => Promise<CliResult>;
  /** The same, which must end with `code`: its JSON. */
  // deno-lint-ignore no-explicit-any -- documents of many shapes, whose fields the tests look at
  readonly json: (code: number, ...args: readonly string[]) => Promise<any>;
  /** Git in a component's checkout. */
  readonly git: (component: string, ...args: readonly string[]) => string;
  readonly read: (path: string) => string;
  readonly write: (path: string, text: string) => void;
  /** Commit of a tag or branch in a component. */
  readonly commit: (component: string, name: string) => string;
}

const IDENTITY = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"];
const ENV = {
  PATH: Deno.env.get("PATH")!,
  LC_ALL: "C",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_AUTHOR_DATE: "2026-01-02T03:04:05Z",
  GIT_COMMITTER_DATE: "2026-01-02T03:04:05Z",
};

/** Runs git, which must succeed. */
export function gitIn(folder: string, ...args: readonly string[]): string {
  const { success, stdout, stderr } = new Deno.Command("git", {
    args: ["-C", folder, ...IDENTITY, ...args],
    clearEnv: true,
    env: { ...ENV, HOME: folder },
  }).outputSync();
  assert.ok(success, `git ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout).trim();
}

/** Makes a component with two versions, its remote, and its checkout. Tag v1.0.0 is light, v2.0.0 annotated. */
export function makeComponent(folder: string, name: string): void {
  const work = `${folder}/work-${name}`;
  Deno.mkdirSync(work);
  gitIn(work, "init", "--quiet", "--initial-branch=main");
  Deno.writeTextFileSync(`${work}/file`, `${name} 1\n`);
  Deno.writeTextFileSync(`${work}/stable`, "the same\n");
  Deno.writeTextFileSync(`${work}/.gitignore`, "*.ignored\n");
  gitIn(work, "add", ".");
  gitIn(work, "commit", "--quiet", "-m", `${name} one`);
  gitIn(work, "tag", "v1.0.0");
  Deno.writeTextFileSync(`${work}/file`, `${name} 2\n`);
  Deno.writeTextFileSync(`${work}/new`, "only in the second\n");
  gitIn(work, "add", ".");
  gitIn(work, "commit", "--quiet", "-m", `${name} two`);
  gitIn(work, "tag", "-a", "-m", "second", "v2.0.0");
  Deno.mkdirSync(`${folder}/remotes`, { recursive: true });
  gitIn(folder, "clone", "--quiet", "--bare", work, `remotes/${name}.git`);
  Deno.removeSync(work, { recursive: true });
  Deno.mkdirSync(`${folder}/meta/components`, { recursive: true });
  const url = `file://${folder}/remotes/${name}.git`;
  gitIn(folder, "clone", "--quiet", url, `meta/components/${name}`);
  const checkout = `${folder}/meta/components/${name}`;
  for (const [key, value] of [["user.name", "test"], ["user.email", "test@example.org"]]) {
    gitIn(checkout, "config", key!, value!);
  }
}

/** The text of a lock file. @param commits by component */
export function lockText(
  environment: string,
  version: string,
  commits: Readonly<Record<string, string>>,
  remotes: string,
): string {
  const entries = Object.entries(commits).map(([name, commit]) =>
    `  ${name}:\n    version: ${version}\n    commit: "${commit}"\n    repo: file://${remotes}/${name}.git\n`
  );
  return `generated_at: "2026-01-01T00:00:00"\nenvironment: ${environment}\ncomponents:\n${entries.join("")}`;
}

export function manifestText(remotes: string): string {
  return `# what we run
components:
  lib:   # the base
    repo: "file://${remotes}/lib.git"
    version: "v2.0.0"
    type: python
    x-owner: {team: core}   # a field of ours
  api:
    repo: file://${remotes}/api.git
    version: v2.0.0
    type: bazel
    depends_on:
      - lib@>=1.0.0

  web:
    repo: file://${remotes}/web.git
    version: 2.0.0
    depends_on: ["api@^2.0.0"]
`;
}

/** Makes the whole world in a folder. */
export function makeMeta(folder: string): void {
  Deno.mkdirSync(`${folder}/meta/manifests`, { recursive: true });
  for (const name of COMPONENTS) makeComponent(folder, name);
  const remotes = `${folder}/remotes`;
  const at = (tag: string) =>
    Object.fromEntries(
      COMPONENTS.map((
        name,
      ) => [name, gitIn(`${folder}/meta/components/${name}`, "rev-parse", `${tag}^{commit}`)]),
    );
  const write = (name: string, text: string) =>
    Deno.writeTextFileSync(`${folder}/meta/manifests/${name}`, text);
  write("components.yaml", manifestText(remotes));
  write("components.lock.prod.yaml", lockText("prod", "v2.0.0", at("v2.0.0"), remotes));
  write("components.lock.prod.previous.yaml", lockText("prod", "v1.0.0", at("v1.0.0"), remotes));
}

/** Runs `body` in a new world. */
export async function withMeta(body: (world: MetaWorld) => Promise<void>): Promise<void> {
  await withTempDir(async (folder) => {
    makeMeta(folder);
    await body(metaWorld(folder));
  });
}

export function metaWorld(folder: string): MetaWorld {
  const root = `${folder}/meta`;
  const run = (args: readonly string[], options: CliOptions = {}) =>
    runCli(args, { cwd: root, env: { PATH: Deno.env.get("PATH")!, HOME: folder }, ...options });
  return {
    root,
    remotes: `${folder}/remotes`,
    run,
    json: async (code, ...args) => {
      const done = await run([...args, "--json"]);
      assert.equal(done.code, code, `${args.join(" ")}: ${done.stderr}${done.stdout}`);
      return JSON.parse(done.stdout);
    },
    git: (component, ...args) => gitIn(`${root}/components/${component}`, ...args),
    read: (path) => Deno.readTextFileSync(`${root}/${path}`),
    write: (path, text) => {
      const file = `${root}/${path}`;
      Deno.mkdirSync(file.slice(0, file.lastIndexOf("/")), { recursive: true });
      Deno.writeTextFileSync(file, text);
    },
    commit: (component, name) => gitIn(`${root}/components/${component}`, "rev-parse", `${name}^{commit}`),
  };
}

/** What a checkout looks like, seen without backout: HEAD, branches, and the files git knows. */
export function lookAtCheckout(folder: string): unknown {
  if (!exists(folder)) return null;
  const head = Deno.readTextFileSync(`${folder}/.git/HEAD`).trim();
  const names = gitIn(folder, "ls-files").split("\n");
  return {
    head,
    branches: gitIn(folder, "for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/tags"),
    status: gitIn(folder, "status", "--porcelain"),
    files: Object.fromEntries(names.map((name) => [name, Deno.readTextFileSync(`${folder}/${name}`)])),
    locks: ["index.lock", "HEAD.lock", "backout-components"].filter((name) =>
      exists(`${folder}/.git/${name}`)
    ),
  };
}

/** The whole world: checkouts, documents, remotes' branches. */
export function lookAtMeta(folder: string): unknown {
  const manifests = [...Deno.readDirSync(`${folder}/meta/manifests`)].map(({ name }) => name).sort();
  const changesets = exists(`${folder}/meta/.meta/changesets`)
    ? [...Deno.readDirSync(`${folder}/meta/.meta/changesets`)].map(({ name }) => name)
    : [];
  const withoutTime = (text: string) => text.replace(/^generated_at: .*$/m, "");
  return {
    checkouts: COMPONENTS.map((name) => lookAtCheckout(`${folder}/meta/components/${name}`)),
    documents: manifests.map((
      name,
    ) => [name, withoutTime(Deno.readTextFileSync(`${folder}/meta/manifests/${name}`))]),
    changesets: changesets.map((name) => Deno.readTextFileSync(`${folder}/meta/.meta/changesets/${name}`)),
    remotes: COMPONENTS.map((name) =>
      gitIn(`${folder}/remotes/${name}.git`, "for-each-ref", "--format=%(refname) %(objectname)")
    ),
  };
}

export function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Two commits in each component, pushed to main, and the changeset that names them. */
export function makeChangeset(folder: string, id = "abc12345"): void {
  const entries: string[] = [];
  for (const name of COMPONENTS) {
    const checkout = `${folder}/meta/components/${name}`;
    for (const [file, text] of [["file", `${name} 3\n`], ["added", "by the changeset\n"]]) {
      Deno.writeTextFileSync(`${checkout}/${file}`, text!);
      gitIn(checkout, "add", ".");
      gitIn(checkout, "commit", "--quiet", "-m", `${name}: ${file}`);
      const commit = gitIn(checkout, "rev-parse", "HEAD");
      entries.push(
        `  - name: ${name}\n    repo: file://${folder}/remotes/${name}.git\n    commit: "${commit}"\n    branch: main\n    message: "${name}: ${file}"\n`,
      );
    }
    gitIn(checkout, "push", "--quiet", "origin", "main");
  }
  Deno.mkdirSync(`${folder}/meta/.meta/changesets`, { recursive: true });
  Deno.writeTextFileSync(
    `${folder}/meta/.meta/changesets/${id}.yaml`,
    `id: ${id}\ntimestamp: "2026-02-03T04:05:06"\nauthor: dev@example.org\n` +
      `description: Rename a field   # everywhere\nstatus: committed\nrepos:\n${entries.join("")}`,
  );
}
