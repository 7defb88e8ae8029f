/** The operations that the sweeps stop at every point, each with the repository it starts from. */
import { applyRetention, publishRelease, restoreRelease, rollbackRelease } from "#/mod.ts";
import type { OperationReport } from "#/report/model.ts";
import { type TarsRelease, writeTarsRepository } from "../support/tars.ts";

export interface SweepOperation {
  readonly name: string;
  /** Brings the three releases into the state that the operation starts from. */
  readonly prepare: readonly (readonly string[])[];
  /** The command, after `-r REPOSITORY`; `{new}` stands for a folder with a release that is not published yet. */
  readonly argv: readonly string[];
  /** The same through the library. */
  readonly run: (repository: string, newRelease: string) => Promise<OperationReport>;
  /**
   * Of the kills within its recovery every n-th is tried: more than 1 where the way through the engine is that of another
   * operation. `deno task sweep NAME` tries all of them.
   */
  readonly stride: 1 | 3 | 6;
  /** The user gave up the artifacts of these versions. */
  readonly gives_up?: readonly string[];
}

const REASON = ["--reason", "sweep"];

export const OPERATIONS: readonly SweepOperation[] = [
  {
    name: "publish",
    stride: 1,
    prepare: [],
    argv: ["release", "publish", "v1.0.3", "{new}", "--channel", "stable"],
    run: (repository, directory) =>
      publishRelease({ repository, version: "v1.0.3", directory, channels: ["stable"] }),
  },
  {
    name: "rollback-full",
    stride: 1,
    prepare: [],
    argv: ["release", "rollback", "v1.0.2", ...REASON],
    run: (repository) => rollbackRelease({ repository, version: "v1.0.2", reason: "sweep" }),
  },
  {
    name: "rollback-shared",
    stride: 3,
    prepare: [],
    argv: ["release", "rollback", "v1.0.1", ...REASON],
    run: (repository) => rollbackRelease({ repository, version: "v1.0.1", reason: "sweep" }),
  },
  {
    name: "rollback-artifacts-only",
    stride: 6,
    prepare: [],
    argv: ["release", "rollback", "v1.0.2", "--type", "artifacts_only", ...REASON],
    run: (repository) =>
      rollbackRelease({ repository, version: "v1.0.2", type: "artifacts_only", reason: "sweep" }),
  },
  {
    name: "rollback-index-only",
    stride: 6,
    prepare: [],
    argv: ["release", "rollback", "v1.0.2", "--type", "index_only", ...REASON],
    run: (repository) =>
      rollbackRelease({ repository, version: "v1.0.2", type: "index_only", reason: "sweep" }),
  },
  {
    name: "rollback-artifact",
    stride: 6,
    prepare: [],
    argv: ["release", "rollback", "v1.0.2", "--artifact", "v1.0.2/bin/*", ...REASON],
    run: (repository) =>
      rollbackRelease({ repository, version: "v1.0.2", artifacts: ["v1.0.2/bin/*"], reason: "sweep" }),
  },
  {
    name: "rollback-no-backup",
    stride: 3,
    prepare: [],
    argv: ["release", "rollback", "v1.0.2", "--no-backup", ...REASON],
    run: (repository) => rollbackRelease({ repository, version: "v1.0.2", noBackup: true, reason: "sweep" }),
    gives_up: ["v1.0.2"],
  },
  {
    name: "rollback-to",
    stride: 6,
    prepare: [],
    argv: ["release", "rollback", "--to", "v1.0.0", "--yes", ...REASON],
    run: (repository) => rollbackRelease({ repository, to: "v1.0.0", reason: "sweep" }),
  },
  {
    name: "restore",
    stride: 1,
    prepare: [["release", "rollback", "v1.0.2", ...REASON]],
    argv: ["release", "restore", "v1.0.2"],
    run: (repository) => restoreRelease({ repository, target: "v1.0.2" }),
  },
  {
    name: "restore-shared",
    stride: 3,
    prepare: [["release", "rollback", "v1.0.1", ...REASON]],
    argv: ["release", "restore", "v1.0.1"],
    run: (repository) => restoreRelease({ repository, target: "v1.0.1" }),
  },
  {
    name: "retention",
    stride: 3,
    prepare: [["release", "rollback", "v1.0.2", ...REASON], ["release", "rollback", "v1.0.1", ...REASON]],
    argv: ["retention", "apply", "--keep-last", "1", "--yes"],
    run: (repository) => applyRetention({ repository, rules: { keepLast: 1 } }),
    gives_up: ["v1.0.2"],
  },
];

const OLD_RELEASES: readonly TarsRelease[] = ["v1.0.0", "v1.0.1"].map((version) => ({
  version,
  timestamp: `2026-01-01T10:00:0${version.at(-1)}.000000+00:00`,
  files: { "app.txt": `app ${version}\n`, "README.md": `# ${version}\n` },
  elsewhere: { [`shared/${version}.txt`]: `only ${version}\n`, "shared/both.txt": "both\n" },
}));

/**
 * Two releases as T.A.R.S. writes them (they share a folder and a file), and one published by us with a channel.
 * @param run runs one command on the repository and fails the sweep when it fails
 */
export function makeRepository(
  operation: SweepOperation,
  repository: string,
  newRelease: string,
  run: (argv: readonly string[]) => void,
): void {
  writeTarsRepository(repository, { releases: OLD_RELEASES });
  // A channel goes back to what it named before, so it has to have named all three.
  run(["channel", "set", "stable", "v1.0.0"]);
  run(["channel", "set", "stable", "v1.0.1"]);
  writeRelease(newRelease, "v1.0.2");
  run(["release", "publish", "v1.0.2", newRelease, "--channel", "stable"]);
  writeRelease(newRelease, "v1.0.3");
  for (const argv of operation.prepare) run(argv);
}

function writeRelease(folder: string, version: string): void {
  Deno.mkdirSync(`${folder}/bin`, { recursive: true });
  Deno.writeTextFileSync(`${folder}/README.md`, `# ${version}\n`);
  Deno.writeTextFileSync(`${folder}/bin/app`, `#!/bin/sh\necho ${version}\n`, { mode: 0o755 });
  Deno.writeTextFileSync(`${folder}/bin/tool`, `tool ${version}\n`);
}
