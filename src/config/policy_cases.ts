/** `policy test`: reads a file of cases and runs it. */
import { configError } from "#/config/parse.ts";
import { readConfigText } from "#/config/load.ts";
import { locate, readYaml } from "#/config/position.ts";
import { messageOf } from "#/core/errors.ts";
import { type CaseResult, runCases } from "#/policy/cases.ts";
import type { PolicySettings } from "#/policy/settings.ts";

export interface PolicyTestResult {
  readonly file: string;
  /** Whether the file has a policy of its own. */
  readonly own_policy: boolean;
  readonly passed: number;
  readonly failed: number;
  readonly cases: readonly CaseResult[];
}

/**
 * Runs the cases of a YAML or JSON file against a policy.
 * @throws {UsageError} when the file cannot be read or does not say what it must, with file, line and column
 */
export async function testPolicy(path: string, settings: PolicySettings): Promise<PolicyTestResult> {
  const file = readYaml(readConfigText(path), "Write `cases:` with a list; see docs/policy.md.");
  if ("problems" in file) throw configError(path, file.problems);
  let value: unknown;
  try {
    value = file.document.toJS({ maxAliasCount: 50 });
  } catch (error) {
    throw configError(path, [
      file.at(0, `its aliases cannot be followed: ${messageOf(error)}`, "Write the values out."),
    ]);
  }
  const outcome = await runCases(value, settings);
  if ("problems" in outcome) {
    const problems = outcome.problems.map((problem) => locate(problem, file));
    throw configError(path, problems.toSorted((a, b) => a.line - b.line || a.column - b.column));
  }
  const { results, own_policy } = outcome;
  const passed = results.filter((result) => result.passed).length;
  return { file: path, own_policy, passed, failed: results.length - passed, cases: results };
}
