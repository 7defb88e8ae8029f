/** Identifiers of operations and backups. */

/**
 * A new operation id: a UUID of version 7 (RFC 9562, section 5.7), so that ids sort by time.
 * @param now the moment it carries, in milliseconds precision
 */
export function newOperationId(now: Date): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  let time = now.getTime();
  for (let i = 5; i >= 0; i--) {
    bytes[i] = time % 256;
    time = Math.floor(time / 256);
  }
  bytes[6] = (bytes[6]! & 0x0f) | 0x70;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** The moment that an operation id carries, RFC 3339; undefined where it carries none. */
export function idTime(id: string): string | undefined {
  const hex = /^([0-9a-f]{8})-([0-9a-f]{4})-7/.exec(id);
  return hex === null ? undefined : new Date(parseInt(hex[1]! + hex[2]!, 16)).toISOString();
}

/** The name of the backup folder of one version: `<version>-<YYYYMMDD>_<HHMMSS>-<id8>` in UTC. */
export function backupFolderName(version: string, operationId: string, at: Date): string {
  const stamp = at.toISOString().slice(0, 19).replaceAll("-", "").replaceAll(":", "").replace("T", "_");
  return `${version}-${stamp}-${operationId.slice(-8)}`;
}

/** Takes a backup folder's name apart; undefined when it has another form. Also reads T.A.R.S. names. */
export function parseBackupFolderName(name: string): { version: string; at: string } | undefined {
  const match = /^(.+)-(\d{4})(\d{2})(\d{2})[_-]?(\d{2})(\d{2})(\d{2})-[0-9A-Za-z]+$/.exec(name);
  if (match === null) return undefined;
  const [, version, year, month, day, hour, minute, second] = match;
  const at = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
  if (Number.isNaN(Date.parse(at))) return undefined;
  return { version: version!, at };
}
