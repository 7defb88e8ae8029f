/** The files that a caller asked for beside the repository: `<version>.rollback-manifest.json`, `.rollback-audit.json`, `.sig`. */
import { join } from "node:path";
import { ExitCode, messageOf, RollbackManifestError } from "#/core/errors.ts";
import { formatJson, type JsonObject } from "#/core/json.ts";
import { writeOutputFile } from "#/core/output_file.ts";
import type { Outcome } from "#/release/pipeline.ts";
import { toError } from "#/release/report_base.ts";
import type { Scope } from "#/release/scope.ts";
import type { RollbackOptions } from "#/repository/options.ts";
import type { OperationReport } from "#/report/model.ts";

/** Writes what was asked for, after the operation. A failure to write is told by exit 48, if nothing worse happened. */
export async function writeOutputFiles(
  scope: Scope,
  outcome: Outcome,
  options: RollbackOptions,
): Promise<OperationReport> {
  const { report } = outcome;
  const { manifestOutputDir, auditOutputDir } = options;
  if (manifestOutputDir === undefined && auditOutputDir === undefined) return report;
  if (report.status !== "success" && report.status !== "partial") return report;
  const name = report.versions.length === 1
    ? report.versions[0]!
    : `${report.versions[0] ?? "none"}-and-newer`;
  const manifest = rollbackManifest(outcome);
  try {
    let written = report;
    if (manifestOutputDir !== undefined) {
      write(manifestOutputDir, `${name}.rollback-manifest.json`, encode(manifest));
      written = { ...written, manifest_created: true };
    }
    if (auditOutputDir !== undefined) await writeAudit(auditOutputDir, name, manifest, written, scope);
    return written;
  } catch (cause) {
    const error = new RollbackManifestError(
      `The rollback is done, but its files could not be written: ${messageOf(cause)}`,
      {
        hint: "The same facts are in `backout history` and in the audit log.",
        cause,
      },
    );
    const code = report.exit_code === ExitCode.done ? error.code : report.exit_code;
    return {
      ...report,
      errors: [...report.errors, error.message],
      error: toError(error),
      exit_code: code,
      status: "partial",
    };
  }
}

function rollbackManifest({ report, entries }: Outcome): JsonObject {
  return {
    version: report.version,
    rollback_timestamp: report.timestamp,
    rollback_id: report.rollback_id,
    artifacts_removed: report.artifacts_removed,
    index_state_before: {
      serial: report.serial_before,
      sha256: report.index_sha256_before,
      entries: entries.before as unknown as JsonObject[],
    },
    index_state_after: {
      serial: report.serial_after,
      sha256: report.index_sha256_after,
      entries: entries.after as unknown as JsonObject[],
    },
    rollback_type: report.rollback_type,
    rollback_reason: report.reason,
    can_restore: report.undo !== null,
  };
}

async function writeAudit(
  folder: string,
  name: string,
  manifest: JsonObject,
  report: OperationReport,
  scope: Scope,
): Promise<void> {
  const bytes = encode({
    audit_id: crypto.randomUUID(),
    version: report.version,
    timestamp: report.timestamp,
    machine_id: scope.machineId,
    rollback_id: report.rollback_id,
    rollback_type: report.rollback_type,
    manifest,
    report,
  });
  write(folder, `${name}.rollback-audit.json`, bytes);
  if (scope.signer === undefined) return;
  write(folder, `${name}.rollback-audit.sig`, await scope.signer.sign(bytes));
}

function encode(value: unknown): Uint8Array {
  return new TextEncoder().encode(formatJson(value));
}

function write(folder: string, name: string, bytes: Uint8Array): void {
  writeOutputFile(join(folder, name), bytes);
}
