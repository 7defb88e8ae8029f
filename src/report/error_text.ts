/** A failure that has no report: as text for people, as a document for machines. */
import { ExitCode, messageOf, RollbackError } from "#/core/errors.ts";
import type { JsonObject } from "#/core/json.ts";
import type { ReportError } from "#/report/model.ts";
import type { Styler } from "#/report/style.ts";
import { visible, visibleLines } from "#/report/visible.ts";

const DEEPEST_CAUSE = 8;

/** Changes a hint before it is shown, for example so that its commands name the repository. */
export type HintEditor = (hint: string) => string;

/** The parts of an error that reports carry. Anything that is not ours is an `internal` error with exit code 49. */
export function toReportError(error: unknown, editHint: HintEditor = (hint) => hint): ReportError {
  if (error instanceof RollbackError) {
    const { code, kind, message, hint, context } = error;
    return { code, kind, message, hint: hint === undefined ? null : editHint(hint), context };
  }
  return {
    code: ExitCode.rollback,
    kind: "internal",
    message: messageOf(error),
    hint: "This is a fault in backout. Run it again with --verbose to see where it happened.",
    context: {},
  };
}

/** `{"error": {code, kind, message, hint, context}}`: the one document that a failure without a report prints. */
export function errorToJson(error: unknown, editHint?: HintEditor): JsonObject {
  const { code, kind, message, hint, context } = toReportError(error, editHint);
  return { error: { code, kind, message, hint, context } };
}

/** What failed and what to do. `verbose` adds facts, the chain of causes and the stack. */
export function renderError(
  error: unknown,
  style: Styler,
  options: { readonly verbose: boolean; readonly editHint?: HintEditor },
): string {
  const { code, kind, message, hint, context } = toReportError(error, options.editHint);
  const lines = [`${style.red(style.bold("Error:"))} ${visibleLines(message)}`];
  if (hint !== null) lines.push(`${style.cyan("  Hint:")} ${visibleLines(hint)}`);
  if (!options.verbose) return lines.join("\n") + "\n";

  lines.push(style.dim(`  Kind: ${kind}, exit code ${code}`));
  for (const [name, value] of Object.entries(context)) {
    lines.push(style.dim(`  ${visible(name)}: ${visible(JSON.stringify(value) ?? "")}`));
  }
  lines.push(...causes(error).map((cause) => style.dim(`  Caused by: ${visible(describe(cause))}`)));
  if (error instanceof Error && error.stack !== undefined) {
    const frames = error.stack.split("\n").filter((line) => line.trimStart().startsWith("at "));
    lines.push(...frames.map((frame) => style.dim(visible(frame))));
  }
  return lines.join("\n") + "\n";
}

function causes(error: unknown): readonly unknown[] {
  const found: unknown[] = [];
  let current = error instanceof Error ? error.cause : undefined;
  while (current !== undefined && found.length < DEEPEST_CAUSE) {
    found.push(current);
    current = current instanceof Error ? current.cause : undefined;
  }
  return found;
}

function describe(cause: unknown): string {
  return cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
}
