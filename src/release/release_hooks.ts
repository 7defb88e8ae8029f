/**
 * Hooks that a release brings along in its record. They come from whoever published it, so they run only where the
 * record is signed by a key that this configuration trusts.
 */
import { Buffer } from "node:buffer";
import type { EntrySignature } from "#/audit/entry.ts";
import { loadVerifiers, type Signer, type Verifier } from "#/audit/sign.ts";
import { messageOf, UsageError } from "#/core/errors.ts";
import { type Hook, type HookLists, RELEASE_HOOK_KINDS } from "#/core/hook.ts";
import { formatJson, isJsonObject, parseJson } from "#/core/json.ts";
import type { RepositoryIndex } from "#/repository/index_format.ts";
import type { Surroundings } from "#/repository/options.ts";
import { MAX_RECORD_BYTES, recordKey, recordSignatureKey } from "#/repository/release_record.ts";
import type { OperationKind } from "#/report/model.ts";
import type { ObjectReader } from "#/storage/object_store.ts";

const MAX_SIGNATURE_BYTES = 64 * 1024;

/** The hooks that releases bring to an operation, and what a person has to know of those that do not run. */
export interface BroughtHooks extends HookLists {
  readonly warnings: readonly string[];
}

export const NO_HOOKS: BroughtHooks = { warnings: [] };

/** `.backout/release-signatures/<version>.json`: over the exact bytes of the record, so that openssl can check it. */
export async function signRecord(record: Uint8Array, signer: Signer): Promise<Uint8Array> {
  const signature: EntrySignature = {
    algorithm: signer.algorithm,
    public_key_fingerprint: signer.fingerprint,
    value: Buffer.from(await signer.sign(record)).toString("base64"),
  };
  return new TextEncoder().encode(formatJson({ format: 1, signature }));
}

/**
 * The hooks that the releases of an operation bring along, in the order of the versions.
 * @throws {UsageError} a trusted key's file cannot be used
 */
export async function broughtHooks(
  store: ObjectReader,
  around: Surroundings | undefined,
  operation: OperationKind,
  versions: readonly string[],
  index: RepositoryIndex,
): Promise<BroughtHooks> {
  const kind = RELEASE_HOOK_KINDS.find((candidate) => candidate === operation);
  if (around === undefined || kind === undefined) return NO_HOOKS;
  const trusted = (around.trustedKeys ?? []).flatMap(readKeys);
  const brought = trusted.length === 0
    ? versions.filter((version) => namesHooks(index, version)).map((version) => untrusted(version, NO_KEYS))
    : await Promise.all(
      versions.map((version) => hooksOf(store, version, trusted, namesHooks(index, version))),
    );
  return {
    before: brought.flatMap(({ hooks }) => hooks?.[kind]?.before ?? []),
    after: brought.flatMap(({ hooks }) => hooks?.[kind]?.after ?? []),
    warnings: brought.flatMap(({ warning }) => warning ?? []),
  };
}

function namesHooks(index: RepositoryIndex, version: string): boolean {
  return index.releases.find((entry) => entry.version === version)?.hooks === true;
}

interface Brought {
  readonly hooks?: Readonly<Record<string, HookLists>>;
  readonly warning?: string;
}

const NO_KEYS = "backout.yaml names no trusted_keys";

function untrusted(version: string, why: string): Brought {
  return { warning: `The hooks that ${version} brings along do not run: ${why}` };
}

async function hooksOf(
  store: ObjectReader,
  version: string,
  trusted: readonly Verifier[],
  isNamed: boolean,
): Promise<Brought> {
  const signature = await signatureOf(store, version);
  if (signature === undefined) return isNamed ? untrusted(version, "its record is not signed") : {};
  const record = await store.read(recordKey(version), { maxBytes: MAX_RECORD_BYTES });
  if (record === undefined) return untrusted(version, "its record is missing");
  const verifier = trusted.find((it) => it.fingerprint === signature.public_key_fingerprint);
  if (verifier === undefined) return untrusted(version, "no trusted key has signed its record");
  const value = Uint8Array.from(Buffer.from(signature.value, "base64"));
  if (verifier.algorithm !== signature.algorithm || !await verifier.verify(record.bytes, value)) {
    return untrusted(version, "the signature of its record is not valid");
  }
  const hooks = hooksIn(record.bytes, version);
  return hooks === undefined
    ? untrusted(version, "its record does not hold them in a form known here")
    : { hooks };
}

async function signatureOf(store: ObjectReader, version: string): Promise<EntrySignature | undefined> {
  const stored = await store.read(recordSignatureKey(version), { maxBytes: MAX_SIGNATURE_BYTES });
  const value = stored === undefined ? undefined : parsed(stored.bytes);
  if (!isJsonObject(value) || !isJsonObject(value.signature)) return undefined;
  const { algorithm, public_key_fingerprint, value: bytes } = value.signature;
  const texts = [algorithm, public_key_fingerprint, bytes].every((field) => typeof field === "string");
  return texts ? value.signature as unknown as EntrySignature : undefined;
}

/** A signed record of another version must not stand for this one. */
function hooksIn(bytes: Uint8Array, version: string): Readonly<Record<string, HookLists>> | undefined {
  const record = parsed(bytes);
  if (!isJsonObject(record) || record.version !== version || !isJsonObject(record.hooks)) return undefined;
  const { hooks } = record;
  const kinds: readonly string[] = RELEASE_HOOK_KINDS;
  const isWhole = Object.entries(hooks).every(([kind, lists]) => kinds.includes(kind) && areLists(lists));
  return isWhole ? hooks as unknown as Record<string, HookLists> : undefined;
}

function areLists(value: unknown): value is HookLists {
  return isJsonObject(value) &&
    Object.entries(value).every(([phase, list]) =>
      (phase === "before" || phase === "after") && Array.isArray(list) && list.every(isHook)
    );
}

function isHook(value: unknown): value is Hook {
  if (!isJsonObject(value) || !Array.isArray(value.command) || value.command.length === 0) return false;
  const isTimed = value.timeout_ms === undefined ||
    (typeof value.timeout_ms === "number" && value.timeout_ms > 0);
  return isTimed && value.command.every((word) => typeof word === "string" && !word.includes("\0"));
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return parseJson(new TextDecoder().decode(bytes));
  } catch {
    return undefined; // said by whoever asked: not in a form known here
  }
}

function readKeys(file: string): readonly Verifier[] {
  let text: string;
  try {
    text = Deno.readTextFileSync(file);
  } catch (cause) {
    throw new UsageError(`Cannot read the trusted key ${file}: ${messageOf(cause)}`, {
      hint: "Check trusted_keys in backout.yaml: each is a file with a public key.",
      cause,
    });
  }
  return loadVerifiers(text, file);
}
