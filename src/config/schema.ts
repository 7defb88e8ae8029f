/** The schema of `backout.yaml`. Strict: a key that nobody reads is a mistake. */
import { z } from "zod";

const location = (description: string) => z.string().min(1).describe(description);

export const configSchemaDefinition = z.strictObject({
  version: z.literal(1).describe("The version of this file's format."),
  repository: location(
    "Where releases live: a folder (relative to this file) or s3://bucket/prefix, gs://bucket/prefix.",
  ).optional(),
  state_dir: location(
    "Folder for .backout and .rollback-backups instead of the repository itself, relative to this file.",
  ).optional(),
  policy: z.strictObject({
    mode: z.enum(["strict", "lenient"]).describe("lenient turns policy denials into warnings.").optional(),
  }).describe("What may be rolled back.").optional(),
  audit: z.strictObject({
    sign: z.boolean().describe("Sign every audit entry.").optional(),
    signing_key: location("Private key (PEM file, Ed25519 or RSA), relative to this file.").optional(),
  }).describe("The audit log.").optional(),
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
