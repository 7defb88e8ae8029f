/** `component mark`: what a version of a component is worth. `rollback --to-last-good` goes by it. */
import { join } from "node:path";
import { RollbackVersionNotFoundError } from "#/core/errors.ts";
import * as posix from "#/core/posix.ts";
import { readText } from "#/component/document.ts";
import { readManifest } from "#/component/manifest.ts";
import { MARKS_PATH, readMarks, withMark } from "#/component/marks.ts";
import { chosenComponents } from "#/component/model.ts";
import { resolveWanted } from "#/component/resolve.ts";
import type { OperationReport } from "#/report/model.ts";
import { runChange } from "#/snapshot/change.ts";
import { gitContext } from "./look.ts";
import type { MetaOptions } from "./options.ts";
import { carryOutWorkedOut, TARGET_NAME } from "./worked_out.ts";

export interface MarkOptions extends MetaOptions {
  readonly component: string;
  readonly version: string;
  /** `none` takes the mark away. */
  readonly mark: "good" | "bad" | "none";
}

/** @throws {RollbackVersionNotFoundError} 40: no such component or version, or there is no mark to take away */
export function markComponent(options: MarkOptions): Promise<OperationReport> {
  const { component: name, version, mark, folder } = options;
  const title = mark === "none" ? `unmark ${name} ${version}` : `mark ${name} ${version} ${mark}`;
  return runChange(options, { operation: "component_mark", title, version }, async (change) => {
    const { scope } = change.workspace;
    const [component] = chosenComponents(readManifest(folder), [name]);
    const path = join(folder, MARKS_PATH);
    const text = posix.lstat(path) === undefined ? undefined : readText(path, "list of marks", "");
    const next = mark === "none"
      ? unmarked()
      : withMark(text, path, { ...await resolved(), mark, ...said() });
    change.report = { ...change.report, version_exists: true, versions: [`${name}@${version}`] };
    await carryOutWorkedOut(change, { ...options, checks: [] }, {
      checkouts: [],
      documents: next === text ? [] : [{ path: MARKS_PATH, text: next }],
      wording: {
        title,
        noun: `mark of ${name} ${version}`,
        done: mark === "none" ? `Took the mark from ${name} ${version}` : `Marked ${name} ${version} ${mark}`,
        intended: `Would ${title}`,
      },
    });

    function said() {
      return { reason: options.reason ?? "", by: scope.by, at: scope.now().toISOString() };
    }
    async function resolved() {
      const context = {
        ...gitContext(options),
        root: folder,
        offline: options.offline ?? false,
        dryRun: true, // only the commit is wanted
        scratch: () => change.scratch.folder(TARGET_NAME),
      };
      const { commit, tag } = await resolveWanted({ name, version, repo: component!.repo }, context);
      return { component: name, version: tag ?? version, commit };
    }
    function unmarked(): string | undefined {
      const found = readMarks(folder, name).find((one) => one.version === version);
      if (found !== undefined) return withMark(text, path, { component: name, version: found.version });
      throw new RollbackVersionNotFoundError(`${name} ${version} has no mark`, {
        hint: `Marked are ${readMarks(folder, name).map((one) => one.version).join(", ") || "none"}.`,
      });
    }
  });
}
