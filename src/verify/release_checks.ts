/** After an operation on a repository: looks at the world again and compares it with what was promised. */
import type { Journal } from "#/operation/journal.ts";
import { BACKUPS_PREFIX } from "#/repository/backup_folder.ts";
import { changesHold } from "#/repository/index_change.ts";
import { loadIndex } from "#/repository/index_file.ts";
import type { VerificationResult } from "#/report/model.ts";
import { changesOf, count } from "#/step/repository_step.ts";
import type { ObjectReader } from "#/storage/object_store.ts";

export async function verifyOutcome(
  store: ObjectReader,
  journal: Journal,
): Promise<readonly VerificationResult[]> {
  return [
    await checkIndex(store, journal),
    ...await checkMoved(store, journal),
    ...await checkAdded(store, journal),
    ...await checkDeleted(store, journal),
  ];
}

async function checkIndex(store: ObjectReader, journal: Journal): Promise<VerificationResult> {
  const { index } = await loadIndex(store);
  const passed = changesHold(index, changesOf(journal.steps));
  const detail = passed
    ? `serial ${index.serial ?? 0} says what was planned`
    : "index.json is not as planned";
  return { check: "index", passed, detail };
}

async function checkMoved(store: ObjectReader, journal: Journal): Promise<readonly VerificationResult[]> {
  const { moves } = journal;
  if (moves.length === 0) return [];
  const left = await store.statMany(moves.map((move) => move.from));
  const still = moves.filter((_, i) => left[i] !== undefined);
  const gone: VerificationResult = {
    check: "artifacts_gone",
    passed: still.length === 0,
    detail: still.length === 0
      ? `${moves.length} artifacts are out of the published tree`
      : `still published: ${still.slice(0, 5).map((move) => move.from).join(", ")}`,
  };
  const kept = moves.filter((move) => move.to.startsWith(".rollback-backups/"));
  if (kept.length === 0) return [gone];
  const saved = await store.statMany(kept.map((move) => move.to));
  const missing = kept.filter((move, i) => saved[i]?.kind !== "file" || saved[i].size !== move.expected.size);
  return [gone, {
    check: "backup_complete",
    passed: missing.length === 0,
    detail: missing.length === 0
      ? `${kept.length} artifacts are in the backup with the right size`
      : `not in the backup as expected: ${missing.slice(0, 5).map((move) => move.from).join(", ")}`,
  }];
}

async function checkAdded(store: ObjectReader, journal: Journal): Promise<readonly VerificationResult[]> {
  const { added } = journal;
  if (added.length === 0) return [];
  const stats = await store.statMany(added.map((file) => file.path));
  const missing = added.filter((file, i) => stats[i]?.kind !== "file" || stats[i].size !== file.size);
  return [{
    check: "artifacts_present",
    passed: missing.length === 0,
    detail: missing.length === 0
      ? `${added.length} artifacts are in place with the right size`
      : `not in place as expected: ${missing.slice(0, 5).map((file) => file.path).join(", ")}`,
  }];
}

async function checkDeleted(store: ObjectReader, journal: Journal): Promise<readonly VerificationResult[]> {
  const deleted = journal.steps.flatMap((step) => step.kind === "delete_backup" ? [step.backup] : []);
  if (deleted.length === 0) return [];
  const names = new Set(await store.listNames(BACKUPS_PREFIX));
  const still = deleted.filter((backup) => names.has(backup));
  return [{
    check: "backups_gone",
    passed: still.length === 0,
    detail: still.length === 0
      ? deleted.length === 1 ? "the backup is gone" : `${count(deleted.length, "backup")} are gone`
      : `still there: ${still.slice(0, 5).join(", ")}${
        still.length > 5 ? ` and ${still.length - 5} more` : ""
      }`,
  }];
}
