/** `scripts/prepare_release_artifacts.ts` as a pipeline runs it: a child process, its files and its exit code. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { withTempDir } from "../support/temp.ts";

const SCRIPT = fileURLToPath(new URL("../../scripts/prepare_release_artifacts.ts", import.meta.url));
const CONFIG = fileURLToPath(new URL("../../deno.json", import.meta.url));
const PERMISSIONS = ["--allow-read", "--allow-write", "--allow-env", "--allow-sys", "--no-prompt"];

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function script(cwd: string, ...args: readonly string[]): Outcome {
  const { code, stdout, stderr } = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--config", CONFIG, ...PERMISSIONS, SCRIPT, ...args],
    cwd,
    env: { BACKOUT_REPOSITORY: "", BACKOUT_SIGNING_KEY: "", BACKOUT_CONFIG: "" },
  }).outputSync();
  const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  return { code, stdout: decode(stdout), stderr: decode(stderr) };
}

/** Runs the script and demands its exit code; the message shows what it printed. */
function expectCode(wanted: number, outcome: Outcome): Outcome {
  assert.equal(outcome.code, wanted, `${outcome.stdout}\n${outcome.stderr}`);
  return outcome;
}

const repositoryFlags = ["--repository-type", "local", "--repository-path", "repo"];

/** A working folder with a build of two files in `build/`. */
async function withBuild(body: (cwd: string) => void | Promise<void>): Promise<void> {
  await withTempDir(async (cwd) => {
    Deno.mkdirSync(join(cwd, "build/js"), { recursive: true });
    Deno.mkdirSync(join(cwd, "repo"));
    Deno.writeTextFileSync(join(cwd, "build/index.html"), "<h1>Hello</h1>\n");
    Deno.writeTextFileSync(join(cwd, "build/js/app.js"), "console.log(1);\n");
    await body(cwd);
  });
}

function publish(cwd: string, version: string): void {
  expectCode(
    0,
    script(cwd, "--publish-release", "--version", version, "--release-dir", "build", ...repositoryFlags),
  );
}

function readJson(...path: readonly string[]): Record<string, unknown> {
  return JSON.parse(Deno.readTextFileSync(join(...path)));
}

function versions(cwd: string): readonly unknown[] {
  const index = readJson(cwd, "repo/index.json") as { releases: { version: string }[] };
  return index.releases.map((release) => release.version);
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

Deno.test("pipeline script: publishes, then rolls back, in one run", async () => {
  await withBuild((cwd) => {
    publish(cwd, "v1.0.0");
    publish(cwd, "v1.0.1");
    assert.deepEqual(versions(cwd), ["v1.0.1", "v1.0.0"]);
    const { stdout } = expectCode(
      0,
      script(
        cwd,
        ...["--publish-release", "--version", "v1.0.2", "--release-dir", "build"],
        ...["--rollback-release", "v1.0.1", "--rollback-type", "full", "--rollback-policy", "strict"],
        ...["--rollback-reason", "broken", "--rollback-output-dir", "out/files"],
        ...["--publication-policy", "strict", ...repositoryFlags],
      ),
    );
    assert.match(stdout, /v1\.0\.2/);
    assert.match(stdout, /v1\.0\.1/);
    assert.deepEqual(versions(cwd), ["v1.0.2", "v1.0.0"]);

    const out = join(cwd, "out/files");
    assert.deepEqual([...Deno.readDirSync(out)].map((entry) => entry.name).sort(), [
      "v1.0.1.rollback-audit.json",
      "v1.0.1.rollback-manifest.json",
      "v1.0.1.rollback-report.json",
      "v1.0.1.rollback-report.txt",
    ]);
    const report = readJson(out, "v1.0.1.rollback-report.json");
    assert.equal(report.status, "success");
    assert.equal(report.exit_code, 0);
    assert.equal(report.reason, "broken");
    assert.equal(report.total_artifacts_removed, 2);
    assert.equal(report.total_bytes_freed, 31);
    assert.equal(report.backup_created, true);
    const text = Deno.readTextFileSync(join(out, "v1.0.1.rollback-report.txt"));
    assert.match(text, /ROLLBACK REPORT/);
    assert.match(text, /^ {2}v1\.0\.1\/js\/app\.js$/m);
    assert.equal(exists(join(cwd, "repo/v1.0.1")), false);
    assert.equal(Deno.readTextFileSync(join(cwd, "repo/v1.0.2/js/app.js")), "console.log(1);\n");
  });
});

Deno.test("pipeline script: a refused rollback has its report and its code", async () => {
  await withBuild((cwd) => {
    publish(cwd, "v1.0.0");
    const before = Deno.readTextFileSync(join(cwd, "repo/index.json"));
    const { stderr } = expectCode(
      40,
      script(cwd, "--rollback-release", "v9.9.9", "--rollback-output-dir", "out", ...repositoryFlags),
    );
    assert.match(stderr, /v9\.9\.9/);
    assert.match(stderr, /Nothing was changed/);
    assert.equal(readJson(cwd, "out/v9.9.9.rollback-report.json").exit_code, 40);
    const after = readJson(cwd, "repo/index.json");
    assert.deepEqual(after.releases, JSON.parse(before).releases);
  });
});

Deno.test("pipeline script: a dry run changes nothing and lists the steps", async () => {
  await withBuild((cwd) => {
    publish(cwd, "v1.0.0");
    publish(cwd, "v1.0.1");
    expectCode(
      0,
      script(
        cwd,
        ...["--rollback-release", "v1.0.1", "--rollback-dry-run", "--rollback-output-dir", "out"],
        ...repositoryFlags,
      ),
    );
    const report = readJson(cwd, "out/v1.0.1.rollback-report.json") as { status: string; steps: unknown[] };
    assert.equal(report.status, "dry_run");
    assert.ok(report.steps.length > 0);
    assert.deepEqual(versions(cwd), ["v1.0.1", "v1.0.0"]);
    assert.equal(exists(join(cwd, "repo/v1.0.1/index.html")), true);
  });
});

Deno.test("pipeline script: force without a reason says that the pipeline forced it; no backup keeps nothing", async () => {
  await withBuild((cwd) => {
    publish(cwd, "v1.0.0");
    publish(cwd, "v1.0.1");
    expectCode(
      0,
      script(
        cwd,
        ...["--rollback-release", "v1.0.1", "--rollback-force", "--rollback-no-backup"],
        ...["--rollback-output-dir", "out", ...repositoryFlags],
      ),
    );
    const report = readJson(cwd, "out/v1.0.1.rollback-report.json");
    assert.equal(report.forced, true);
    assert.equal(report.reason, "forced by pipeline");
    assert.equal(report.backup_created, false);
    assert.equal(report.bytes_reclaimed, 31);
  });
});

Deno.test("pipeline script: a publish that fails ends the run before the rollback", async () => {
  await withBuild((cwd) => {
    publish(cwd, "v1.0.0");
    publish(cwd, "v1.0.1");
    Deno.writeTextFileSync(join(cwd, "build/index.html"), "other bytes");
    expectCode(
      46,
      script(
        cwd,
        ...["--publish-release", "--version", "v1.0.1", "--release-dir", "build"],
        ...["--rollback-release", "v1.0.1", ...repositoryFlags],
      ),
    );
    assert.deepEqual(versions(cwd), ["v1.0.1", "v1.0.0"]);
  });
});

Deno.test("pipeline script: --verbose prints the whole report", async () => {
  await withBuild((cwd) => {
    publish(cwd, "v1.0.0");
    publish(cwd, "v1.0.1");
    const { stdout } = expectCode(
      0,
      script(cwd, "--rollback-release", "v1.0.1", "--verbose", ...repositoryFlags),
    );
    assert.match(stdout, /^ROLLBACK REPORT$/m);
    assert.match(stdout, /^Pre-flight checks$/m);
  });
});

Deno.test("pipeline script: wrong usage is 2, says what to do, and touches nothing", async () => {
  await withBuild((cwd) => {
    publish(cwd, "v1.0.0");
    Deno.writeTextFileSync(join(cwd, "a-file"), "");
    const before = Deno.readTextFileSync(join(cwd, "repo/index.json"));
    const publishNew = ["--publish-release", "--version", "v2", "--release-dir", "build"];
    const cases: readonly (readonly [args: readonly string[], says: RegExp])[] = [
      [[], /Nothing to do/],
      [["--publish-release", "--version", "v2", ...repositoryFlags], /needs --version V and --release-dir/],
      [["--rollback-release", "v1.0.0"], /No repository was given/],
      [[...publishNew, "--rollback-release", "../x", ...repositoryFlags], /as a version/],
      [
        [...publishNew, "--rollback-release", "v1.0.0", "--rollback-type", "half", ...repositoryFlags],
        /full, artifacts_only/,
      ],
      [
        [...publishNew, "--rollback-release", "v1", "--rollback-output-dir", "a-file", ...repositoryFlags],
        /a-file/,
      ],
      [[...publishNew, "--sign-audit-log", ...repositoryFlags], /needs a key/],
      [[...publishNew, "--no-such-flag", ...repositoryFlags], /no-such-flag/],
      [[...publishNew, "--repository-type", "s3"], /needs --repository-bucket/],
    ];
    for (const [args, says] of cases) assert.match(expectCode(2, script(cwd, ...args)).stderr, says);
    assert.equal(Deno.readTextFileSync(join(cwd, "repo/index.json")), before);
    assert.equal(exists(join(cwd, "repo/v2")), false);
  });
});
