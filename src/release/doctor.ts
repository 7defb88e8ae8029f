/** `doctor`: looks at everything that a rollback will need, before it is needed. */
import { verifyAudit } from "#/release/audit_verify.ts";
import { notificationChecks } from "#/release/notifications.ts";
import { openScope, type Scope } from "#/release/scope.ts";
import { messageOf, RollbackError } from "#/core/errors.ts";
import { readJournal, unfinishedIds } from "#/operation/journal.ts";
import { listBackupNames, loadManifest } from "#/repository/backup_folder.ts";
import { INDEX_KEY, indexProblems, type LoadedIndex, loadIndex } from "#/repository/index_file.ts";
import type { RepositoryIndex } from "#/repository/index_format.ts";
import type { RepositoryOptions } from "#/repository/options.ts";
import { mapLimited, READS_AT_ONCE } from "#/storage/limit.ts";
import type { DoctorCheck, DoctorResult } from "#/repository/views.ts";

const LOW_SPACE = 64 * 1024 * 1024;

/** Runs all checks; what is wrong is listed, with what to do. */
export async function repositoryDoctor(options: RepositoryOptions): Promise<DoctorResult> {
  const scope = await openScope(options);
  const loaded = await tryLoad(scope);
  const checks = [
    loaded.check,
    ...loaded.index === undefined ? [] : indexChecks(loaded.index),
    ...permissionChecks(scope),
    await lockCheck(scope),
    ...await unfinishedChecks(scope),
    spaceCheck(scope),
    ...loaded.index === undefined ? [] : await backupChecks(scope, loaded.index),
    ...loaded.index === undefined ? [] : [await auditCheck(options)],
    await preconditionCheck(scope),
    ...notificationChecks(scope, options),
  ];
  return { repository: scope.store.location, checks, context: { repository_type: scope.store.type } };
}

function check(
  id: string,
  outcome: DoctorCheck["outcome"],
  detail: string,
  hint: string | null = null,
): DoctorCheck {
  return { id, outcome, detail, hint };
}

function counted(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

async function tryLoad(
  scope: Scope,
): Promise<{ readonly check: DoctorCheck; readonly index: RepositoryIndex | undefined }> {
  let loaded: LoadedIndex;
  try {
    loaded = await loadIndex(scope.store);
  } catch (error) {
    if (!(error instanceof RollbackError)) throw error;
    return { check: check("index", "problem", error.message, error.hint ?? null), index: undefined };
  }
  if (loaded.tag === null) {
    const hint = "Check --repository. `backout release publish` makes a new repository.";
    return { check: check("index", "problem", "there is no index.json", hint), index: undefined };
  }
  const { index } = loaded;
  const detail = `${counted(index.releases.length, "release")}, serial ${index.serial ?? 0}`;
  return { check: check("index", "ok", detail), index };
}

function indexChecks(index: RepositoryIndex): readonly DoctorCheck[] {
  const problems = indexProblems(index);
  if (problems.length === 0) return [check("index-consistent", "ok", "the index does not contradict itself")];
  return problems.map((problem) =>
    check("index-consistent", "problem", problem, "Mend the entry in index.json.")
  );
}

function permissionChecks(scope: Scope): readonly DoctorCheck[] {
  const problems = [INDEX_KEY, ".backout/operations", ".rollback-backups"]
    .flatMap((key) => scope.store.writeProblem(key) ?? []);
  if (problems.length === 0) {
    return [check("permissions", "ok", "this user may write what a rollback writes")];
  }
  return [...new Set(problems)].map((problem) =>
    check("permissions", "problem", problem, "Run backout as the owner of the repository.")
  );
}

async function lockCheck(scope: Scope): Promise<DoctorCheck> {
  try {
    return await heldLockCheck(scope);
  } catch (error) {
    if (!(error instanceof RollbackError)) throw error;
    return check(
      "lock",
      "problem",
      error.message,
      error.hint ?? "Look at .backout/lock in the state folder.",
    );
  }
}

async function heldLockCheck(scope: Scope): Promise<DoctorCheck> {
  const held = await scope.lock.inspect();
  if (held === undefined) return check("lock", "ok", "nobody holds the lock");
  const { by, host, pid, since, operation } = held.holder;
  const who = `${by}@${host} (process ${pid}) holds it since ${since}: ${operation}`;
  if (held.state === "alive") return check("lock", "ok", who);
  if (held.state === "dead") {
    return check(
      "lock",
      "warning",
      `${who}; that process is gone`,
      "The next change takes it over by itself.",
    );
  }
  return check(
    "lock",
    "warning",
    `${who}; whether it still runs cannot be told from here`,
    "If it does not, run `backout unlock`.",
  );
}

async function unfinishedChecks(scope: Scope): Promise<readonly DoctorCheck[]> {
  const ids = await unfinishedIds(scope.store);
  if (ids.length === 0) return [check("unfinished", "ok", "no operation is unfinished")];
  const checks: DoctorCheck[] = [];
  for (const id of ids) {
    try {
      const journal = await readJournal(scope.store, id);
      const what = journal?.title ?? "an operation that had not begun";
      checks.push(
        check(
          "unfinished",
          "warning",
          `${what} (${id}) is unfinished or under way`,
          "Run `backout recover`.",
        ),
      );
    } catch (error) {
      checks.push(check("unfinished", "problem", messageOf(error), "It needs a person."));
    }
  }
  return checks;
}

function spaceCheck(scope: Scope): DoctorCheck {
  const free = scope.store.freeBytes();
  if (free === null) return check("space", "ok", "the storage has no limit that can be read");
  const mib = Math.floor(free / 1024 / 1024);
  const amount = mib < 1024 ? `${mib} MiB` : `${(mib / 1024).toFixed(1)} GiB`;
  if (free >= LOW_SPACE) return check("space", "ok", `${amount} free`);
  return check(
    "space",
    "warning",
    `${amount} free: a rollback still works, a restore may not`,
    "Make room.",
  );
}

async function backupChecks(scope: Scope, index: RepositoryIndex): Promise<readonly DoctorCheck[]> {
  const names = new Set(await listBackupNames(scope.store));
  const needed = [
    ...(index.rolled_back ?? []).flatMap((stone) =>
      (stone.backups ?? []).map((name) => [stone.version, name] as const)
    ),
    ...index.releases.flatMap((entry) => (entry.backups ?? []).map((name) => [entry.version, name] as const)),
  ];
  const missing = needed.filter(([, name]) => !names.has(name));
  const damaged: DoctorCheck[] = [];
  const present = needed.filter(([, wanted]) => names.has(wanted));
  await mapLimited(present, READS_AT_ONCE, async ([version, name]) => {
    try {
      await loadManifest(scope.store, name);
    } catch (error) {
      damaged.push(
        check("backups", "problem", `${version}: ${messageOf(error)}`, "See `backout backup verify`."),
      );
    }
  });
  if (missing.length === 0 && damaged.length === 0) {
    return [
      check(
        "backups",
        "ok",
        `${counted(names.size, "backup")}; every rolled back version has those that it needs`,
      ),
    ];
  }
  return [
    ...missing.map(([version, name]) =>
      check(
        "backups",
        "problem",
        `the backup ${name} of ${version} is gone`,
        `${version} cannot be restored.`,
      )
    ),
    ...damaged,
  ];
}

async function auditCheck(options: RepositoryOptions): Promise<DoctorCheck> {
  const { entries, signed, problems } = await verifyAudit(options);
  if (problems.length === 0) {
    return check("audit", "ok", `${entries} entries, ${signed} signed; the chain is whole`);
  }
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : "";
  return check("audit", "problem", `${problems[0]}${more}`, "See `backout audit verify`.");
}

async function preconditionCheck({ store, allowUnsafeStorage }: Scope): Promise<DoctorCheck> {
  const id = "preconditions";
  try {
    const honoured = await store.probeConditions();
    if (honoured === true) return check(id, "ok", "the storage honours the conditions of writes");
    if (honoured === null) {
      const detail =
        "a foreign writer is noticed by comparing bytes, but not kept out; the lock keeps backout's own apart";
      return check(id, "ok", detail);
    }
    return check(
      id,
      allowUnsafeStorage ? "warning" : "problem",
      "the storage ignores the conditions of writes: two writers would overwrite each other",
      "Use a server that has conditional writes, or, when nobody else writes, --allow-unsafe-storage.",
    );
  } catch (error) {
    if (!(error instanceof RollbackError)) throw error;
    return check(id, "problem", `could not be tried: ${error.message}`, error.hint ?? null);
  }
}
