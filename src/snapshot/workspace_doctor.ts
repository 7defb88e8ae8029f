/** `doctor` for a workspace: looks at everything that a restore will need, before it is needed. */
import { delimiter, isAbsolute, join } from "node:path";
import { messageOf, RollbackError } from "#/core/errors.ts";
import { count } from "#/report/units.ts";
import type { DoctorCheck } from "#/repository/views.ts";
import { loadDriver } from "./bind_target.ts";
import { describeKilled } from "./guard_note.ts";
import type { WorkspaceOptions } from "./options.ts";
import { inWorkspace, type Workspace } from "./workspace.ts";
import { workspaceStatus } from "./workspace_status.ts";

/** Runs all checks; what is wrong is listed, with what to do. Changes nothing. */
export async function workspaceDoctor(options: WorkspaceOptions): Promise<readonly DoctorCheck[]> {
  return [
    ...await programChecks(options),
    ...await tried("snapshots", () => inWorkspace(options, storeChecks)),
    ...await tried("workspace", () => stateChecks(options)),
  ];
}

async function tried(
  id: string,
  look: () => Promise<readonly DoctorCheck[]>,
): Promise<readonly DoctorCheck[]> {
  try {
    return await look();
  } catch (error) {
    const hint = error instanceof RollbackError ? error.hint ?? null : null;
    return [{ id, outcome: "problem", detail: messageOf(error), hint }];
  }
}

/** Programs that a restore would miss. */
async function programChecks(options: WorkspaceOptions): Promise<readonly DoctorCheck[]> {
  const missing: DoctorCheck[] = [];
  const found = new Set<string>();
  for (const target of options.targets) {
    const driver = await loadDriver(options, target.type);
    for (const { program, package: from } of driver.programs(target.config)) {
      if (isThere(program, options)) found.add(program);
      else {
        missing.push({
          id: "programs",
          outcome: "problem",
          detail: `${target.name} needs ${program}, which is not there`,
          hint: from === "" ? "Install it, or correct its path." : `Install it: apt install ${from}`,
        });
      }
    }
  }
  if (missing.length > 0) return missing;
  if (found.size === 0) return [];
  return [{ id: "programs", outcome: "ok", detail: `${[...found].join(", ")} are there`, hint: null }];
}

function isThere(program: string, { env, folder }: WorkspaceOptions): boolean {
  if (program.includes("/")) return isFile(isAbsolute(program) ? program : join(folder, program));
  return (env("PATH") ?? "").split(delimiter).some((place) => place !== "" && isFile(join(place, program)));
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

async function storeChecks(workspace: Workspace): Promise<readonly DoctorCheck[]> {
  const store = await workspace.store();
  const { snapshots, damaged } = await store.listSnapshots();
  if (damaged.length > 0) {
    return [{
      id: "snapshots",
      outcome: "problem",
      detail: `${count(damaged.length, "snapshot")} of ${store.location} cannot be read: ${
        damaged.join(", ")
      }`,
      hint: "See `backout snapshot verify`.",
    }];
  }
  const detail = `${count(snapshots.length, "snapshot")} in ${store.location}`;
  return [{ id: "snapshots", outcome: "ok", detail, hint: null }];
}

async function stateChecks(options: WorkspaceOptions): Promise<readonly DoctorCheck[]> {
  const { lock, waiting, unfinished, killed_guards } = await workspaceStatus(options);
  const found: DoctorCheck[] = [];
  if (waiting !== null) {
    found.push({
      id: "confirmation",
      outcome: "warning",
      detail: `the restore of ${waiting.snapshot} waits for a confirmation until ${waiting.until}`,
      hint: "Run `backout confirm` to let it stand.",
    });
  }
  for (const { id, operation } of unfinished) {
    const detail = `${operation} (${id}) is unfinished`;
    found.push({ id: "unfinished", outcome: "warning", detail, hint: "Run `backout recover`." });
  }
  for (const guard of killed_guards) {
    found.push({ id: "guard", outcome: "warning", detail: describeKilled(guard), hint: null });
  }
  if (lock?.holder === "dead") {
    const detail = `${lock.by} on ${lock.host} holds the lock since ${lock.since}, and that process is gone`;
    found.push({ id: "lock", outcome: "warning", detail, hint: "The next change takes it over by itself." });
  }
  if (found.length > 0) return found;
  return [{
    id: "workspace",
    outcome: "ok",
    detail: `nothing is unfinished in ${options.folder}`,
    hint: null,
  }];
}
