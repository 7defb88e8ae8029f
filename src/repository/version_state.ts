/** The states of a version, and what each kind of rollback makes of them. */
import type { ReleaseEntry, RepositoryIndex, Tombstone } from "#/repository/index_format.ts";
import type { VersionState } from "#/repository/views.ts";
import type { RollbackType } from "#/report/model.ts";

/** What a rollback makes of a version, or why it refuses. */
export type RollbackResult = "removed" | "emptied" | "hidden" | "not_found" | "already";

const IN_PLACE = { full: "removed", artifacts_only: "emptied", index_only: "hidden" } as const;

const ROLLBACK_TABLE: Readonly<Record<VersionState, Readonly<Record<RollbackType, RollbackResult>>>> = {
  absent: { full: "not_found", artifacts_only: "not_found", index_only: "not_found" },
  active: IN_PLACE,
  yanked: IN_PLACE,
  bad: IN_PLACE,
  partial: IN_PLACE,
  emptied: { full: "removed", artifacts_only: "already", index_only: "removed" },
  hidden: { full: "removed", artifacts_only: "removed", index_only: "already" },
  removed: { full: "already", artifacts_only: "already", index_only: "already" },
};

export function rollbackResult(state: VersionState, type: RollbackType): RollbackResult {
  return ROLLBACK_TABLE[state][type];
}

export function findEntry(index: RepositoryIndex, version: string): ReleaseEntry | undefined {
  return index.releases.find((entry) => entry.version === version);
}

export function findTombstone(index: RepositoryIndex, version: string): Tombstone | undefined {
  return index.rolled_back?.find((tombstone) => tombstone.version === version);
}

/** The state of a version, from the index alone. */
export function stateOf(index: RepositoryIndex, version: string): VersionState {
  const entry = findEntry(index, version);
  if (entry !== undefined) return stateOfEntry(entry);
  return findTombstone(index, version)?.state ?? "absent";
}

export function stateOfEntry(entry: ReleaseEntry): Exclude<VersionState, "absent" | "hidden" | "removed"> {
  const known = ["partial", "emptied", "yanked", "bad"] as const;
  return known.find((status) => status === entry.status) ?? "active";
}

/** The status an entry has by its own fields, when all of its artifacts are published. */
export function statusByMarks(entry: Pick<ReleaseEntry, "yanked" | "mark">): "active" | "yanked" | "bad" {
  if (entry.yanked !== undefined) return "yanked";
  return entry.mark?.verdict === "bad" ? "bad" : "active";
}

/** The backups of a version so far, oldest first. */
export function backupsSoFar(index: RepositoryIndex, version: string): readonly string[] {
  // A hidden release's tombstone names all of its backups, the entry that it kept only those from before.
  const known = findEntry(index, version) ?? findTombstone(index, version);
  return known?.backups ?? [];
}

/** Artifacts of an entry that are still published. */
export function publishedArtifacts(entry: ReleaseEntry): readonly string[] {
  const removed = new Set(entry.removed_artifacts ?? []);
  return [...new Set(entry.artifacts)].filter((path) => !removed.has(path));
}

/** Releases outside `leaving` that need one of them: dependent → the versions it needs. */
export function dependentsOf(
  index: RepositoryIndex,
  leaving: readonly string[],
): readonly { readonly version: string; readonly needs: readonly string[] }[] {
  const gone = new Set(leaving);
  return index.releases
    .filter((entry) => !gone.has(entry.version))
    .map((entry) => ({
      version: entry.version,
      needs: (entry.depends_on ?? []).filter((need) => gone.has(need)),
    }))
    .filter((dependent) => dependent.needs.length > 0);
}

/** Names of the channels that point at a version. */
export function channelsOf(index: RepositoryIndex, version: string): readonly string[] {
  return Object.entries(index.channels ?? {})
    .filter(([, channel]) => channel.version === version)
    .map(([name]) => name);
}
