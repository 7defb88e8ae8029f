/** What the store's threads tell each other. Everything passes through `postMessage`. */
import type { FilePart, PartResult } from "./add_file.ts";
import type { BaseJob, PlacedChunk } from "./base_file.ts";
import type { CheckedFrames, CheckJob } from "./check_frames.ts";
import type { SharedTables } from "./chunk_adder.ts";
import type { CipherMaterial } from "./cipher.ts";
import type { FinishedPack } from "./pack_writer.ts";
import type { RestoreJob } from "./restore_frames.ts";
import type { StoredFile } from "./store.ts";
import type { ThreadError } from "./thread_error.ts";

export type ThreadRequest =
  /** First of all. */
  | {
    readonly kind: "add";
    /** Where packs are written, and with what their names begin. */
    readonly scratch: string;
    readonly prefix: string;
    readonly material: CipherMaterial;
    readonly level: number;
    readonly tables: SharedTables;
  }
  /** More is known, or the table of what is added is a larger one. */
  | { readonly kind: "tables"; readonly tables: SharedTables }
  | { readonly kind: "files"; readonly paths: readonly string[] }
  | { readonly kind: "part"; readonly part: FilePart }
  /** Ends the pack. */
  | { readonly kind: "finish" }
  /** Gives up, and removes the pack that is open. */
  | { readonly kind: "abort" }
  | { readonly kind: "base"; readonly material: CipherMaterial; readonly job: BaseJob }
  | { readonly kind: "restore"; readonly material: CipherMaterial; readonly job: RestoreJob }
  | { readonly kind: "check"; readonly material: CipherMaterial; readonly job: CheckJob };

export type ThreadAnswer =
  | { readonly kind: "done" }
  | { readonly kind: "files"; readonly files: readonly StoredFile[] }
  | { readonly kind: "part"; readonly part: PartResult }
  | { readonly kind: "base"; readonly written: readonly PlacedChunk[] }
  /** Files that were to have a look and may not have it. */
  | { readonly kind: "restored"; readonly undressed: readonly string[] }
  | { readonly kind: "check"; readonly checked: CheckedFrames };

export interface ThreadReply {
  readonly answer: ThreadAnswer | undefined;
  readonly error: ThreadError | undefined;
  /** Packs that were finished meanwhile. */
  readonly packs: readonly FinishedPack[];
  /** What the thread has stored so far, in bytes. */
  readonly storedBytes: number;
  /** What of that the request has stored. */
  readonly addedBytes: number;
}
