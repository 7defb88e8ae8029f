/** Repositories whose rollbacks happened on given days, made through the library. */
import assert from "node:assert/strict";
import { publishRelease, rollbackRelease } from "#/mod.ts";
import type { OperationReport } from "#/report/model.ts";
import type { RetainedBackup } from "#/repository/views.ts";
import { withTempDir } from "./temp.ts";
import { type TestRepository, testRepository } from "./repository.ts";

export interface DatedRepository extends TestRepository {
  /** Publishes a version and rolls it back, at these times. @returns the backup's name */
  readonly rolledBack: (version: string, at: string, options?: RolledBackOptions) => Promise<string>;
  /** The backup folders that are there, sorted. */
  readonly backups: () => readonly string[];
}

export interface RolledBackOptions {
  /** Of its app.txt. @default 10 */
  readonly bytes?: number;
  readonly artifacts?: readonly string[];
}

/** A repository with one release, v0.9.0, published on 2026-01-01. */
export async function datedRepository(cwd: string): Promise<DatedRepository> {
  const repository = testRepository(cwd);
  const { path } = repository;
  await publish(repository, "v0.9.0", "2026-01-01T00:00:00Z", 10);
  return {
    ...repository,
    rolledBack: async (version, at, { bytes = 10, artifacts } = {}) => {
      await publish(repository, version, at, bytes);
      const report = await rollbackRelease({
        ...at_(at, 1),
        repository: path,
        version,
        reason: "test",
        ...(artifacts === undefined ? {} : { artifacts }),
      });
      done(report);
      return report.backup[0]!.id;
    },
    backups: () => namesIn(`${path}/.rollback-backups`),
  };
}

async function publish({ path, cwd }: TestRepository, version: string, at: string, bytes: number) {
  const directory = `${cwd}/source-${version}`;
  Deno.mkdirSync(directory, { recursive: true });
  Deno.writeTextFileSync(`${directory}/app.txt`, "x".repeat(bytes));
  Deno.writeTextFileSync(`${directory}/note.txt`, "");
  done(await publishRelease({ ...at_(at, 0), repository: path, version, directory }));
}

function at_(at: string, seconds: number): { readonly now: () => Date } {
  return { now: () => new Date(Date.parse(at) + seconds * 1000) };
}

export function done(report: OperationReport): void {
  assert.equal(report.exit_code, 0, report.summary);
}

export function namesIn(folder: string): readonly string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** Runs a test on a repository of its own. */
export async function withDated(body: (repository: DatedRepository) => Promise<void>): Promise<void> {
  await withTempDir(async (cwd) => await body(await datedRepository(cwd)));
}

/** Three rollbacks, a month apart. @returns their backups, oldest first */
export async function threeRollbacks(repository: DatedRepository): Promise<readonly string[]> {
  return [
    await repository.rolledBack("v1.0.0", "2026-02-01T10:00:00Z"),
    await repository.rolledBack("v1.0.1", "2026-03-01T10:00:00Z"),
    await repository.rolledBack("v1.0.2", "2026-04-01T10:00:00Z"),
  ];
}

/** What a `retention plan` says of each version: the action, then the reasons. */
export function actions(
  view: { readonly backups: readonly RetainedBackup[] },
): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(
    view.backups.map(({ version, action, reasons }) => [version, [action, ...reasons]]),
  );
}
