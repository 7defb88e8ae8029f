import { UsageError } from "#/core/errors.ts";
import type { ConfigProblem } from "#/config/position.ts";

/** One error for all mistakes: `<file>:<line>:<column>: <what>`, a line each. */
export function configError(path: string, problems: readonly ConfigProblem[]): UsageError {
  const [first] = problems;
  const message = problems.map((it) => `${path}:${it.line}:${it.column}: ${it.message}`).join("\n");
  const hints = new Set(problems.flatMap((it) => it.hint === null ? [] : [it.hint]));
  return new UsageError(message, {
    ...(hints.size === 0 ? {} : { hint: [...hints].join("\n") }),
    context: { path, line: first?.line ?? 1, column: first?.column ?? 1, problems: problems.length },
  });
}
