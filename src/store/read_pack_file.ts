/** A part of a pack that is a file of this machine. */
import * as fs from "node:fs";
import { errorCode } from "#/core/posix.ts";
import { attempt } from "#/core/system_error.ts";

/** Undefined when it is not there; shorter where the file ends before. A symlink is not followed. */
export function readPackFile(path: string, offset: number, length: number): Uint8Array | undefined {
  return attempt("read", path, () => {
    let file: number;
    try {
      file = fs.openSync(path, fs.constants.O_RDONLY | (fs.constants.O_NOFOLLOW ?? 0));
    } catch (error) {
      if (errorCode(error) === "ENOENT") return undefined;
      throw error;
    }
    try {
      const bytes = new Uint8Array(length);
      let done = 0;
      while (done < bytes.length) {
        const got = fs.readSync(file, bytes, done, bytes.length - done, offset + done);
        if (got === 0) break;
        done += got;
      }
      return bytes.subarray(0, done);
    } finally {
      fs.closeSync(file);
    }
  });
}
