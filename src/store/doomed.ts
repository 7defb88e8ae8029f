/** `collect/doomed.json`: the packs that a collection will take away, and since when nothing of them is needed. */
import { isJsonObject } from "#/core/json.ts";
import { formatJson } from "#/core/json.ts";
import type { StoreBackend } from "./backend.ts";

export const DOOMED_FILE = "collect/doomed.json";

/** `unreferenced`: no snapshot needs it. `moved`: what was needed is in another pack. `unfinished`: no index names it. */
export type DoomReason = "unreferenced" | "moved" | "unfinished";

export interface Doomed {
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly reason: DoomReason;
}

export type DoomedPacks = ReadonlyMap<string, Doomed>;

const REASONS: ReadonlySet<unknown> = new Set<DoomReason>(["unreferenced", "moved", "unfinished"]);
const PACK_ID = /^[0-9a-f]{32}$/;

/** What cannot be read is left out: such packs are found again, and their time begins anew. */
export async function readDoomed(backend: StoreBackend): Promise<DoomedPacks> {
  const bytes = await backend.read(DOOMED_FILE);
  if (bytes === undefined) return new Map();
  const value = parse(new TextDecoder().decode(bytes));
  const packs = isJsonObject(value) && value.format === 1 && isJsonObject(value.packs) ? value.packs : {};
  return new Map(
    Object.entries(packs).flatMap(([id, entry]): readonly (readonly [string, Doomed])[] => {
      if (!PACK_ID.test(id) || !isJsonObject(entry) || typeof entry.since !== "string") return [];
      const since = Date.parse(entry.since);
      if (Number.isNaN(since) || !REASONS.has(entry.reason)) return [];
      return [[id, { since, reason: entry.reason as DoomReason }]];
    }),
  );
}

/** Durably. */
export async function writeDoomed(backend: StoreBackend, packs: DoomedPacks): Promise<void> {
  const entries = [...packs].map(([id, { since, reason }]) =>
    [id, { since: new Date(since).toISOString(), reason }] as const
  );
  const document = { format: 1, packs: Object.fromEntries(entries) };
  await backend.replace(DOOMED_FILE, new TextEncoder().encode(formatJson(document)));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
