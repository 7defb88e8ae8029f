/** The file of `release publish --hooks`: which programs a release wants to be run when it is taken away or brought back. */
import { readHooksOf } from "#/config/hooks_schema.ts";
import { readConfigText } from "#/config/load.ts";
import { configError } from "#/config/parse.ts";
import { locate, readYaml } from "#/config/position.ts";
import { RELEASE_HOOK_KINDS, type ReleaseHooks } from "#/core/hook.ts";
import { messageOf } from "#/core/errors.ts";
import { Problems } from "#/policy/problem.ts";

/**
 * Reads the hooks of a release from a YAML or JSON file: `{rollback: {before: [[drain, app]], after: […]}, restore: …}`.
 * @throws {UsageError} when the file cannot be read or does not say what it must, with file, line and column
 */
export function loadReleaseHooks(path: string): ReleaseHooks {
  const file = readYaml(readConfigText(path), "Write for example `rollback: {before: [[drain, app]]}`.");
  if ("problems" in file) throw configError(path, file.problems);
  let value: unknown;
  try {
    value = file.document.toJS({ maxAliasCount: 0 });
  } catch (error) {
    throw configError(path, [
      file.at(0, `its aliases cannot be followed: ${messageOf(error)}`, "Write the values out."),
    ]);
  }
  const problems = new Problems();
  const hooks = readHooksOf(RELEASE_HOOK_KINDS, value, [], null, problems);
  if (problems.found.length > 0) {
    const located = problems.found.map((problem) => locate(problem, file));
    throw configError(path, located.toSorted((a, b) => a.line - b.line || a.column - b.column));
  }
  return hooks as ReleaseHooks;
}
