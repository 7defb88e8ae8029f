/**
 * Repositories for restic with snapshots of chosen times, written directly: `restic backup` derives a slow key in each
 * run, most of a second, and the tests want hundreds of snapshots. The form is that of restic's design document
 * (repository version 1): files are AES-256-CTR with Poly1305-AES, named by their SHA-256.
 */
import { Buffer } from "node:buffer";
import { createCipheriv, createHash, randomBytes, scryptSync } from "node:crypto";
import { join } from "node:path";

export interface ResticSnapshot {
  /** RFC 3339. */
  readonly time: string;
  readonly tags: readonly string[];
}

export interface ResticAnswer {
  /** Times in milliseconds since 1970. */
  readonly keep: readonly number[];
  readonly remove: readonly number[];
}

const PASSWORD = "of no secret";

/** Which restic this is, for messages. */
export function resticVersion(): string {
  const { stdout } = new Deno.Command("restic", { args: ["version"], stderr: "null" }).outputSync();
  return new TextDecoder().decode(stdout).trim();
}

/** Writes a repository into the empty folder `path`. */
export async function writeResticRepository(
  path: string,
  snapshots: readonly ResticSnapshot[],
): Promise<void> {
  for (const folder of ["keys", "snapshots", "data", "index", "locks"]) await Deno.mkdir(join(path, folder));
  const master = newKey();
  const salt = randomBytes(64);
  const cost = { N: 2, r: 1, p: 1 };
  const derived = scryptSync(PASSWORD, salt, 64, cost);
  const user: Key = {
    encrypt: derived.subarray(0, 32),
    k: derived.subarray(32, 48),
    r: derived.subarray(48, 64),
  };
  const masterJson = {
    mac: { k: master.k.toString("base64"), r: master.r.toString("base64") },
    encrypt: master.encrypt.toString("base64"),
  };
  await writeNamed(join(path, "keys"), {
    created: "2020-01-01T00:00:00Z",
    username: "test",
    hostname: "test",
    kdf: "scrypt",
    ...cost,
    salt: salt.toString("base64"),
    data: seal(user, masterJson).toString("base64"),
  });
  const config = { version: 1, id: randomBytes(32).toString("hex"), chunker_polynomial: "25b468838dcb75" };
  await Deno.writeFile(join(path, "config"), seal(master, config));
  for (const { time, tags } of snapshots) {
    const snapshot = { time, tree: "0".repeat(64), paths: ["/f"], hostname: "test", username: "test", tags };
    await writeNamed(join(path, "snapshots"), seal(master, snapshot));
  }
}

/** Asks `restic forget --dry-run` what it would keep. */
export async function resticForget(path: string, policy: readonly string[]): Promise<ResticAnswer> {
  const command = new Deno.Command("restic", {
    args: [
      "-r",
      path,
      "--no-cache",
      "--no-lock",
      "--json",
      "forget",
      "--dry-run",
      "--group-by",
      "",
      ...policy,
    ],
    // restic sorts days in the time zone of each snapshot, and reads it in the local one.
    env: { PATH: Deno.env.get("PATH") ?? "", RESTIC_PASSWORD: PASSWORD, TZ: "UTC", HOME: path },
    clearEnv: true,
    stdin: "null",
  });
  const { code, stdout, stderr } = await command.output();
  const text = new TextDecoder().decode(stdout);
  if (code !== 0) throw new Error(`restic exits with ${code}: ${new TextDecoder().decode(stderr)}${text}`);
  const [group] = JSON.parse(text) as {
    keep: { time: string }[] | null;
    remove: { time: string }[] | null;
  }[];
  const times = (list: { time: string }[] | null | undefined) =>
    (list ?? []).map(({ time }) => Date.parse(time));
  return { keep: times(group?.keep), remove: times(group?.remove) };
}

interface Key {
  readonly encrypt: Uint8Array;
  /** The two halves of the key of Poly1305-AES. */
  readonly k: Uint8Array;
  readonly r: Uint8Array;
}

function newKey() {
  return { encrypt: randomBytes(32), k: randomBytes(16), r: clamped(randomBytes(16)) };
}

async function writeNamed(folder: string, content: Uint8Array | object): Promise<void> {
  const bytes = content instanceof Uint8Array ? content : new TextEncoder().encode(JSON.stringify(content));
  await Deno.writeFile(join(folder, createHash("sha256").update(bytes).digest("hex")), bytes);
}

/** Nonce, ciphertext and authenticator of a JSON document. */
function seal(key: Key, document: object) {
  const nonce = randomBytes(16);
  const ciphertext = counterMode("aes-256-ctr", key.encrypt, nonce, Buffer.from(JSON.stringify(document)));
  // AES of the nonce itself is the first block of the key stream.
  const pad = counterMode("aes-128-ctr", key.k, nonce, new Uint8Array(16));
  return Buffer.concat([nonce, ciphertext, poly1305(key.r, pad, ciphertext)]);
}

function counterMode(algorithm: string, key: Uint8Array, nonce: Uint8Array, plain: Uint8Array): Uint8Array {
  const cipher = createCipheriv(algorithm, key, nonce);
  return Buffer.concat([cipher.update(plain), cipher.final()]);
}

/** RFC 8439, section 2.5.1. */
function poly1305(r: Uint8Array, pad: Uint8Array, message: Uint8Array): Uint8Array {
  const prime = (1n << 130n) - 5n;
  const factor = little(clamped(r));
  let sum = 0n;
  for (let at = 0; at < message.length; at += 16) {
    const block = message.subarray(at, at + 16);
    sum = (sum + little(block) + (1n << BigInt(8 * block.length))) * factor % prime;
  }
  const tag = (sum + little(pad)) & ((1n << 128n) - 1n);
  return Uint8Array.from({ length: 16 }, (_, byte) => Number((tag >> BigInt(8 * byte)) & 255n));
}

function little(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

function clamped<T extends Uint8Array>(bytes: T): T {
  for (const at of [3, 7, 11, 15]) bytes[at]! &= 15;
  for (const at of [4, 8, 12]) bytes[at]! &= 252;
  return bytes;
}
