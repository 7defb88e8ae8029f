/** The operations that the sweeps over object storage stop at every request, and the repository they start from. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { CliServer } from "../support/cli_server.ts";
import { readTree } from "../support/tree.ts";
import { type TarsRelease, writeTarsRepository } from "../support/tars.ts";
import type { StoredObject } from "./bucket_objects.ts";
import type { SweepWorld } from "./bucket_world.ts";

export interface BucketOperation {
  readonly name: string;
  /** Brings the three releases into the state that the operation starts from. */
  readonly prepare: readonly (readonly string[])[];
  /** The command, after `-r REPOSITORY`; `{new}` stands for a folder with a release that is not published yet. */
  readonly argv: readonly string[];
  /** The user gave up the artifacts of these versions. */
  readonly gives_up: readonly string[];
  /** Kills are tried at every request, not only where the bucket is changed. */
  readonly everywhere: boolean;
}

const REASON = ["--reason", "sweep"];
const ROLLBACK = ["release", "rollback", "v1.0.2", ...REASON];

export const BUCKET_OPERATIONS: readonly BucketOperation[] = [
  { name: "rollback-full", argv: ROLLBACK, prepare: [], gives_up: [], everywhere: true },
  {
    name: "publish",
    argv: ["release", "publish", "v1.0.3", "{new}", "--channel", "stable"],
    ...{ prepare: [], gives_up: [], everywhere: false },
  },
  {
    name: "restore",
    argv: ["release", "restore", "v1.0.2"],
    ...{ prepare: [ROLLBACK], gives_up: [], everywhere: false },
  },
  {
    name: "rollback-no-backup",
    argv: [...ROLLBACK, "--no-backup"],
    ...{ prepare: [], gives_up: ["v1.0.2"], everywhere: false },
  },
  {
    name: "rollback-artifacts-only",
    argv: [...ROLLBACK, "--type", "artifacts_only"],
    ...{ prepare: [], gives_up: [], everywhere: false },
  },
  {
    name: "rollback-to",
    argv: ["release", "rollback", "--to", "v1.0.0", "--yes", ...REASON],
    ...{ prepare: [], gives_up: [], everywhere: false },
  },
  {
    name: "backup-delete",
    argv: ["backup", "delete", "v1.0.2", "--yes"],
    ...{ prepare: [ROLLBACK], gives_up: ["v1.0.2"], everywhere: false },
  },
];

/** Everything in a repository, by key. */
export type Template = ReadonlyMap<string, Omit<StoredObject, "tag">>;

const OLD_RELEASES: readonly TarsRelease[] = ["v1.0.0", "v1.0.1"].map((version) => ({
  version,
  timestamp: `2026-01-01T10:00:0${version.at(-1)}.000000+00:00`,
  files: { "app.txt": `app ${version}\n` },
  elsewhere: { [`shared/${version}.txt`]: `only ${version}\n`, "shared/both.txt": "both\n" },
}));

let templates = 0;

/**
 * Two releases that another publisher wrote (with what it said of them), and one published by us with a channel.
 * @param bucket where it is made once
 */
export async function makeTemplate(
  world: SweepWorld,
  operation: BucketOperation,
  bucket: string,
): Promise<Template> {
  const prefix = `template-${operation.name}-${++templates}/`;
  const folder = join(world.folder, prefix);
  writeTarsRepository(join(folder, "old"), { releases: OLD_RELEASES });
  for (const [path, what] of Object.entries(readTree(join(folder, "old")))) {
    if (!what.startsWith("file")) continue;
    const bytes = Deno.readFileSync(join(folder, "old", path));
    await world.objects.write(bucket, prefix + path, {
      bytes,
      contentType: path.endsWith(".txt") ? "text/x-sweep" : "application/json",
      metadata: path.endsWith(".txt") ? { team: "sweep" } : {},
    });
  }
  const run = commandsOn(world.direct, `${locationOf(world, bucket)}/${prefix}`, world.otherFolder);
  writeRelease(join(folder, "v1.0.2"), "v1.0.2");
  // A channel goes back to what it named before, so it has to have named all three.
  await run(["channel", "set", "stable", "v1.0.0"]);
  await run(["channel", "set", "stable", "v1.0.1"]);
  await run(["release", "publish", "v1.0.2", join(folder, "v1.0.2"), "--channel", "stable"]);
  for (const argv of operation.prepare) await run(argv);
  return await readObjects(world, bucket, prefix);
}

/** A folder with the release that `publish` publishes. */
export function newRelease(world: SweepWorld): string {
  const folder = join(world.folder, "new-release");
  writeRelease(folder, "v1.0.3");
  return folder;
}

/** `s3://BUCKET` */
export function locationOf(world: SweepWorld, bucket: string): string {
  return `${world.service}://${bucket}`;
}

/** Everything below a prefix. */
export async function readObjects(
  world: SweepWorld,
  bucket: string,
  prefix: string,
): Promise<Map<string, StoredObject>> {
  const keys = [...(await world.objects.list(bucket, prefix)).keys()];
  const objects = await Promise.all(keys.map((key) => world.objects.read(bucket, prefix + key)));
  return new Map(keys.flatMap((key, i) => objects[i] === undefined ? [] : [[key, objects[i]] as const]));
}

function commandsOn(server: CliServer, repository: string, cwd: string) {
  return async (argv: readonly string[]) => {
    const { code, stdout, stderr } = await server.run([...argv, "-r", repository, "--json"], { cwd });
    assert.equal(code, 0, `setting up with ${argv.join(" ")}: ${stdout}${stderr}`);
  };
}

function writeRelease(folder: string, version: string): void {
  Deno.mkdirSync(`${folder}/bin`, { recursive: true });
  Deno.writeTextFileSync(`${folder}/README.md`, `# ${version}\n`);
  Deno.writeTextFileSync(`${folder}/bin/app`, `#!/bin/sh\necho ${version}\n`, { mode: 0o755 });
}
