/**
 * One audit entry: an immutable file that says what an operation did, names the digest of the entry before it, and
 * may carry a signature. It holds no environment and no command line, so no secret can get into it that way.
 */
import { Buffer } from "node:buffer";
import { AUDIT_FOLDER, MAX_SEQ } from "#/core/audit_key.ts";
import { canonicalJson, formatJson, isJsonObject, type JsonValue, parseJson } from "#/core/json.ts";
import type { OperationKind, PolicyMode, ReportStatus, RollbackType } from "#/report/model.ts";
import type { SignatureAlgorithm, Signer } from "./sign.ts";

export { AUDIT_FOLDER, entryFileName, entryKey, MAX_SEQ, seqOfFileName } from "#/core/audit_key.ts";

/** What an operation says about itself. Typed as it is on disk. */
export interface AuditBody {
  /** A new UUID for every entry. */
  readonly audit_id: string;
  /** Null where the operation got no id (a dry run, a refusal). */
  readonly operation_id: string | null;
  /** RFC 3339. */
  readonly timestamp: string;
  readonly machine_id: string;
  readonly host: string;
  readonly by: string;
  readonly operation: OperationKind;
  readonly version: string;
  readonly versions: readonly string[];
  readonly rollback_type: RollbackType | null;
  readonly dry_run: boolean;
  readonly status: ReportStatus;
  readonly exit_code: number;
  readonly reason: string;
  readonly policy_mode: PolicyMode;
  readonly forced: boolean;
  readonly serial_before: number;
  readonly serial_after: number;
  /** True when `--no-backup` was given. */
  readonly backup_skipped: boolean;
  /** Digest of the report's bytes, null where none was made. */
  readonly report_sha256: string | null;
  /** Digest of the index that the operation wrote, null where it wrote none. Older entries do not say it. */
  readonly index_sha256?: string | null;
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

export interface EntrySignature {
  readonly algorithm: SignatureAlgorithm;
  /** Names `.backout/audit/keys/<fingerprint>.pem`. */
  readonly public_key_fingerprint: string;
  /** Base64, of the canonical JSON of the entry without `signature`. */
  readonly value: string;
}

/** `.backout/audit/<8-digit seq>.json`. */
export interface AuditEntry extends AuditBody {
  readonly format: 1;
  /** From 1, without gaps. */
  readonly seq: number;
  /** Digest of the exact bytes of the entry before, null for the first. */
  readonly previous_sha256: string | null;
  readonly signature?: EntrySignature;
}

/** A place in the chain: an entry's number and the digest of its bytes. */
export interface AuditPosition {
  readonly seq: number;
  readonly sha256: string;
}

export const KEYS_FOLDER = `${AUDIT_FOLDER}/keys`;
/** Far more than a rollback of ten thousand releases writes. */
export const MAX_ENTRY_BYTES = 16 * 1024 * 1024;

const FIELD_CHECKS = {
  audit_id: isText,
  operation_id: isTextOrNull,
  timestamp: isText,
  machine_id: isText,
  host: isText,
  by: isText,
  operation: isText,
  version: isText,
  versions: isTextList,
  rollback_type: isTextOrNull,
  dry_run: isBoolean,
  status: isText,
  exit_code: isNumber,
  reason: isText,
  policy_mode: isText,
  forced: isBoolean,
  serial_before: isNumber,
  serial_after: isNumber,
  backup_skipped: isBoolean,
  report_sha256: isTextOrNull,
  errors: isTextList,
  warnings: isTextList,
  seq: isNumber,
  previous_sha256: isTextOrNull,
} as const satisfies Record<
  keyof Omit<AuditEntry, "format" | "signature" | "index_sha256">,
  (value: unknown) => boolean
>;

/** Where a public key that signed entries is kept. */
export function publicKeyKey(fingerprint: string): string {
  return `${KEYS_FOLDER}/${fingerprint}.pem`;
}

/** Whether a value from an index or a history record, which a person may have edited, names a place in the log. */
export function isAuditPosition(value: unknown): value is AuditPosition {
  if (!isJsonObject(value)) return false;
  const { seq, sha256 } = value;
  return Number.isInteger(seq) && (seq as number) >= 1 && (seq as number) <= MAX_SEQ &&
    typeof sha256 === "string" && /^[0-9a-f]{64}$/.test(sha256);
}

/** The entry as it goes to disk, signed when there is a signer. */
export async function encodeEntry(
  body: AuditBody,
  place: { readonly seq: number; readonly previousSha256: string | null },
  signer: Signer | undefined,
): Promise<Uint8Array> {
  const entry: AuditEntry = {
    format: 1,
    seq: place.seq,
    previous_sha256: place.previousSha256,
    ...onlyBodyFields(body),
  };
  if (signer === undefined) return new TextEncoder().encode(formatJson(entry));
  const value = Buffer.from(await signer.sign(signedBytes(entry))).toString("base64");
  const signature: EntrySignature = {
    algorithm: signer.algorithm,
    public_key_fingerprint: signer.fingerprint,
    value,
  };
  return new TextEncoder().encode(formatJson({ ...entry, signature }));
}

/** What the signature of an entry is made of: its canonical JSON without `signature`. */
export function signedBytes(entry: AuditEntry): Uint8Array {
  const { signature: _, ...unsigned } = entry;
  return new TextEncoder().encode(canonicalJson(unsigned));
}

/** Reads an entry strictly. `problem` completes the sentence "<file> …". */
export function decodeEntry(
  bytes: Uint8Array,
): { readonly entry: AuditEntry } | { readonly problem: string } {
  const text = decodeText(bytes);
  const value = text === undefined ? undefined : tryParse(text);
  if (!isJsonObject(value)) return { problem: "is not a JSON object: it was changed or cut short" };
  if (value.format !== 1) return { problem: "has a format that this version of backout does not know" };
  const wrong = Object.entries(FIELD_CHECKS).find(([name, check]) => !check(value[name]));
  if (wrong !== undefined) return { problem: `has no valid field ${wrong[0]}` };
  if (value.index_sha256 !== undefined && !isTextOrNull(value.index_sha256)) {
    return { problem: "has no valid field index_sha256" };
  }
  if (!isSignature(value.signature)) return { problem: "has a malformed signature" };
  if (formatJson(value) !== text) return { problem: "is not written the way backout writes it" };
  return { entry: value as unknown as AuditEntry };
}

/** Nothing but the known fields gets into an entry, whatever object the caller passes. */
function onlyBodyFields(body: AuditBody): AuditBody {
  const names = Object.keys(FIELD_CHECKS).filter((name) => name !== "seq" && name !== "previous_sha256");
  if (body.index_sha256 !== undefined) names.push("index_sha256");
  return Object.fromEntries(
    names.map((name) => [name, body[name as keyof AuditBody]]),
  ) as unknown as AuditBody;
}

function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function tryParse(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

function isSignature(value: JsonValue | undefined): boolean {
  if (value === undefined) return true;
  return isJsonObject(value) && isText(value.algorithm) && isText(value.value) &&
    typeof value.public_key_fingerprint === "string" && /^[0-9a-f]{64}$/.test(value.public_key_fingerprint);
}

function isText(value: unknown): boolean {
  return typeof value === "string";
}

function isTextOrNull(value: unknown): boolean {
  return value === null || typeof value === "string";
}

function isTextList(value: unknown): boolean {
  return Array.isArray(value) && value.every(isText);
}

function isBoolean(value: unknown): boolean {
  return typeof value === "boolean";
}

function isNumber(value: unknown): boolean {
  return typeof value === "number";
}
