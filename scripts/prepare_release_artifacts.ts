/**
 * The pipeline's script: publishes a release, rolls one back, or both in this order, and exits with backout's codes.
 *
 *     deno run -A scripts/prepare_release_artifacts.ts --publish-release --version v1.0.2 --release-dir build --repository-path /srv/releases
 *     deno run -A scripts/prepare_release_artifacts.ts --rollback-release v1.0.2 --repository-path /srv/releases --rollback-output-dir out
 */
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { ExitCode, messageOf, RollbackError, type StopSignal, UsageError } from "#/core/errors.ts";
import { assertVersion } from "#/core/safe_path.ts";
import { publishRelease, rollbackRelease } from "#/mod.ts";
import type { OperationReport, PolicyMode, RollbackType } from "#/report/model.ts";
import {
  createPrinter,
  createProgress,
  type Printer,
  renderError,
  renderOutcome,
  renderReport,
  reportFormats,
} from "#/report/mod.ts";
import type { PublishOptions, RepositoryOptions, RollbackOptions } from "#/repository/options.ts";

const HELP = `Publishes a release, rolls one back, or both in this order. Exits with backout's exit codes.

  --publish-release             publish --release-dir as --version
    --version V                 the version to publish
    --release-dir DIR           the folder whose files become the release
    --publication-policy P      strict (default) or lenient; other words are accepted and mean strict

  --rollback-release V          roll this version back
    --rollback-type T           full (default), artifacts_only or index_only
    --rollback-policy P         strict (default) or lenient
    --rollback-dry-run          list the steps, change nothing
    --rollback-force            turn refusals by policy and dependents into warnings
    --rollback-reason TEXT      why (default with --rollback-force: "forced by pipeline")
    --rollback-no-backup        delete the artifacts for good
    --rollback-output-dir DIR   write manifest, audit file and reports here

  --repository-type T           local (default), s3 or gcs
    --repository-path DIR       folder of a local repository (also: BACKOUT_REPOSITORY)
    --repository-bucket B  --repository-prefix P
  --sign-audit-log              sign the audit entries
    --signing-key FILE          with this private key (also: BACKOUT_SIGNING_KEY)
  --verbose                     the whole report, and progress
  --help
`;

const FLAGS = {
  "publish-release": { type: "boolean" },
  "version": { type: "string" },
  "release-dir": { type: "string" },
  "publication-policy": { type: "string" },
  "rollback-release": { type: "string" },
  "rollback-type": { type: "string" },
  "rollback-policy": { type: "string" },
  "rollback-dry-run": { type: "boolean" },
  "rollback-force": { type: "boolean" },
  "rollback-reason": { type: "string" },
  "rollback-no-backup": { type: "boolean" },
  "rollback-output-dir": { type: "string" },
  "repository-type": { type: "string" },
  "repository-path": { type: "string" },
  "repository-bucket": { type: "string" },
  "repository-prefix": { type: "string" },
  "sign-audit-log": { type: "boolean" },
  "signing-key": { type: "string" },
  "verbose": { type: "boolean" },
  "help": { type: "boolean" },
} as const;

type Flags = ReturnType<typeof parseFlags>;

/** What is to be done, checked as a whole before anything is touched. */
interface Work {
  readonly publish: PublishOptions | undefined;
  readonly rollback: RollbackOptions | undefined;
  readonly outputDir: string | undefined;
}

async function main(argv: readonly string[]): Promise<number> {
  let printer = createConsole(false);
  try {
    const flags = parseFlags(argv);
    if (flags.help === true) {
      printer.out(HELP);
      return ExitCode.done;
    }
    printer = createConsole(flags.verbose === true);
    return await run(planWork(flags), printer);
  } catch (error) {
    printer.error(renderError(error, printer.style, { verbose: printer.verbose }));
    return error instanceof RollbackError ? error.code : ExitCode.rollback;
  }
}

/** Publishes before it rolls back; a publish that fails ends the run. */
async function run(work: Work, printer: Printer): Promise<number> {
  prepareOutputDir(work.outputDir);
  const watch = watchProcess(printer);
  try {
    if (work.publish !== undefined) {
      const report = placed(await publishRelease({ ...work.publish, ...watch.options }));
      show(report, printer);
      if (report.exit_code !== ExitCode.done) return report.exit_code;
    }
    if (work.rollback === undefined) return ExitCode.done;
    const report = placed(await rollbackRelease({ ...work.rollback, ...watch.options }));
    const written = writeReports(report, work, printer);
    show(report, printer);
    return report.exit_code === ExitCode.done && !written ? ExitCode.manifest : report.exit_code;
  } finally {
    watch.stop();
  }
}

/** The way back as a command that can be pasted. */
function placed(report: OperationReport): OperationReport {
  return report.undo === null
    ? report
    : { ...report, undo: `${report.undo} -r ${quoted(report.repository_location)}` };
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function parseFlags(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: FLAGS, strict: true, allowPositionals: false }).values;
  } catch (cause) {
    throw new UsageError(messageOf(cause), { hint: "See --help for all flags.", cause });
  }
}

/** @throws {UsageError} for flags that do not make sense together */
function planWork(flags: Flags): Work {
  const version = flags["rollback-release"];
  if (flags["publish-release"] !== true && version === undefined) {
    throw new UsageError("Nothing to do: neither --publish-release nor --rollback-release V was given", {
      hint: "See --help for all flags.",
    });
  }
  const repository = repositoryOptions(flags);
  const outputDir = flags["rollback-output-dir"];
  return {
    publish: flags["publish-release"] === true ? publishOptions(flags, repository) : undefined,
    rollback: version === undefined ? undefined : rollbackOptions(version, flags, repository),
    outputDir: outputDir === undefined ? undefined : resolve(outputDir),
  };
}

function publishOptions(flags: Flags, repository: RepositoryOptions): PublishOptions {
  const { version, "release-dir": directory } = flags;
  if (version === undefined || directory === undefined) {
    throw new UsageError("--publish-release needs --version V and --release-dir DIR");
  }
  assertVersion(version);
  const policyMode = flags["publication-policy"] === "lenient" ? "lenient" : "strict";
  return { ...repository, version, directory: resolve(directory), policyMode };
}

function rollbackOptions(version: string, flags: Flags, repository: RepositoryOptions): RollbackOptions {
  assertVersion(version);
  const force = flags["rollback-force"] === true;
  const reason = flags["rollback-reason"] ?? (force ? "forced by pipeline" : undefined);
  const outputDir = flags["rollback-output-dir"];
  const folder = outputDir === undefined ? undefined : resolve(outputDir);
  return {
    ...repository,
    version,
    type: choice<RollbackType>("rollback-type", flags["rollback-type"], [
      "full",
      "artifacts_only",
      "index_only",
    ]),
    policyMode: choice<PolicyMode>("rollback-policy", flags["rollback-policy"], ["strict", "lenient"]),
    dryRun: flags["rollback-dry-run"] === true,
    force,
    noBackup: flags["rollback-no-backup"] === true,
    ...(reason === undefined ? {} : { reason }),
    ...(folder === undefined ? {} : { manifestOutputDir: folder, auditOutputDir: folder }),
  };
}

/** The chosen word, the first where none was given. */
function choice<T extends string>(flag: string, value: string | undefined, choices: readonly [T, ...T[]]): T {
  if (value === undefined) return choices[0];
  const found = choices.find((word) => word === value);
  if (found !== undefined) return found;
  throw new UsageError(`--${flag} cannot be ${JSON.stringify(value)}`, {
    hint: `Use ${choices.join(", ")}.`,
  });
}

function repositoryOptions(flags: Flags): RepositoryOptions {
  const key = flags["signing-key"] ?? Deno.env.get("BACKOUT_SIGNING_KEY");
  const sign = flags["sign-audit-log"] === true || flags["signing-key"] !== undefined;
  if (sign && (key === undefined || key === "")) {
    throw new UsageError("--sign-audit-log needs a key", {
      hint: "Give --signing-key FILE or BACKOUT_SIGNING_KEY; `backout audit keygen --out FILE` makes one.",
    });
  }
  return {
    repository: repositoryLocation(flags),
    ...(sign && key !== undefined ? { signingKeyFile: resolve(key) } : {}),
  };
}

function repositoryLocation(flags: Flags): string {
  const type = choice("repository-type", flags["repository-type"], ["local", "s3", "gcs"]);
  const { "repository-path": path, "repository-bucket": bucket, "repository-prefix": prefix } = flags;
  if (type === "local") {
    if (bucket !== undefined || prefix !== undefined) {
      throw new UsageError("--repository-bucket and --repository-prefix need --repository-type s3 or gcs");
    }
    const location = path ?? Deno.env.get("BACKOUT_REPOSITORY") ?? "";
    if (location === "") {
      throw new UsageError("No repository was given", { hint: "Add --repository-path DIR." });
    }
    return /^[a-z][a-z0-9+.-]*:\/\//i.test(location) ? location : resolve(location);
  }
  if (path !== undefined) {
    throw new UsageError(`--repository-path does not go with --repository-type ${type}`);
  }
  if (bucket === undefined) throw new UsageError(`--repository-type ${type} needs --repository-bucket`);
  const scheme = type === "s3" ? "s3" : "gs";
  return `${scheme}://${bucket}${prefix === undefined ? "" : `/${prefix.replace(/^\/+|\/+$/g, "")}`}`;
}

/** @throws {UsageError} before anything is touched, when nothing can be written there */
function prepareOutputDir(folder: string | undefined): void {
  if (folder === undefined) return;
  try {
    Deno.mkdirSync(folder, { recursive: true });
  } catch (cause) {
    throw new UsageError(`Cannot use ${folder} as --rollback-output-dir: ${messageOf(cause)}`, {
      hint: "Give a folder, or a path where one can be made.",
      cause,
    });
  }
}

/** Writes both reports, whatever the outcome. False when one could not be written. */
function writeReports(report: OperationReport, { rollback, outputDir }: Work, printer: Printer): boolean {
  if (outputDir === undefined) return true;
  const base = join(outputDir, `${rollback?.version}.rollback-report`);
  try {
    Deno.writeTextFileSync(`${base}.json`, reportFormats.json(report));
    Deno.writeTextFileSync(`${base}.txt`, reportFormats.text(report));
    return true;
  } catch (error) {
    printer.error(`Cannot write ${base}.json and .txt: ${messageOf(error)}`);
    return false;
  }
}

/** What was done to standard output, what failed to standard error; `--verbose` shows the whole report too. */
function show(report: OperationReport, printer: Printer): void {
  const short = renderOutcome(report, printer.style);
  if (printer.verbose) printer.out(renderReport(report, printer.style, { verbose: true }));
  if (report.exit_code !== ExitCode.done) printer.error(short);
  else if (!printer.verbose) printer.out(short);
}

function createConsole(verbose: boolean): Printer {
  const encoder = new TextEncoder();
  const writer = (stream: typeof Deno.stdout | typeof Deno.stderr) => (text: string): void => {
    let rest = encoder.encode(text);
    while (rest.length > 0) rest = rest.subarray(stream.writeSync(rest));
  };
  return createPrinter({
    stdout: writer(Deno.stdout),
    stderr: writer(Deno.stderr),
    color: false,
    quiet: false,
    verbose,
    isTerminal: false,
    width: Infinity,
  });
}

interface Watch {
  readonly options: Pick<RepositoryOptions, "signal" | "onEvent">;
  readonly stop: () => void;
}

/** Signals stop the work between steps; `--verbose` shows progress. */
function watchProcess(printer: Printer): Watch {
  const controller = new AbortController();
  const progress = createProgress(printer, printer.verbose);
  const signals: readonly (StopSignal & Deno.Signal)[] = Deno.build.os === "windows"
    ? ["SIGINT"]
    : ["SIGHUP", "SIGINT", "SIGTERM"];
  const listeners = signals.map((name) => ({ name, listener: () => controller.abort(name) }));
  for (const { name, listener } of listeners) Deno.addSignalListener(name, listener);
  return {
    options: { signal: controller.signal, onEvent: progress.handle },
    stop: () => {
      progress.stop();
      for (const { name, listener } of listeners) Deno.removeSignalListener(name, listener);
    },
  };
}

if (import.meta.main) Deno.exit(await main(Deno.args));
