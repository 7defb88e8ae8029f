/** The files that a command writes for its caller: checked before anything is touched, written at the end. */
import { dirname, join, resolve, sep } from "node:path";
import { messageOf, UsageError } from "#/core/errors.ts";
import { writeOutputFile } from "#/core/output_file.ts";
import { mayUse } from "#/core/permission.ts";
import type { OperationReport } from "#/report/model.ts";
import { reportFormats } from "#/report/mod.ts";
import type { ReportFormat } from "#/report/mod.ts";
import type { CommandContext, OptionSpec, OptionValues } from "./command.ts";
import { textOption } from "./values.ts";

const GROUP = "Reports:";

export const reportFlags: readonly OptionSpec[] = [
  { flags: "--json-report <file>", description: "write the report as JSON", completes: "file", group: GROUP },
  { flags: "--text-report <file>", description: "write the report as text", completes: "file", group: GROUP },
  {
    flags: "--junit-report <file>",
    description: "write the report as JUnit XML: a case per rule, step and check",
    completes: "file",
    group: GROUP,
  },
  {
    flags: "--html-report <file>",
    description: "write the report as one HTML file, to look at without a network",
    completes: "file",
    group: GROUP,
  },
];

export interface ReportFile {
  readonly flag: string;
  readonly path: string;
  readonly format: ReportFormat;
}

/** The report files that the options name, with absolute paths. */
export function reportFiles(options: OptionValues, cwd: string): readonly ReportFile[] {
  const file = (flag: string, name: string, format: ReportFormat): ReportFile[] => {
    const path = textOption(options, name);
    return path === undefined ? [] : [{ flag, path: resolve(cwd, path), format }];
  };
  return [
    ...file("--json-report", "jsonReport", "json"),
    ...file("--text-report", "textReport", "text"),
    ...file("--junit-report", "junitReport", "junit"),
    ...file("--html-report", "htmlReport", "html"),
  ];
}

/** A path that a flag names for writing. */
export interface OutputPath {
  readonly flag: string;
  readonly path: string;
  readonly kind: "file" | "folder";
  /** A failure to write it is only a warning, so that nothing is refused for it. */
  readonly optional?: true;
}

/**
 * Refuses paths that could not be written, before anything is touched.
 * @param repository the repository's folder, whose own files no report may replace
 * @throws {UsageError}
 */
export function checkOutputPaths(paths: readonly OutputPath[], repository?: string): void {
  const files = new Map<string, string>();
  for (const output of paths) {
    const problem = pathProblem(output, repository);
    if (problem !== undefined) {
      throw new UsageError(`Cannot use ${output.path} for ${output.flag}: ${problem}`, {
        hint: output.kind === "file" ? "Give a file in a folder that you may write to." : "Give a folder.",
      });
    }
    if (output.kind === "folder") continue;
    const other = files.get(output.path);
    if (other !== undefined) {
      throw new UsageError(`${other} and ${output.flag} name the same file, ${output.path}`);
    }
    files.set(output.path, output.flag);
  }
}

function pathProblem(output: OutputPath, repository: string | undefined): string | undefined {
  const { path, kind } = output;
  if (repository !== undefined && isOwnFile(path, repository)) return "it belongs to the repository itself";
  if (output.optional === true) return undefined;
  const here = statOf(path);
  if (here?.isDirectory === true) return kind === "file" ? "it is a folder" : writeProblem(path);
  if (here !== undefined) return kind === "folder" ? "it is a file" : writeProblem(path);
  const parent = nearestExisting(dirname(path));
  if (statOf(parent)?.isDirectory !== true) return `${parent} is a file, not a folder`;
  return writeProblem(parent);
}

function isOwnFile(path: string, repository: string): boolean {
  const own = [".backout", ".rollback-backups"].some((name) => {
    const folder = join(repository, name);
    return path === folder || path.startsWith(folder + sep);
  });
  return own || path === join(repository, "index.json") || path === join(repository, "index.md");
}

function nearestExisting(folder: string): string {
  let current = folder;
  while (statOf(current) === undefined && dirname(current) !== current) current = dirname(current);
  return current;
}

function writeProblem(path: string): string | undefined {
  const info = statOf(path);
  return info === undefined || mayUse(info, 0o2) ? undefined : `${path} is not writable for this user`;
}

function statOf(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch {
    return undefined;
  }
}

/** Writes the report files. What cannot be written is said, and does not undo the operation. */
export function writeReportFiles(
  files: readonly ReportFile[],
  report: OperationReport,
  context: CommandContext,
): void {
  for (const file of files) {
    try {
      writeOutputFile(file.path, reportFormats[file.format](report));
    } catch (error) {
      context.printer.error(`Cannot write ${file.flag} ${file.path}: ${messageOf(error)}`);
    }
  }
}

/** GitHub shows nothing of a step whose summary is larger. */
const MAX_SUMMARY_BYTES = 1024 * 1024;

/**
 * Adds to the file that GitHub names in `GITHUB_STEP_SUMMARY`: what other commands of the step wrote there stays.
 * @returns false where the file is so full that GitHub would show nothing of it any more; nothing is added then
 * @throws the system's error
 */
export function appendStepSummary(path: string, text: string): boolean {
  using file = Deno.openSync(path, { append: true, create: true });
  let rest = new TextEncoder().encode(text);
  if (file.statSync().size + rest.length > MAX_SUMMARY_BYTES) return false;
  while (rest.length > 0) rest = rest.subarray(file.writeSync(rest));
  return true;
}
