/** What a hook printed: as of any child. */
export { lastLines, OUTPUT_LIMIT_BYTES, Tail } from "#/core/child_output.ts";
