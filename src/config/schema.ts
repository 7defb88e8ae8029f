/** The schema of `backout.yaml`. Strict: a key that nobody reads is a mistake. */
import { z } from "zod";
import { aroundSchemas } from "#/config/around.ts";
import { policySchema } from "#/config/policy_schema.ts";
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

const retentionSchema = z.strictObject({
  keep_last: amount("This many of the newest backups; size limits do not go below it.").optional(),
  keep_hourly: amount("The newest backup of each of this many hours that have any (UTC).").optional(),
  keep_daily: amount("The newest of each of this many days.").optional(),
  keep_weekly: amount("The newest of each of this many weeks, from Monday on.").optional(),
  keep_monthly: amount("The newest of each of this many months.").optional(),
  keep_yearly: amount("The newest of each of this many years.").optional(),
  keep_within: duration("Every backup that is younger than this, e.g. 90d.").optional(),
  max_size: size("What all backups may take together, e.g. 20GiB; the oldest go first.").optional(),
  min_free: size("What must be free on the disk of the backups; the oldest go first.").optional(),
  history: z.strictObject({
    keep_last: amount("This many of the newest records in the history, at least 50.").optional(),
    keep_within: duration("Every record that is younger than this, e.g. 400d.").optional(),
  }).describe("How much of the history to keep; all of it where this is not set.").optional(),
}).describe("What `backout retention apply` keeps: a backup goes when no keep rule keeps it.");

export const configSchemaDefinition = z.strictObject({
  version: z.literal(1).describe("The version of this file's format."),
  repository: location(
    "Where releases live: a folder (relative to this file) or s3://bucket/prefix, gs://bucket/prefix.",
  ).optional(),
  state_dir: location(
    "Folder for .backout and .rollback-backups instead of the repository itself, relative to this file.",
  ).optional(),
  storage: z.strictObject({
    jobs: z.int().min(1).max(256).describe("Requests to object storage in flight at the same time (16).")
      .optional(),
    lease: duration(
      "How long a writer on object storage may be silent before another may take over (60s).",
    ).optional(),
    allow_unsafe: z.boolean().describe(
      "Write to object storage that ignores the conditions of writes: a second writer is not kept out there.",
    ).optional(),
  }).describe("How to work with object storage.").optional(),
  policy: policySchema.optional(),
  retention: retentionSchema.optional(),
  audit: z.strictObject({
    sign: z.boolean().describe("Sign every audit entry.").optional(),
    signing_key: location("Private key (PEM file, Ed25519 or RSA), relative to this file.").optional(),
  }).describe("The audit log.").optional(),
  ...aroundSchemas,
  trusted_keys: z.array(location("A file with public keys (PEM), relative to this file.")).describe(
    "Releases whose record one of these keys signed may bring hooks of their own.",
  ).optional(),
  metrics_file: location(
    "Where changing commands and `status` write their numbers for Prometheus, relative to this file.",
  ).optional(),
});

export type ParsedConfig = z.output<typeof configSchemaDefinition>;

/** The JSON Schema of `backout.yaml` (draft 2020-12). */
export function jsonSchema(): Record<string, unknown> {
  return { title: "backout.yaml", ...z.toJSONSchema(configSchemaDefinition) };
}

/** The keys that may stand at `path` in the file; empty where none can. */
export function knownKeys(path: readonly PropertyKey[]): readonly string[] {
  let current: unknown = configSchemaDefinition;
  for (const key of path) {
    current = shapeOf(current)?.[String(key)];
  }
  return Object.keys(shapeOf(current) ?? {});
}

function shapeOf(schema: unknown): Record<string, unknown> | undefined {
  if (schema instanceof z.ZodOptional) return shapeOf(schema.unwrap());
  return schema instanceof z.ZodObject ? schema.shape : undefined;
}
