/** What this program is. The compile script replaces the values of this file. */

/** The version of backout, without a leading `v`. */
export const VERSION = "0.1.0";
/** The commit it was built from; `source` when it runs from a checkout. */
export const COMMIT = "source";
