/** `audit archive`: old entries of the audit log move into one compressed file, and stay verifiable there. */
import { grouped } from "#/core/quantity.ts";
import { type ArchivePlan, type ArchiveRule, planArchive } from "#/audit/plan_archive.ts";
import { archiveFileName, archiveKey, AUDIT_FOLDER } from "#/core/audit_key.ts";
import { IntegrityError, messageOf, UsageError } from "#/core/errors.ts";
import { writeOutputFile } from "#/core/output_file.ts";
import { checkAuditLog } from "#/release/audit_verify.ts";
import { type Definition, plainFacts } from "#/release/definition.ts";
import { momentMs } from "#/release/moment.ts";
import { runOperation } from "#/release/pipeline.ts";
import { isTolerant, openScope } from "#/release/scope.ts";
import type { RepositoryView } from "#/repository/inspect.ts";
import type { ChangeOptions } from "#/repository/options.ts";
import type { OperationReport } from "#/report/model.ts";
import { count, type Plan, type RepositoryStep } from "#/step/repository_step.ts";
import type { ObjectReader } from "#/storage/object_store.ts";

export interface ArchiveAuditOptions extends ChangeOptions {
  /** Archive what is older than this: RFC 3339, or an age such as `90d`. */
  readonly before?: string;
  /** Keep so many of the newest entries as files, those of archivings not counted. */
  readonly keep?: number;
  /** Also write a copy of what is archived to this file. */
  readonly out?: string;
}

interface ArchiveView extends RepositoryView {
  readonly archiving: ArchivePlan;
  readonly logProblems: readonly string[];
  /** Why the log's folder cannot be written. */
  readonly folderProblem: string | undefined;
}

/**
 * Moves old entries of the audit log into an archive. The newest entry always stays as it is, and a log that does not
 * verify is refused (54) unless the caller is lenient: then the archive keeps the evidence as it is.
 * @throws {UsageError} when the options make no sense
 */
export async function archiveAudit(options: ArchiveAuditOptions): Promise<OperationReport> {
  const scope = await openScope(options);
  const rule = ruleOf(options, scope.now());
  let seen: ArchivePlan | undefined;
  const definition = archiveDefinition(options, rule, (archiving) => seen = archiving);
  const { report } = await runOperation(scope, definition, options);
  if (options.out === undefined || !report.index_updated || seen === undefined) return report;
  return copiedTo(options.out, seen, report);
}

/** @throws {UsageError} */
function ruleOf({ before, keep }: ArchiveAuditOptions, now: Date): ArchiveRule {
  if (before === undefined && keep === undefined) {
    throw new UsageError("Archiving needs to know which entries to keep", {
      hint: "Give --before TIME, --keep NUMBER, or both.",
    });
  }
  if (keep !== undefined && (!Number.isSafeInteger(keep) || keep < 1)) {
    throw new UsageError(`Cannot keep ${keep} audit entries: give a whole number from 1 on`);
  }
  return { keep, before: before === undefined ? undefined : momentMs(before, "--before", now) };
}

function archiveDefinition(
  options: ArchiveAuditOptions,
  rule: ArchiveRule,
  onPlan: (archiving: ArchivePlan) => void,
): Definition<ArchiveView> {
  return {
    operation: "audit_archive",
    title: "archive the audit log",
    version: "",
    rollbackType: null,
    inspect: async (store, view) => {
      const seen = await inspectLog(store, view, rule, isTolerant(options));
      onPlan(seen.archiving);
      return seen;
    },
    facts: (view) => plainFacts("audit_archive", view),
    plan: planOf,
    problems: ({ archiving, folderProblem }) =>
      archiving.removals.length === 0 || folderProblem === undefined ? [] : [folderProblem],
    warnings: ({ logProblems }) =>
      logProblems.length === 0
        ? []
        : [`The audit log does not verify (${problemsOf(logProblems)}); its archive keeps it as it is`],
    describe: ({ archiving }) => ({
      bytes_reclaimed: options.dryRun === true ? 0 : reclaimed(archiving),
      summary: sentence(archiving, options.dryRun === true),
    }),
    prepare: (_store, { archiving }) =>
      Promise.resolve({
        objects: new Map(archiving.archives.map((archive) => [archiveKey(archive), archive.bytes])),
      }),
    summary: (report) => report.summary,
  };
}

async function inspectLog(
  store: ObjectReader,
  view: RepositoryView,
  rule: ArchiveRule,
  tolerant: boolean,
): Promise<ArchiveView> {
  const { problems } = await checkAuditLog(store, view.index);
  if (problems.length > 0 && !tolerant) {
    throw new IntegrityError(
      `Refused to archive the audit log: it does not verify: ${problemsOf(problems)}`,
      {
        hint:
          "See `backout audit verify`. With --force and --reason it is archived as it is: the archive keeps the evidence.",
        context: { problems: problems.slice(0, 20) },
      },
    );
  }
  return {
    ...view,
    archiving: await planArchive(store, rule),
    logProblems: problems,
    folderProblem: store.writeProblem(AUDIT_FOLDER),
  };
}

function planOf({ archiving, hasMarkdown }: ArchiveView): Plan {
  const writes = archiving.archives.map(({ bytes, ...archive }): RepositoryStep => ({
    kind: "write_audit_archive",
    archive,
    size: bytes.length,
  }));
  const removals = archiving.removals.map((removal): RepositoryStep => ({
    kind: "remove_audit_entries",
    ...removal,
  }));
  const markdown: readonly RepositoryStep[] = hasMarkdown ? [{ kind: "update_markdown" }] : [];
  const commit: RepositoryStep = { kind: "commit_index", changes: [] };
  const steps = removals.length === 0 ? [] : [...writes, commit, ...removals, ...markdown];
  return { operation: "audit_archive", versions: [], steps, undo: null };
}

function sentence({ archives, removals, entryBytes }: ArchivePlan, dryRun: boolean): string {
  if (removals.length === 0) return "Nothing to archive: every entry of the audit log is to be kept";
  const entries = removals.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  const what = `${grouped(entries)} audit ${entries === 1 ? "entry" : "entries"}`;
  if (archives.length === 0) {
    return `${dryRun ? "Would remove" : "Removed"} the files of ${what} that are in an archive already`;
  }
  const names = archives.length === 1 ? archiveFileName(archives[0]!) : count(archives.length, "archive");
  const sizes = `${count(sizeOf(archives), "byte")} instead of ${grouped(entryBytes)}`;
  return `${dryRun ? "Would archive" : "Archived"} ${what} in ${names}, ${sizes}`;
}

function reclaimed({ archives, entryBytes }: ArchivePlan): number {
  return Math.max(0, entryBytes - sizeOf(archives));
}

function sizeOf(archives: ArchivePlan["archives"]): number {
  return archives.reduce((sum, { bytes }) => sum + bytes.length, 0);
}

function problemsOf(problems: readonly string[]): string {
  const more = problems.length - 1;
  return more === 0 ? problems[0]! : `${problems[0]}, and ${count(more, "more problem")}`;
}

/** Archives one after the other are a gzip file too. What cannot be copied is said: the archive itself is in place. */
function copiedTo(out: string, { archives }: ArchivePlan, report: OperationReport): OperationReport {
  if (archives.length === 0) {
    return { ...report, warnings: [...report.warnings, `Nothing was archived anew: ${out} was not written`] };
  }
  try {
    const whole = new Uint8Array(sizeOf(archives));
    let at = 0;
    for (const { bytes } of archives) {
      whole.set(bytes, at);
      at += bytes.length;
    }
    writeOutputFile(out, whole);
    return report;
  } catch (error) {
    const warning = `The copy ${out} could not be written (${
      messageOf(error)
    }); the archive is in ${AUDIT_FOLDER}`;
    return { ...report, warnings: [...report.warnings, warning] };
  }
}
