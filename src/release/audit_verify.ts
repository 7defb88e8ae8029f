/** Checking the audit log of a repository: with what its index, its history and its unfinished operations say. */
import { verifyAuditLog } from "#/audit/verify.ts";
import { messageOf, UsageError } from "#/core/errors.ts";
import { historyIds, readHistory } from "#/operation/history.ts";
import { unfinishedIds } from "#/operation/journal.ts";
import { indexOfScope } from "#/release/read_releases.ts";
import { openScope } from "#/release/scope.ts";
import type { RepositoryIndex } from "#/repository/index_format.ts";
import type { RepositoryOptions } from "#/repository/options.ts";
import type { AuditVerifyResult } from "#/repository/views.ts";
import { mapLimited, READS_AT_ONCE } from "#/storage/limit.ts";
import type { ObjectReader } from "#/storage/object_store.ts";

export interface VerifyAuditOptions extends RepositoryOptions {
  /** Files with the public keys (PEM) that are trusted: after a rotation the old ones and the new one. */
  readonly publicKeyFile?: string | readonly string[];
}

/** Checks the audit log: nothing changed, removed or cut off. Problems are listed, not thrown. */
export async function verifyAudit(options: VerifyAuditOptions): Promise<AuditVerifyResult> {
  const { store } = await openScope(options);
  const { index } = await indexOfScope(store);
  const files = [options.publicKeyFile ?? []].flat();
  return await checkAuditLog(store, index, files.length === 0 ? undefined : files.map(readKey).join("\n"));
}

/**
 * The same for whoever has read the index already.
 * @param publicKeyPem the public keys that are trusted; without them those kept beside the log are used
 */
export async function checkAuditLog(
  store: ObjectReader,
  index: RepositoryIndex,
  publicKeyPem?: string,
): Promise<AuditVerifyResult> {
  const records = await mapLimited(await historyIds(store), READS_AT_ONCE, (id) => readHistory(store, id));
  const history = records.flatMap((record) =>
    record === undefined ? [] : [{ id: record.id, audit: record.audit }]
  );
  const unfinished = await unfinishedIds(store);
  const result = await verifyAuditLog({ store, index, history, unfinished, publicKeyPem });
  return { repository: store.location, ...result };
}

function readKey(file: string): string {
  try {
    return Deno.readTextFileSync(file);
  } catch (cause) {
    throw new UsageError(`Cannot read the public key ${file}: ${messageOf(cause)}`, {
      hint: "Give the .pub file that `backout audit keygen` wrote.",
      cause,
    });
  }
}
