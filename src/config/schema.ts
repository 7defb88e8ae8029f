/** The schema of `backout.yaml`. Strict: a key that nobody reads is a mistake. */
import * as z from "zod";
import { aroundSchemas } from "#/config/around.ts";
import { policySchema } from "#/config/policy_schema.ts";
import { block } from "#/config/program_words.ts";
import { SECRET_ENV_NAME } from "#/core/notify_target.ts";
import { DURATION_HINT, durationMs, SIZE_HINT, sizeBytes } from "#/core/quantity.ts";

const location = (description: string) => z.string().min(1).describe(description);

const duration = (description: string) =>
  z.string().refine((text) => durationMs(text) !== undefined, {
    error: `is not a duration. ${DURATION_HINT}`,
  })
    .describe(description);

const size = (description: string) =>
  z.string().refine((text) => sizeBytes(text) !== undefined, { error: `is not a size. ${SIZE_HINT}` })
    .describe(description);

const amount = (description: string) => z.int().min(0).describe(description);

const keepRules = (what: string) => ({
  keep_last: amount(`This many of the newest ${what}; size limits do not go below it.`).optional(),
  keep_hourly: amount(`The newest of each of this many hours that have any (UTC).`).optional(),
  keep_daily: amount("The newest of each of this many days.").optional(),
  keep_weekly: amount("The newest of each of this many weeks, from Monday on.").optional(),
  keep_monthly: amount("The newest of each of this many months.").optional(),
  keep_yearly: amount("The newest of each of this many years.").optional(),
  keep_within: duration("Everything that is younger than this, e.g. 90d.").optional(),
});

const sizeRules = (what: string) => ({
  max_size: size(`What all ${what} may take together, e.g. 20GiB; the oldest go first.`).optional(),
  min_free: size(`What must be free on the disk of the ${what}; the oldest go first.`).optional(),
});

const historyRules = block(() =>
  z.strictObject({
    keep_last: amount("This many of the newest records in the history, at least 50.").optional(),
    keep_within: duration("Every record that is younger than this, e.g. 400d.").optional(),
  }).describe("How much of the history to keep; all of it where this is not set.")
);

const retention = block(() =>
  z.strictObject({
    ...keepRules("backups"),
    ...sizeRules("backups"),
    history: historyRules,
  }).describe("What `backout retention apply` keeps: a backup goes when no keep rule keeps it.")
);

const snapshotClass = (description: string) =>
  block(() => z.strictObject(keepRules("of them")).describe(`${description} They are counted apart.`));

const snapshots = block(() =>
  z.strictObject({
    retention: block(() =>
      z.strictObject({
        ...keepRules("rollback points"),
        ...sizeRules("rollback points"),
        safety: snapshotClass("For those that restores made of the state before them."),
        guard: snapshotClass("For those that `backout guard` made."),
        with_volumes: snapshotClass("For those that hold the volumes of containers."),
        stacks: snapshotClass(
          "For those that hold a stack of containers (keep_last: 10 where no retention is set).",
        ),
        history: historyRules,
      }).describe("Which rollback points are kept: one goes when no keep rule keeps it.")
    ),
    timeout: duration("How long one target may take that says nothing of its own, e.g. 30m.").optional(),
  }).describe("How rollback points are made and kept.")
);

const store = block(() =>
  z.union([
    location("Where rollback points are kept: a folder (relative to this file), s3://… or gs://…."),
    z.strictObject({
      location: location("A folder (relative to this file), s3://… or gs://… (.backout/store).").optional(),
      fallback: location("A folder that is written where the location cannot be reached.").optional(),
      encryption: z.strictObject({
        key_file: location("File with the key, relative to this file.").optional(),
        passphrase_env: z.string().regex(SECRET_ENV_NAME, {
          error: "must be the name of an environment variable that begins with BACKOUT_",
        }).describe("The environment variable with the passphrase: BACKOUT_…").optional(),
        passphrase_file: location("File with the passphrase, relative to this file.").optional(),
      }).refine((given) => Object.values(given).filter((it) => it !== undefined).length === 1, {
        error: "needs one of key_file, passphrase_env and passphrase_file",
      }).describe("How the store is encrypted: one of the three; nothing is encrypted without it.")
        .optional(),
      level: z.int().min(1).max(19).describe("Level of the compression (1).").optional(),
    }),
  ])
);

const storage = block(() =>
  z.strictObject({
    jobs: z.int().min(1).max(256).describe("Requests to object storage in flight at the same time (16).")
      .optional(),
    lease: duration(
      "How long a writer on object storage may be silent before another may take over (60s).",
    ).optional(),
    allow_unsafe: z.boolean().describe(
      "Write to object storage that ignores the conditions of writes: a second writer is not kept out there.",
    ).optional(),
  }).describe("How to work with object storage.")
);

const audit = block(() =>
  z.strictObject({
    sign: z.boolean().describe("Sign every audit entry.").optional(),
    signing_key: location("Private key (PEM file, Ed25519 or RSA), relative to this file.").optional(),
  }).describe("The audit log.")
);

export const configSchemaDefinition = z.strictObject({
  version: z.literal(1).describe("The version of this file's format."),
  repository: location(
    "Where releases live: a folder (relative to this file) or s3://bucket/prefix, gs://bucket/prefix.",
  ).optional(),
  state_dir: location(
    "Folder for .backout and .rollback-backups instead of the repository itself, relative to this file.",
  ).optional(),
  storage,
  policy: policySchema,
  retention,
  audit,
  ...aroundSchemas,
  trusted_keys: z.array(location("A file with public keys (PEM), relative to this file.")).describe(
    "Releases whose record one of these keys signed may bring hooks of their own.",
  ).optional(),
  store,
  snapshots,
  targets: z.unknown().optional(),
  checks: z.unknown().optional(),
  metrics_file: location(
    "Where changing commands and `status` write their numbers for Prometheus, relative to this file.",
  ).optional(),
});

export type ParsedConfig = z.output<typeof configSchemaDefinition>;

/** The JSON Schema of `backout.yaml` (draft 2020-12), with all kinds of targets and checks. */
export async function jsonSchema(): Promise<Record<string, unknown>> {
  const { properties, ...schema } = z.toJSONSchema(configSchemaDefinition, { io: "input" });
  const { checksJsonSchema } = await import("#/config/checks.ts");
  const { targetsJsonSchema } = await import("#/config/targets.ts");
  return {
    title: "backout.yaml",
    ...schema,
    properties: { ...properties, targets: await targetsJsonSchema(), checks: await checksJsonSchema() },
  };
}
