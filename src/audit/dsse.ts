/**
 * DSSE envelopes (Dead Simple Signing Envelope 1.0): a payload, its type, and signatures over both. What is signed is
 * the pre-authentication encoding, so that a signature of one type of payload is none of another.
 */
import { Buffer } from "node:buffer";
import type { Signer } from "./sign.ts";

/** The JSON form of an envelope. `payload` and `sig` are base64. */
export interface Envelope {
  readonly payload: string;
  readonly payloadType: string;
  /** At least one: the specification knows no unsigned envelope. */
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[];
}

/** `PAE(type, body)` of the specification: both with their lengths in bytes. */
export function preAuthenticationEncoding(payloadType: string, payload: Uint8Array): Uint8Array {
  const type = new TextEncoder().encode(payloadType);
  const start = new TextEncoder().encode(`DSSEv1 ${type.length} ${payloadType} ${payload.length} `);
  return new Uint8Array(Buffer.concat([start, payload]));
}

/** Signs a payload. The key's fingerprint is the `keyid`. */
export async function envelope(
  payloadType: string,
  payload: Uint8Array,
  signer: Pick<Signer, "fingerprint" | "sign">,
): Promise<Envelope> {
  const signature = await signer.sign(preAuthenticationEncoding(payloadType, payload));
  return {
    payload: Buffer.from(payload).toString("base64"),
    payloadType,
    signatures: [{ keyid: signer.fingerprint, sig: Buffer.from(signature).toString("base64") }],
  };
}
