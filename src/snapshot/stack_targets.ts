/** Stacks of containers on the command line: found without a configuration, and with what its flags say of them. */
import { withoutPasswords } from "#/config/written.ts";
import { UsageError } from "#/core/errors.ts";
import type { JsonObject } from "#/core/json.ts";
import { lstat } from "#/core/posix.ts";
import { quoteShort } from "#/core/safe_path.ts";
import { defaultFiles } from "#/target/container/compose_files.ts";
import type { TargetSpec } from "#/target/target.ts";
import { loadDriver } from "./bind_target.ts";
import type { WorkspaceOptions } from "./options.ts";

const TYPE = "container";
/** What a stack is called that no configuration names. */
const NAME = "stack";

/** What flags say of a stack. */
export interface StackChoice {
  /** Only these. */
  readonly services?: readonly string[] | undefined;
  readonly includeVolumes?: boolean | undefined;
  readonly includeImages?: boolean | undefined;
}

/** The target of a folder that has a compose file, for who has configured none; empty where it has no such file. */
export async function impliedTargets(options: WorkspaceOptions): Promise<readonly TargetSpec[]> {
  const { folder } = options;
  if (!defaultFiles(folder).some((path) => lstat(path) !== undefined)) return [];
  const written = { path: folder };
  return [{ name: NAME, type: TYPE, config: await parsed(options, NAME, written), written, after: [] }];
}

/**
 * The targets with what flags say of the stacks among them.
 * @param only names that are meant; empty: all
 * @throws {UsageError} there is no stack among them
 */
export async function withStackChoice(
  options: WorkspaceOptions,
  choice: StackChoice,
  only: readonly string[] = [],
): Promise<WorkspaceOptions> {
  const keys: JsonObject = {
    ...(choice.services === undefined ? {} : { services: [...choice.services] }),
    ...(choice.includeVolumes === true ? { include_volumes: true } : {}),
    ...(choice.includeImages === true ? { include_images: true } : {}),
  };
  if (Object.keys(keys).length === 0) return options;
  const isMeant = ({ name, type }: TargetSpec) => type === TYPE && (only.length === 0 || only.includes(name));
  if (!options.targets.some(isMeant)) throw noStack(options, choice);
  const targets = await Promise.all(
    options.targets.map((spec) => isMeant(spec) ? withKeys(options, spec, keys) : spec),
  );
  return { ...options, targets };
}

async function withKeys(options: WorkspaceOptions, spec: TargetSpec, keys: JsonObject): Promise<TargetSpec> {
  const config = await parsed(options, spec.name, { ...spec.config as JsonObject, ...keys });
  return { ...spec, config, written: withoutPasswords({ ...spec.written, ...keys }) };
}

async function parsed(options: WorkspaceOptions, name: string, value: JsonObject): Promise<unknown> {
  const driver = await loadDriver(options, TYPE);
  const result = driver.schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new UsageError(
    `Cannot use this for the stack ${quoteShort(name)}: ${issue?.message ?? "it is wrong"}`,
  );
}

function noStack({ folder, targets }: WorkspaceOptions, { services }: StackChoice): UsageError {
  const flag = services !== undefined ? "--services" : "--include-volumes and --include-images";
  return new UsageError(
    `${flag} ${services !== undefined ? "is" : "are"} about a stack of containers, and none is here`,
    {
      hint: targets.length === 0
        ? `There is no compose file in ${folder}.`
        : `The targets are ${
          targets.map(({ name }) => name).join(", ")
        }; none of them is of the type container.`,
    },
  );
}
