/** The largest artifacts of an operation: few enough to keep in every report, enough to see where the bytes are. */
import type { ArtifactSize } from "#/report/model.ts";

const MOST_ARTIFACTS = 20;

/**
 * The largest files, largest first; of equal size in the order of their paths.
 * @param files sizes in bytes
 */
export function largestArtifacts(
  files: readonly { readonly path: string; readonly size: number }[],
  most = MOST_ARTIFACTS,
): readonly ArtifactSize[] {
  return files
    .toSorted((a, b) => b.size - a.size || (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
    .slice(0, most)
    .map(({ path, size }) => ({ path, bytes: size }));
}
