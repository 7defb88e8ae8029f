/**
 * Conditional writes. An ETag in a condition stands in quotes by the standard; some servers (Ceph) only honour it
 * without, and answer 412 otherwise. Which one a server wants is found out once, by the first write that is refused
 * although the ETag is the expected one.
 */
import type { WriteCondition } from "#/storage/bucket/bucket.ts";
import { BucketError } from "#/storage/bucket/bucket_error.ts";

type Spelling = "quoted" | "bare";

/** The headers of a condition, as parameters of a command. */
export interface ConditionHeaders {
  readonly IfNoneMatch?: string;
  readonly IfMatch?: string;
}

export class Conditions {
  #spelling: Spelling = "quoted";
  #proven = false;

  /**
   * Sends a write under its condition.
   * @param currentTag asks for the ETag that the object has now
   */
  async apply<T>(
    condition: WriteCondition | undefined,
    write: (headers: ConditionHeaders) => Promise<T>,
    currentTag: () => Promise<string | undefined>,
  ): Promise<T> {
    if (condition === undefined) return await write({});
    if ("absent" in condition) return await write({ IfNoneMatch: "*" });
    const spelling = this.#spelling;
    try {
      return await this.#write(condition.tag, spelling, write);
    } catch (error) {
      if (this.#proven && this.#spelling === spelling) throw error;
      if (!(error instanceof BucketError) || error.failure !== "precondition") throw error;
      if (await currentTag() !== condition.tag) throw error;
      // The condition holds, so it was the spelling. Should it cease to hold just now, this write is refused too.
      return await this.#write(condition.tag, other(spelling), write);
    }
  }

  async #write<T>(
    tag: string,
    spelling: Spelling,
    write: (headers: ConditionHeaders) => Promise<T>,
  ): Promise<T> {
    const result = await write({ IfMatch: spelling === "quoted" ? `"${tag}"` : tag });
    this.#spelling = spelling;
    this.#proven = true;
    return result;
  }
}

function other(spelling: Spelling): Spelling {
  return spelling === "quoted" ? "bare" : "quoted";
}
