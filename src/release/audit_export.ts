/** `audit export`: every entry as a signed attestation, for other tools and for another place. */
import { envelope } from "#/audit/dsse.ts";
import { sha256Hex } from "#/core/sha256.ts";
import { decodeEntry } from "#/audit/entry.ts";
import { type FoundEntry, listLog, readLog } from "#/audit/log.ts";
import type { Signer } from "#/audit/sign.ts";
import { STATEMENT_PAYLOAD_TYPE, statementOf } from "#/audit/statement.ts";
import { IntegrityError, UsageError } from "#/core/errors.ts";
import { checkAuditLog } from "#/release/audit_verify.ts";
import { momentMs } from "#/release/moment.ts";
import { existingIndex } from "#/release/read_releases.ts";
import { openScope } from "#/release/scope.ts";
import type { RepositoryIndex } from "#/repository/index_format.ts";
import type { RepositoryOptions } from "#/repository/options.ts";

export interface ExportAuditOptions extends RepositoryOptions {
  /** The first entry's number, or a time (RFC 3339) or an age (`90d`) from which on entries are exported. @default all */
  readonly since?: string;
  /** Given each line, with its newline, in the order of the log. */
  readonly onLine: (line: string) => void | Promise<void>;
}

export interface ExportAuditResult {
  readonly repository: string;
  readonly entries: number;
  /** Numbers of the first and the last exported entry, null when there were none. */
  readonly first: number | null;
  readonly last: number | null;
  /** The `keyid` of every envelope. */
  readonly key_fingerprint: string;
}

/**
 * Exports the log as JSON lines: a DSSE envelope per entry, around an in-toto statement.
 * @throws {UsageError} without `signingKeyFile`: an envelope without a signature says nothing
 * @throws {IntegrityError} when the log does not verify: nobody should sign that
 */
export async function exportAudit(options: ExportAuditOptions): Promise<ExportAuditResult> {
  const { store, signer, now } = await openScope(options);
  const isWanted = sinceOf(options.since, now());
  if (signer === undefined) {
    throw new UsageError("An export of the audit log is signed, and no key was given", {
      hint: "Make one with `backout audit keygen --out key.pem`, then give --signing-key key.pem.",
    });
  }
  const { index } = await existingIndex(store);
  const { problems } = await checkAuditLog(store, index);
  if (problems.length > 0) {
    throw new IntegrityError(`Refused to export the audit log: it does not verify: ${problems[0]}`, {
      hint: "See `backout audit verify`.",
      context: { problems: problems.slice(0, 20) },
    });
  }
  const digests = releaseDigests(index);
  const exported: number[] = [];
  let before: { readonly seq: number; readonly sha256: string } | undefined;
  for await (const part of readLog(store, await listLog(store))) {
    if (part.kind === "unreadable") throw changedMeanwhile(part.problem);
    for (const found of part.entries) {
      if (before !== undefined && found.seq <= before.seq) continue; // of an archiving that is not finished
      const { entry, bytes } = readable(found);
      const follows = entry.seq === found.seq && entry.previous_sha256 === (before?.sha256 ?? null);
      if (!follows) throw changedMeanwhile(`${found.label} does not follow the entry before it`);
      before = { seq: entry.seq, sha256: sha256Hex(bytes) };
      if (!isWanted(entry)) continue;
      await options.onLine(
        await lineOf(statementOf(entry, bytes, store.location, (v) => digests.get(v)), signer),
      );
      exported.push(entry.seq);
    }
  }
  return {
    repository: store.location,
    entries: exported.length,
    first: exported[0] ?? null,
    last: exported.at(-1) ?? null,
    key_fingerprint: signer.fingerprint,
  };
}

/** @throws {UsageError} */
function sinceOf(
  since: string | undefined,
  now: Date,
): (entry: { readonly seq: number; readonly timestamp: string }) => boolean {
  if (since === undefined) return () => true;
  if (/^\d{1,8}$/.test(since)) return ({ seq }) => seq >= Number(since);
  const time = momentMs(since, "--since", now);
  return ({ timestamp }) => Date.parse(timestamp) >= time;
}

/** What the index says of the releases that it lists, and of those that were taken out. */
function releaseDigests(index: RepositoryIndex): ReadonlyMap<string, string> {
  const known = [...index.rolled_back ?? [], ...index.releases].map(({ version, sha256 }) =>
    [version, sha256] as const
  );
  return new Map(
    known.filter((pair): pair is readonly [string, string] => /^[0-9a-f]{64}$/.test(pair[1] ?? "")),
  );
}

function readable({ label, bytes, problem }: FoundEntry) {
  if (bytes === undefined) throw changedMeanwhile(`${label} ${problem}`);
  const decoded = decodeEntry(bytes);
  if ("problem" in decoded) throw changedMeanwhile(`${label} ${decoded.problem}`);
  return { entry: decoded.entry, bytes };
}

async function lineOf(statement: ReturnType<typeof statementOf>, signer: Signer): Promise<string> {
  const payload = new TextEncoder().encode(JSON.stringify(statement));
  return JSON.stringify(await envelope(STATEMENT_PAYLOAD_TYPE, payload, signer)) + "\n";
}

function changedMeanwhile(what: string): IntegrityError {
  return new IntegrityError(`The audit log changed while it was exported: ${what}`, {
    hint: "Export it again.",
  });
}
