/** What a first copy of a tree has put into the store cannot be read before the snapshot is whole: it is remembered. */
import type { ContentRef } from "#/store/model.ts";
import type { StoreReader, StoreWriter } from "#/store/store.ts";
import type { CaptureContext } from "../target.ts";

/** Of more than this (a few hundred thousand files) nothing is remembered: the second copy then reads everything. */
const MAX_BYTES = 128 << 20;

/** The descriptions of trees that went to the store, to be compared with by the next copy. */
export class FirstPass {
  readonly #known = new Map<string, Uint8Array>();
  #bytes = 0;

  /** For the first copy: what it adds is remembered. */
  recording(context: CaptureContext): CaptureContext {
    const { writer } = context;
    const recorder: StoreWriter = {
      get storedBytes() {
        return writer.storedBytes;
      },
      addFiles: (files, options) => writer.addFiles(files, options),
      addStream: (stream, options) => writer.addStream(stream, options),
      addBytes: async (bytes) => {
        const content = await writer.addBytes(bytes);
        this.#remember(content, bytes);
        return content;
      },
      known: writer.known,
      commit: (manifest) => writer.commit(manifest),
      putBack: () => writer.putBack(),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
    return { ...context, writer: recorder };
  }

  /** For the second copy: what the first one added can be read. */
  reading(context: CaptureContext): CaptureContext {
    const { store } = context;
    const reader: StoreReader = {
      location: store.location,
      listSnapshots: () => store.listSnapshots(),
      recentSnapshots: () => store.recentSnapshots(),
      readSnapshot: (id) => store.readSnapshot(id),
      readBytes: (content, options) => {
        const known = this.#known.get(keyOf(content));
        return known === undefined ? store.readBytes(content, options) : Promise.resolve(known);
      },
      readStream: (content) => store.readStream(content),
      writeFiles: (files, options) => store.writeFiles(files, options),
    };
    return { ...context, store: reader };
  }

  /** Whether this is a tree that can be compared with. */
  has(tree: ContentRef): boolean {
    return this.#bytes <= MAX_BYTES && this.#known.has(keyOf(tree));
  }

  #remember(content: ContentRef, bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    if (this.#bytes <= MAX_BYTES) this.#known.set(keyOf(content), bytes);
    else this.#known.clear();
  }
}

function keyOf({ chunks, size }: ContentRef): string {
  return `${size}:${chunks.join()}`;
}
