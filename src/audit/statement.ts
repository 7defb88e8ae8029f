/** Audit entries as in-toto statements (v1): what tools for attestations read. */
import { sha256Hex } from "#/core/sha256.ts";
import { type AuditEntry, entryKey } from "./entry.ts";

export const STATEMENT_TYPE = "https://in-toto.io/Statement/v1";
export const STATEMENT_PAYLOAD_TYPE = "application/vnd.in-toto+json";
/** Names the form of the predicate; a type, not a page. docs/audit.md describes it. */
export const PREDICATE_TYPE = "https://backout.invalid/attestation/audit-entry/v1";

/** What a statement is about: something that never changes, by its digest. */
export interface Subject {
  readonly name: string;
  readonly digest: { readonly sha256: string };
}

export interface AuditStatement {
  readonly _type: typeof STATEMENT_TYPE;
  readonly subject: readonly Subject[];
  readonly predicateType: typeof PREDICATE_TYPE;
  readonly predicate: {
    /** Where the log is; never holds a secret. */
    readonly repository: string;
    /** Digest of the exact bytes of the entry's file: what the next entry names as `previous_sha256`. */
    readonly entry_sha256: string;
    /** The entry as it is, its own signature included. */
    readonly entry: AuditEntry;
  };
}

/**
 * The statement of one entry. Its subjects are the releases whose digest is known; without one the index that the
 * operation wrote; where it wrote none, the entry itself.
 * @param bytes the entry's exact bytes
 * @param digestOf the digest of a release, undefined where it is not known
 */
export function statementOf(
  entry: AuditEntry,
  bytes: Uint8Array,
  repository: string,
  digestOf: (version: string) => string | undefined,
): AuditStatement {
  const sha256 = sha256Hex(bytes);
  return {
    _type: STATEMENT_TYPE,
    subject: subjectsOf(entry, sha256, digestOf),
    predicateType: PREDICATE_TYPE,
    predicate: { repository, entry_sha256: sha256, entry },
  };
}

function subjectsOf(
  entry: AuditEntry,
  sha256: string,
  digestOf: (version: string) => string | undefined,
): readonly Subject[] {
  // A refusal may name no versions but the one that was asked for.
  const versions = entry.versions.length > 0 ? entry.versions : [entry.version];
  const releases = [...new Set(versions)].flatMap((version): Subject[] => {
    const digest = digestOf(version);
    return digest === undefined ? [] : [{ name: version, digest: { sha256: digest } }];
  });
  if (releases.length > 0) return releases;
  if (typeof entry.index_sha256 === "string") {
    return [{ name: "index.json", digest: { sha256: entry.index_sha256 } }];
  }
  return [{ name: entryKey(entry.seq), digest: { sha256 } }];
}
