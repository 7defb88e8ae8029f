/** `notify:` and `hooks:` of `backout.yaml`, read. */
import { hooksSchema, readHooks } from "#/config/hooks_schema.ts";
import type { Config } from "#/config/load.ts";
import { notifySchema, readNotify } from "#/config/notify_schema.ts";
import { isBlock, own, type PolicyProblem, Problems } from "#/policy/problem.ts";

/** For the schema of the whole file. */
export const aroundSchemas = { notify: notifySchema, hooks: hooksSchema };

export interface Around {
  readonly settings: Pick<Config, "notify" | "hooks">;
  readonly problems: readonly PolicyProblem[];
}

/**
 * Reads both blocks out of the document's value.
 * @param folder that of the file: where relative paths start
 */
export function readAround(document: unknown, folder: string): Around {
  const problems = new Problems();
  const block = isBlock(document) ? document : {};
  const notify = own(block, "notify");
  const hooks = own(block, "hooks");
  const settings = {
    ...(notify === undefined ? {} : { notify: readNotify(notify, ["notify"], folder, problems) }),
    ...(hooks === undefined ? {} : { hooks: readHooks(hooks, ["hooks"], folder, problems) }),
  };
  return { settings, problems: problems.found };
}
