/** `backout.yaml`: loading, checking, schema, a first file. */
export * from "#/config/commands.ts";
export * from "#/config/load.ts";
