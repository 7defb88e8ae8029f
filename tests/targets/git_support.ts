/** Real repositories for tests: made and looked at by plain git, with nothing of this machine's configuration. */
import { join } from "node:path";

const ENV = {
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_SYSTEM: "/dev/null",
  GIT_AUTHOR_NAME: "Ada",
  GIT_AUTHOR_EMAIL: "ada@example.org",
  GIT_COMMITTER_NAME: "Ada",
  GIT_COMMITTER_EMAIL: "ada@example.org",
  GIT_OPTIONAL_LOCKS: "0",
  LC_ALL: "C",
};

/** Runs git in a folder; its output without the last newline. @throws {Error} it failed */
export function git(folder: string, ...args: readonly string[]): string {
  const { success, stdout, stderr } = gitTry(folder, ...args);
  if (!success) throw new Error(`git ${args.join(" ")}: ${stderr}`);
  return stdout;
}

export function gitTry(
  folder: string,
  ...args: readonly string[]
): { readonly success: boolean; readonly stdout: string; readonly stderr: string } {
  const { success, stdout, stderr } = new Deno.Command("git", {
    args: ["-C", folder, "-c", "protocol.file.allow=always", "-c", "init.defaultBranch=main", ...args],
    env: { ...ENV, PATH: Deno.env.get("PATH")! },
    clearEnv: true,
    stdin: "null",
  }).outputSync();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).replace(/\n$/, "");
  return { success, stdout: text(stdout), stderr: text(stderr) };
}

/** Writes a file and the folders above it. */
export function put(root: string, path: string, content: string, mode = 0o644): void {
  const full = join(root, path);
  Deno.mkdirSync(join(full, ".."), { recursive: true });
  Deno.writeTextFileSync(full, content);
  Deno.chmodSync(full, mode);
}

export function commit(repo: string, message: string): string {
  git(repo, "add", "-A");
  git(repo, "commit", "-q", "-m", message);
  return git(repo, "rev-parse", "HEAD");
}

/** A repository with three commits on `main`, a second branch, and files of several kinds. */
export function makeRepository(repo: string): void {
  Deno.mkdirSync(repo, { recursive: true });
  git(repo, "init", "-q");
  put(repo, ".gitignore", "*.log\nbuild/\n");
  put(repo, "app.ts", "one\n");
  put(repo, "src/deep/a.ts", "a\n");
  put(repo, "src/b.ts", "b\n");
  put(repo, "run.sh", "#!/bin/sh\n", 0o755);
  put(repo, "with space\tand ü€ж.txt", "odd\n");
  Deno.symlinkSync("app.ts", join(repo, "link"));
  commit(repo, "first");
  put(repo, "app.ts", "two\n");
  commit(repo, "second");
  git(repo, "branch", "other", "HEAD~1");
  put(repo, "src/b.ts", "b2\n");
  commit(repo, "third");
}

/** Everything that git and the file system say of a repository, but times and refs of backout's own. */
export function lookAtRepository(repo: string): unknown {
  if (!gitTry(repo, "rev-parse", "--git-dir").success) return "no repository";
  const stage = git(repo, "ls-files", "-s", "-v", "-z");
  const links = stage.split("\0").filter((it) => it.includes(" 160000 ")).map((it) => it.split("\t")[1]!);
  return {
    head: gitTry(repo, "symbolic-ref", "-q", "HEAD").stdout,
    commit: gitTry(repo, "rev-parse", "-q", "--verify", "HEAD").stdout,
    stage,
    status: git(repo, "status", "--porcelain=v2", "-z", "--untracked-files=all"),
    sparse: gitTry(repo, "config", "core.sparseCheckout").stdout,
    files: filesOf(repo),
    submodules: links.filter((it) => exists(join(repo, it, ".git"))).map((it) =>
      lookAtRepository(join(repo, it))
    ),
  };
}

/** Paths with kind, mode and content; `.git` left out. */
export function filesOf(root: string, below = ""): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { name } of [...Deno.readDirSync(join(root, below))].sort((a, b) => a.name < b.name ? -1 : 1)) {
    if (name === ".git") continue;
    const path = join(below, name);
    const info = Deno.lstatSync(join(root, path));
    if (info.isDirectory) Object.assign(found, filesOf(root, path));
    else if (info.isSymlink) found[path] = `→ ${Deno.readLinkSync(join(root, path))}`;
    else found[path] = `${(info.mode! & 0o7777).toString(8)} ${Deno.readTextFileSync(join(root, path))}`;
  }
  return found;
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
