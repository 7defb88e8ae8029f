/**
 * Buffers of frames lie outside of V8's heap, which is collected by what lies inside: a thread that makes little else than
 * buffers would pile up a hundred megabytes of dead ones. A little short-lived garbage for each frame lets the young
 * collection, which frees them, come by every few frames. It costs about 20 µs beside the millisecond of a frame.
 */

const ARRAYS = 4;
const LENGTH = 8192;

let _kept: readonly number[] = [];

/** Call it once for each frame that was compressed or decompressed. */
export function ageNursery(): void {
  for (let i = 0; i < ARRAYS; i++) _kept = new Array<number>(LENGTH).fill(i);
}
