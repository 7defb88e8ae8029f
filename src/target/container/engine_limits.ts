/** How long an engine may take to answer, in milliseconds: one that hangs is not waited for without end. */

/** Far longer than an engine that works takes, also on a machine that is busy. */
const ANSWER_MS = 120_000;
const CHANGE_MS = 600_000;
/** A service may be given long to end. */
const STOP_MS = 3_600_000;

const CHANGES: ReadonlySet<string> = new Set([
  ...["create", "start", "pause", "unpause", "rm", "rmi", "kill", "tag", "untag", "system"],
]);

/** @param args of the engine's program; undefined: as long as its data takes */
export function answerLimit(args: readonly string[]): number | undefined {
  const [verb = "", what] = args;
  if (verb === "save" || verb === "load" || verb === "exec") return undefined;
  if (verb === "stop") return STOP_MS;
  return CHANGES.has(verb) || what === "create" ? CHANGE_MS : ANSWER_MS;
}
