/** Input that is wrong or hostile: one clear sentence, the code of the contract, nothing changed, nothing lost. */
import assert from "node:assert/strict";
import { withTempDir } from "../support/temp.ts";
import { runCli } from "../support/cli.ts";
import type { TestRepository } from "../support/repository.ts";
import { treeDifferences } from "../support/tree.ts";
import { exists, must, published, refused, visibleTree } from "./bad_input_support.ts";

const versions: readonly (readonly [string, string])[] = [
  ["a climbing path", "../x"],
  ["an absolute path", "/etc/passwd"],
  ["empty", ""],
  ["300 characters", "v".repeat(300)],
  ["a newline", "v1\nv2"],
  ["a NUL", "v1\0"],
  ["__proto__", "__proto__"],
  ["a backslash", "..\\x"],
  ["a space", "v1 beta"],
  ["backout's own folder", ".backout"],
  ["a terminal's escape", "v1\u001b[31m"],
];

for (const [what, version] of versions) {
  Deno.test(`bad input: a version that is ${what} is refused by every command that takes one`, async () => {
    await withTempDir(async (cwd) => {
      const repository = await published(cwd);
      const source = repository.source("v9");
      for (
        const args of [
          ["release", "rollback", version],
          ["release", "rollback", "--version", version],
          ["release", "rollback", "v1.0.2", "--channel-to", version],
          ["release", "publish", version, source],
          ["release", "publish", "v9", source, "--depends-on", version],
          ["release", "yank", version, "--reason", "x"],
          ["release", "mark", version, "bad", "--reason", "x"],
          ["channel", "set", "stable", version],
        ]
      ) {
        if (version.includes("\0") && Deno.env.get("BACKOUT_BIN")) return; // no argument of a process can hold one
        await refused(repository, 2, /version|No version|empty|needs|argument/i, ...args);
      }
    });
  });
}

Deno.test("bad input: a version that looks like a flag is refused, also after --", async () => {
  await withTempDir(async (cwd) => {
    const repository = await published(cwd);
    await refused(repository, 2, /version/, "release", "yank", "-rf", "--reason", "x");
    const before = visibleTree(repository.path);
    const { code, stderr } = await runCli(["release", "rollback", "-r", repository.path, "--", "-rf"], {
      cwd,
    });
    assert.equal(code, 2, stderr);
    assert.match(stderr, /Cannot use "-rf" as a version/);
    assert.deepEqual(treeDifferences(before, visibleTree(repository.path)), []);
  });
});

const indexes: readonly (readonly [string, (text: string) => string, RegExp])[] = [
  ["empty", () => "", /index\.json: it is empty/],
  ["truncated", (text) => text.slice(0, text.length / 2), /index\.json: it is not JSON/],
  ["not JSON", () => "releases: []", /index\.json: it is not JSON/],
  ["not UTF-8 text", () => "\ufffd{", /index\.json: it is not JSON/],
  ["a list", () => "[]", /index\.json: it is not a JSON object/],
  ["a number", () => "7", /index\.json: it is not a JSON object/],
  ["without releases", () => "{}", /index\.json: it has no list of releases/],
  [
    "of releases without a version",
    () => `{"releases": [{"artifacts": []}]}`,
    /release number 1 has no version/,
  ],
  [
    "of artifacts that are numbers",
    () => `{"releases": [{"version": "v1.0.2", "artifacts": [1]}]}`,
    /no list of artifact paths/,
  ],
  [
    "of a serial that is text",
    (text) => text.replace(/"serial": \d+/, `"serial": "7"`),
    /serial is not a whole number/,
  ],
  ["nested ten thousand levels deep", () => "[".repeat(100_000), /index\.json: it is not JSON/],
];

for (const [what, spoil, sentence] of indexes) {
  Deno.test(`bad input: an index that is ${what} is refused with 44 and left as it is`, async () => {
    await withTempDir(async (cwd) => {
      const repository = await published(cwd);
      const file = `${repository.path}/index.json`;
      Deno.writeTextFileSync(file, spoil(Deno.readTextFileSync(file)));
      await refused(repository, 44, sentence, "release", "rollback", "v1.0.2");
      await refused(repository, 44, sentence, "release", "rollback", "v1.0.2", "--dry-run");
      await refused(repository, 44, sentence, "release", "rollback", "v1.0.2", "--force", "--reason", "x");
      await refused(repository, 44, sentence, "release", "publish", "v9", repository.source("v9"));
      await refused(repository, 44, sentence, "release", "list");
    });
  });
}

Deno.test("bad input: an index of 250 MB is refused with its limit and why, without reading it", async () => {
  await withTempDir(async (cwd) => {
    const repository = await published(cwd);
    Deno.truncateSync(`${repository.path}/index.json`, 250 * 1000 * 1000);
    for (const args of [["release", "rollback", "v1.0.2"], ["release", "list"], ["status"]]) {
      const { code, stderr } = await repository.cli(...args);
      assert.equal(code, 44, stderr);
      assert.match(stderr, /it is 239 MiB large and the limit is 64 MiB, because every operation/);
      assert.match(stderr, /(Hint:|Do) +Split the repository/);
    }
    assert.equal(Deno.statSync(`${repository.path}/index.json`).size, 250 * 1000 * 1000);
  });
});

/** Changes the entry of v1.0.2 in the index. */
function spoilEntry(repository: TestRepository, change: (entry: Record<string, unknown>) => unknown): void {
  const file = `${repository.path}/index.json`;
  const index = JSON.parse(Deno.readTextFileSync(file));
  change(index.releases[0]);
  Deno.writeTextFileSync(file, JSON.stringify(index));
}

Deno.test("bad input: artifact paths that lead out are refused with 44, also by force", async () => {
  await withTempDir(async (cwd) => {
    const repository = await published(cwd);
    Deno.writeTextFileSync(`${cwd}/secret`, "mine\n");
    for (
      const path of [
        "../secret",
        "/etc/passwd",
        `${cwd}/secret`,
        "v1.0.2/../../secret",
        "C:\\x",
        "index.json",
        ".backout/lock",
        "",
        "a\0b",
      ]
    ) {
      spoilEntry(repository, (entry) => entry.artifacts = [path]);
      for (
        const flags of [[], ["--dry-run"], ["--force", "--reason", "x"], [
          "--no-backup",
          "--policy",
          "lenient",
        ]]
      ) {
        await refused(
          repository,
          44,
          /The index lists .* as an artifact of v1\.0\.2/,
          "release",
          "rollback",
          "v1.0.2",
          ...flags,
        );
      }
    }
    assert.equal(Deno.readTextFileSync(`${cwd}/secret`), "mine\n");
  });
});

Deno.test("bad input: an artifact that is reached through a symlink is refused with 44", async () => {
  await withTempDir(async (cwd) => {
    const repository = await published(cwd);
    Deno.mkdirSync(`${cwd}/outside`);
    Deno.writeTextFileSync(`${cwd}/outside/app.txt`, "mine\n");
    Deno.renameSync(`${repository.path}/v1.0.2`, `${cwd}/moved`);
    Deno.symlinkSync(`${cwd}/outside`, `${repository.path}/v1.0.2`);
    await refused(repository, 44, /symlink/, "release", "rollback", "v1.0.2", "--force", "--reason", "x");
    assert.equal(Deno.readTextFileSync(`${cwd}/outside/app.txt`), "mine\n");
  });
});

Deno.test("bad input: a version that is listed twice is refused with 44", async () => {
  await withTempDir(async (cwd) => {
    const repository = await published(cwd);
    const file = `${repository.path}/index.json`;
    const index = JSON.parse(Deno.readTextFileSync(file));
    Deno.writeTextFileSync(
      file,
      JSON.stringify({ ...index, total_releases: 4, releases: [index.releases[0], ...index.releases] }),
    );
    await refused(repository, 44, /lists v1\.0\.2 twice/, "release", "rollback", "v1.0.2");
    await refused(
      repository,
      44,
      /lists v1\.0\.2 twice/,
      "release",
      "rollback",
      "v1.0.2",
      "--force",
      "--reason",
      "x",
    );
  });
});

Deno.test("bad input: a report's folder is made; where a file stands in its place, nothing is done (2)", async () => {
  await withTempDir(async (cwd) => {
    const repository = await published(cwd);
    Deno.writeTextFileSync(`${cwd}/file`, "mine\n");
    await refused(
      repository,
      2,
      /file is a file, not a folder/,
      "release",
      "rollback",
      "v1.0.2",
      "--json-report",
      `${cwd}/file/a/report.json`,
    );
    await refused(
      repository,
      2,
      /it is a file/,
      "release",
      "rollback",
      "v1.0.2",
      "--output-dir",
      `${cwd}/file`,
    );
    await refused(repository, 2, /it is a folder/, "release", "rollback", "v1.0.2", "--text-report", cwd);
    await repository.json(
      0,
      "release",
      "rollback",
      "v1.0.2",
      "--json-report",
      `${cwd}/new/deep/report.json`,
      "--output-dir",
      `${cwd}/other/deep`,
    );
    assert.equal(JSON.parse(Deno.readTextFileSync(`${cwd}/new/deep/report.json`)).status, "success");
    assert.ok(exists(`${cwd}/other/deep/v1.0.2.rollback-manifest.json`));
  });
});

Deno.test("bad input: a folder that cannot be published is refused with 2", async () => {
  await withTempDir(async (cwd) => {
    const repository = await published(cwd);
    const source = (name: string, make: (path: string) => void) => {
      Deno.mkdirSync(`${cwd}/${name}`);
      make(`${cwd}/${name}`);
      return `${cwd}/${name}`;
    };
    const cases: readonly (readonly [string, RegExp])[] = [
      [`${cwd}/missing`, /there is no such folder/],
      [source("empty", () => {}), /it holds no files/],
      [source("link", (path) => Deno.symlinkSync("/etc/passwd", `${path}/a`)), /it is a symlink/],
      [source("fifo", (path) => must("mkfifo", `${path}/a`)), /it is a device, socket or FIFO/],
      [source("newline", (path) => Deno.writeTextFileSync(`${path}/a\nb`, "")), /control character/],
    ];
    for (const [folder, sentence] of cases) {
      await refused(repository, 2, sentence, "release", "publish", "v9", folder);
    }
  });
});
