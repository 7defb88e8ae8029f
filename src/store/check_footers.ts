/** Whether packs say at their ends what the index says of them: only then can a lost index be made anew. */
import { IntegrityError } from "#/core/errors.ts";
import { throwIfStopped } from "#/core/pace.ts";
import type { DamagedFile } from "./index_files.ts";
import type { PackIndex } from "./index_format.ts";
import { packName } from "./layout.ts";
import { readPackFooter } from "./pack_format.ts";
import type { StoreParts } from "./store_parts.ts";

export interface CheckFootersOptions {
  /** Of the packs, in percent. @default 100 */
  readonly samplePercent?: number;
  /** In [0, 1). @default Math.random */
  readonly random?: () => number;
  readonly signal?: AbortSignal | undefined;
}

/** @param packs such as are there with their right size, as the index has them */
export async function checkFooters(
  { backend, cipher }: StoreParts,
  packs: readonly PackIndex[],
  { samplePercent = 100, random = Math.random, signal }: CheckFootersOptions,
): Promise<readonly DamagedFile[]> {
  const damaged: DamagedFile[] = [];
  for (const pack of packs) {
    if (samplePercent < 100 && random() * 100 >= samplePercent) continue;
    throwIfStopped(signal);
    try {
      const { frames } = await readPackFooter(backend, pack.id, cipher);
      if (!areEqual(frames, pack.frames)) damaged.push(damage(pack, "says something else than the index"));
    } catch (error) {
      if (!(error instanceof IntegrityError)) throw error;
      damaged.push(damage(pack, "is torn or changed"));
    }
  }
  return damaged;
}

function damage({ id }: PackIndex, state: string): DamagedFile {
  const reason = `its list of chunks at the end ${state}: the index could not be made anew from it`;
  return { name: packName(id), reason };
}

function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
