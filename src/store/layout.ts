/** Where things lie in a snapshot store. `docs/store_format.md` describes the files. */

/** Raised when older versions could not read what this one writes. */
export const STORE_FORMAT = 1;

export const CONFIG_FILE = "config.json";
export const PACK_FOLDER = "packs";
export const INDEX_FOLDER = "index";
export const SNAPSHOT_FOLDER = "snapshots";

/** What a frame of a pack is sealed as; other things are sealed as the name of their file. */
export const FRAME_CONTEXT = "frame";

const PACK_NAME = /^packs\/([0-9a-f]{32})\.pack$/;
const SNAPSHOT_NAME = /^snapshots\/([A-Za-z0-9][A-Za-z0-9._+~-]{0,127})\.json$/;
const INDEX_NAME = /^index\/([0-9a-f]{32})\.idx$/;

/** @param id 32 hex digits, random */
export function packName(id: string): string {
  return `${PACK_FOLDER}/${id}.pack`;
}

export function indexName(id: string): string {
  return `${INDEX_FOLDER}/${id}.idx`;
}

export function snapshotName(id: string): string {
  return `${SNAPSHOT_FOLDER}/${id}.json`;
}

/** The id in a pack's name; undefined for another file. */
export function packIdOf(name: string): string | undefined {
  return PACK_NAME.exec(name)?.[1];
}

export function indexIdOf(name: string): string | undefined {
  return INDEX_NAME.exec(name)?.[1];
}

export function snapshotIdOf(name: string): string | undefined {
  return SNAPSHOT_NAME.exec(name)?.[1];
}

/**
 * Whether an id is that of an entry of a component (`store~<hash>`, `cache~<key>`) instead of a snapshot of targets. Both
 * are manifests in the same folder, so that collection, checks and copies know both; nobody can give a snapshot a name
 * with this sign.
 */
export function isEntryId(id: string): boolean {
  return id.includes("~");
}

/** Whether a snapshot may have this id: it becomes the name of a file. */
export function isSnapshotId(id: string): boolean {
  return SNAPSHOT_NAME.test(snapshotName(id));
}

/** A new id of a pack or an index. */
export function newFileId(): string {
  return hexOf(crypto.getRandomValues(new Uint8Array(16)));
}

export function hexOf(bytes: Uint8Array): string {
  return bytes.toHex();
}
