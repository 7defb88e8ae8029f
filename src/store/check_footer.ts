/** Whether a pack says at its end what the index says of it: only then can a lost index be made anew. */
import { IntegrityError } from "#/core/errors.ts";
import type { DamagedFile } from "./index_files.ts";
import type { PackIndex } from "./index_format.ts";
import { packName } from "./layout.ts";
import { readPackFooter } from "./pack_format.ts";
import type { StoreParts } from "./store_parts.ts";

/** @param pack one that is there with its right size, as the index has it @returns what is wrong with its end */
export async function checkFooter(
  { backend, cipher }: StoreParts,
  pack: PackIndex,
): Promise<DamagedFile | undefined> {
  try {
    const { frames } = await readPackFooter(backend, pack.id, cipher);
    return areEqual(frames, pack.frames) ? undefined : damage(pack, "says something else than the index");
  } catch (error) {
    if (!(error instanceof IntegrityError)) throw error;
    return damage(pack, "is torn or changed");
  }
}

function damage({ id }: PackIndex, state: string): DamagedFile {
  const reason = `its list of chunks at the end ${state}: the index could not be made anew from it`;
  return { name: packName(id), reason };
}

function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
