/** The signature of a webhook's message: who has the key sent exactly these bytes, at about this time. */
import { createHmac } from "node:crypto";

export const SIGNATURE_HEADER = "backout-signature";

/**
 * `t=<seconds since 1970>,v1=<hex of HMAC-SHA256 over "<t>.<body>">`.
 * @param body the exact text that is sent, in UTF-8
 */
export function signatureOf(body: string, secret: string, at: Date): string {
  const seconds = Math.floor(at.getTime() / 1000);
  const mac = createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex");
  return `t=${seconds},v1=${mac}`;
}
