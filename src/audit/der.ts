/**
 * The few pieces of DER and PEM that key files need: which algorithm a key is for, and an RSA-PSS key rewritten as a
 * plain RSA key (the same numbers under another name), since not every runtime reads the first form.
 */
import { Buffer } from "node:buffer";

/** One PEM block of a file. */
export interface PemBlock {
  /** What stands after `BEGIN`, e.g. `PRIVATE KEY`. */
  readonly label: string;
  readonly bytes: Uint8Array;
  /** True for the old form with `Proc-Type: 4,ENCRYPTED` inside. */
  readonly encrypted: boolean;
}

export type KeyKind = "ed25519" | "rsa" | "rsa-pss";

/** A key's outer structure: PKCS#8 for a private key, SPKI for a public one. */
export interface KeyStructure {
  /** Undefined for an algorithm that is not supported. */
  readonly kind: KeyKind | undefined;
  /** Why an RSA-PSS key may not sign with SHA-256 and a salt of 32 bytes, undefined when it may. */
  readonly restriction: string | undefined;
  /** DER with the plain RSA algorithm where the key was RSA-PSS, else as it was. */
  readonly der: Uint8Array;
}

const PEM = /-----BEGIN ([A-Z0-9 ]{1,64})-----\r?\n([^]*?)-----END \1-----/g;
const KINDS: Readonly<Record<string, KeyKind>> = {
  "2b6570": "ed25519",
  "2a864886f70d010101": "rsa",
  "2a864886f70d01010a": "rsa-pss",
};
const SHA256_OID = "608648016503040201";
/** AlgorithmIdentifier { rsaEncryption, NULL } */
const PLAIN_RSA = bytesOfHex("300d06092a864886f70d0101010500");
const Tag = { integer: 0x02, bitString: 0x03, octetString: 0x04, oid: 0x06, sequence: 0x30 } as const;

/** The PEM blocks of a text, in order; blocks that are not base64 are left out. */
export function readPem(text: string): readonly PemBlock[] {
  const blocks: PemBlock[] = [];
  for (const [, label, body] of text.matchAll(PEM)) {
    const encrypted = /^Proc-Type:.*ENCRYPTED/m.test(body!);
    const base64 = body!.replace(/^[A-Za-z-]+:.*$/gm, "").replace(/\s/g, "");
    if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) continue;
    blocks.push({ label: label!, bytes: new Uint8Array(Buffer.from(base64, "base64")), encrypted });
  }
  return blocks;
}

/** A PEM block with lines of 64 characters, as openssl writes it. */
export function writePem(label: string, bytes: Uint8Array): string {
  const lines = Buffer.from(bytes).toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

/**
 * Reads PKCS#8: SEQUENCE { version, algorithm, OCTET STRING key, … }.
 * @throws {RangeError} when it has another form
 */
export function readPkcs8(der: Uint8Array): KeyStructure {
  const [version, algorithm, key] = childrenOf(only(der, Tag.sequence));
  if (version?.tag !== Tag.integer || algorithm?.tag !== Tag.sequence || key?.tag !== Tag.octetString) {
    throw new RangeError("not a PKCS#8 private key");
  }
  const described = describe(algorithm);
  if (described.kind !== "rsa-pss") return { ...described, der };
  return { ...described, der: sequence(version.whole, PLAIN_RSA, key.whole) };
}

/**
 * Reads SPKI: SEQUENCE { algorithm, BIT STRING key }.
 * @throws {RangeError} when it has another form
 */
export function readSpki(der: Uint8Array): KeyStructure {
  const [algorithm, key] = childrenOf(only(der, Tag.sequence));
  if (algorithm?.tag !== Tag.sequence || key?.tag !== Tag.bitString) {
    throw new RangeError("not a public key");
  }
  const described = describe(algorithm);
  if (described.kind !== "rsa-pss") return { ...described, der };
  return { ...described, der: sequence(PLAIN_RSA, key.whole) };
}

interface DerItem {
  readonly tag: number;
  readonly content: Uint8Array;
  /** Tag, length and content. */
  readonly whole: Uint8Array;
}

function describe(algorithm: DerItem): Pick<KeyStructure, "kind" | "restriction"> {
  const [oid, parameters] = childrenOf(algorithm);
  if (oid?.tag !== Tag.oid) throw new RangeError("a key without an algorithm");
  const kind = KINDS[hexOf(oid.content)];
  const restricted = kind === "rsa-pss" && parameters !== undefined;
  return { kind, restriction: restricted ? pssRestriction(parameters) : undefined };
}

/** RFC 4055, section 3.1: what is absent means SHA-1 and a salt of 20 bytes. */
function pssRestriction(parameters: DerItem): string | undefined {
  const fields = childrenOf(parameters);
  const names = (tag: number) => {
    const field = fields.find((item) => item.tag === tag);
    return field !== undefined && hexOf(field.content).includes(SHA256_OID);
  };
  if (!names(0xa0) || !names(0xa1)) return "it is restricted to another digest than SHA-256";
  const salt = fields.find((item) => item.tag === 0xa2);
  const minimum = salt === undefined ? 20 : parseInt(hexOf(only(salt.content, Tag.integer).content), 16);
  return minimum > 32 ? "it is restricted to a salt longer than 32 bytes" : undefined;
}

function childrenOf(item: DerItem): readonly DerItem[] {
  const children: DerItem[] = [];
  for (let offset = 0; offset < item.content.length;) {
    const child = itemAt(item.content, offset);
    children.push(child);
    offset += child.whole.length;
  }
  return children;
}

function only(bytes: Uint8Array, tag: number): DerItem {
  const item = itemAt(bytes, 0);
  if (item.tag !== tag || item.whole.length !== bytes.length) throw new RangeError("unexpected DER");
  return item;
}

function itemAt(bytes: Uint8Array, offset: number): DerItem {
  const tag = bytes[offset];
  const first = bytes[offset + 1];
  if (tag === undefined || first === undefined || first === 0x80 || first > 0x83) {
    throw new RangeError("truncated or oversized DER");
  }
  const lengthBytes = first < 0x80 ? 0 : first - 0x80;
  let length = first < 0x80 ? first : 0;
  for (let i = 0; i < lengthBytes; i++) length = length * 256 + (bytes[offset + 2 + i] ?? 0);
  const start = offset + 2 + lengthBytes;
  if (start + length > bytes.length) throw new RangeError("truncated DER");
  return {
    tag,
    content: bytes.subarray(start, start + length),
    whole: bytes.subarray(offset, start + length),
  };
}

function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const header = length < 0x80
    ? [Tag.sequence, length]
    : length < 0x100
    ? [Tag.sequence, 0x81, length]
    : [Tag.sequence, 0x82, length >> 8, length & 0xff];
  const all = new Uint8Array(header.length + length);
  all.set(header);
  let offset = header.length;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function bytesOfHex(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, "hex"));
}
