/**
 * Gathers chunks into frames and frames into packs, in the scratch folder. Nothing is synced here: that is done once for
 * a pack, when it gets its name.
 */
import * as posix from "#/core/posix.ts";
import { attempt } from "#/core/system_error.ts";
import type { ChunkCipher } from "./cipher.ts";
import { compress } from "./codec.ts";
import { ID_BYTES } from "./id_table.ts";
import { encodeFrames, type Frame, type PackIndex, sealBody } from "./index_format.ts";
import { FRAME_CONTEXT, newFileId, packName } from "./layout.ts";
import { ageNursery } from "./nursery.ts";
import { encodeTrailer, PACK_MAGIC } from "./pack_format.ts";

/** A pack that is whole in the scratch folder. */
export interface FinishedPack extends PackIndex {
  readonly path: string;
}

export interface PackWriterOptions {
  readonly scratch: string;
  /** With what the names there begin. */
  readonly prefix: string;
  readonly cipher: ChunkCipher;
  /** Of zstd. */
  readonly level: number;
  readonly onPack: (pack: FinishedPack) => void;
}

/** Chunks that are gathered before they are compressed together: a call costs as much as its first 20 KB. */
const FRAME_BYTES = 512 * 1024;
const PACK_BYTES = 32 * 1024 * 1024;

interface OpenPack {
  readonly id: string;
  readonly path: string;
  readonly file: Deno.FsFile;
  readonly frames: Frame[];
  size: number;
}

export class PackWriter {
  readonly #options: PackWriterOptions;
  readonly #gathered = new Gathered();
  #pack: OpenPack | undefined;
  #written = 0;
  #raw = 0;

  constructor(options: PackWriterOptions) {
    this.#options = options;
  }

  /** Bytes of frames so far, with a guess of what the chunks will take that wait for theirs. */
  get storedBytes(): number {
    const waiting = this.#gathered.length * (this.#raw === 0 ? 1 : this.#written / this.#raw);
    return this.#written + Math.round(waiting);
  }

  /** Adds a chunk; its bytes are copied or written before this returns. */
  add(bytes: Uint8Array, id: Uint8Array): void {
    const gathered = this.#gathered;
    if (gathered.length + bytes.length > FRAME_BYTES) this.#flush();
    if (bytes.length >= FRAME_BYTES) this.#writeFrame(bytes, [bytes.length], id);
    else gathered.add(bytes, id);
  }

  /** Writes what was gathered, and ends the pack. */
  finish(): void {
    this.#flush();
    this.#endPack();
  }

  /** Gives up; the pack that is open goes. */
  abort(): void {
    const pack = this.#pack;
    this.#pack = undefined;
    if (pack === undefined) return;
    pack.file.close();
    posix.unlink(pack.path);
  }

  #flush(): void {
    const gathered = this.#gathered;
    if (gathered.length === 0) return;
    this.#writeFrame(gathered.bytes(), gathered.sizes, gathered.ids());
    gathered.clear();
  }

  #writeFrame(bytes: Uint8Array, sizes: readonly number[], ids: Uint8Array): void {
    const { cipher, level } = this.#options;
    const { codec, bytes: packed } = compress(bytes, level);
    const sealed = cipher.seal(packed, FRAME_CONTEXT);
    const pack = this.#pack ??= this.#newPack();
    this.#append(pack, sealed);
    pack.frames.push({
      ...{ offset: pack.size - sealed.length, stored: sealed.length, raw: bytes.length, codec },
      ...{ sizes: [...sizes], ids: new Uint8Array(ids) },
    });
    this.#written += sealed.length;
    this.#raw += bytes.length;
    ageNursery();
    if (pack.size >= PACK_BYTES) this.#endPack();
  }

  #newPack(): OpenPack {
    const id = newFileId();
    const path = `${this.#options.scratch}/${this.#options.prefix}${id}.pack`;
    const file = attempt("create", path, () => posix.openNewFile(path, 0o600));
    const pack: OpenPack = { id, path, file, frames: [], size: 0 };
    this.#pack = pack;
    this.#append(pack, PACK_MAGIC);
    return pack;
  }

  #append(pack: OpenPack, bytes: Uint8Array): void {
    attempt("write", pack.path, () => posix.writeToOpenFile(pack.file, pack.path, bytes));
    pack.size += bytes.length;
  }

  #endPack(): void {
    const pack = this.#pack;
    if (pack === undefined) return;
    const frames = encodeFrames(pack.frames);
    const { cipher, level } = this.#options;
    const footer = sealBody(frames, cipher, level, packName(pack.id));
    this.#append(pack, footer);
    this.#append(pack, encodeTrailer(footer));
    this.#pack = undefined;
    pack.file.close();
    this.#options.onPack({ id: pack.id, path: pack.path, size: pack.size, frames });
  }
}

/** Chunks that will be one frame. */
class Gathered {
  #bytes: Uint8Array | undefined;
  #ids = new Uint8Array(64 * ID_BYTES);
  length = 0;
  sizes: number[] = [];

  add(bytes: Uint8Array, id: Uint8Array): void {
    this.#bytes ??= new Uint8Array(FRAME_BYTES);
    this.#bytes.set(bytes, this.length);
    const at = this.sizes.length * ID_BYTES;
    if (at === this.#ids.length) {
      const more = new Uint8Array(at * 2);
      more.set(this.#ids);
      this.#ids = more;
    }
    this.#ids.set(id, at);
    this.length += bytes.length;
    this.sizes.push(bytes.length);
  }

  bytes(): Uint8Array {
    return this.#bytes!.subarray(0, this.length);
  }

  ids(): Uint8Array {
    return this.#ids.subarray(0, this.sizes.length * ID_BYTES);
  }

  clear(): void {
    this.length = 0;
    this.sizes = [];
  }
}
