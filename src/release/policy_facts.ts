/** The facts that the policy judges: from the index, the plan, and what the operation itself knows. */
import type { OwnFacts } from "#/release/definition.ts";
import { OWN_FIELDS } from "#/release/publish.ts";
import type { Scope } from "#/release/scope.ts";
import type { PolicyFacts } from "#/policy/rule.ts";
import { timeMs } from "#/policy/problem.ts";
import type { ChannelMoveFacts, PlanFacts, ReleaseFacts, RepositoryFacts } from "#/policy/view.ts";
import { applyChanges } from "#/repository/index_change.ts";
import type { ReleaseEntry, RepositoryIndex } from "#/repository/index_format.ts";
import type { RepositoryView } from "#/repository/inspect.ts";
import type { ChangeOptions } from "#/repository/options.ts";
import { channelsOf, findEntry, findTombstone, stateOf, stateOfEntry } from "#/repository/version_state.ts";
import { changesOf, type Plan } from "#/step/repository_step.ts";

export function policyFacts(
  scope: Pick<Scope, "store" | "now" | "by" | "host" | "signer">,
  options: ChangeOptions,
  view: RepositoryView,
  own: OwnFacts,
  plan: Plan,
): PolicyFacts {
  return {
    operation: {
      kind: own.operation,
      type: own.type ?? "",
      mode: options.policyMode ?? "strict",
      forced: options.force ?? false,
      dry_run: options.dryRun ?? false,
      partial: own.partial,
      no_backup: own.no_backup,
      signed: scope.signer !== undefined,
      reason: options.reason ?? "",
    },
    repository: repositoryFacts(view, scope.store.type),
    plan: planFacts(view, own, plan),
    user: { name: scope.by, host: scope.host },
    now: scope.now().toISOString(),
  };
}

function repositoryFacts(view: RepositoryView, type: RepositoryFacts["type"]): RepositoryFacts {
  const { index } = view;
  return {
    location: view.location,
    type,
    serial: index.serial ?? 0,
    releases: index.releases.length,
    good_releases: goodReleases(index),
    newest: index.releases[0]?.version ?? "",
    channels: Object.fromEntries(
      Object.entries(index.channels ?? {}).map(([name, { version }]) => [name, version]),
    ),
    ...(view.freeBytes === null ? {} : { free_bytes: view.freeBytes }),
    problems: view.indexProblems,
    holds: Object.entries(index.holds ?? {}).map(([name, { reason }]) => ({ name, reason })),
  };
}

function planFacts(view: RepositoryView, own: OwnFacts, plan: Plan): PlanFacts {
  const after = applyChanges(view.index, changesOf(plan.steps));
  const leaving = plan.steps.flatMap((step) => step.kind === "move_artifacts" ? step.files : []);
  const coming = plan.steps.flatMap((step) => step.kind === "add_artifacts" ? step.files : []);
  return {
    versions: plan.versions,
    releases: plan.versions.map((version) => releaseFacts(view.index, after, version, own)),
    artifacts: [...leaving, ...coming].map(({ path }) => path),
    total_artifacts: leaving.length,
    total_bytes: bytesOf(leaving),
    artifacts_added: coming.length,
    bytes_added: bytesOf(coming),
    channels: channelMoves(view.index, after),
    releases_left: after.releases.length,
    good_releases_left: goodReleases(after),
    dependents: own.dependents,
    missing_dependencies: own.missing_dependencies,
    stuck_channels: own.stuck_channels,
    bad_channel_target: own.bad_channel_target ?? "",
  };
}

function bytesOf(files: readonly { readonly size: number }[]): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}

function goodReleases(index: RepositoryIndex): number {
  return index.releases.filter((entry) => stateOfEntry(entry) === "active" && entry.mark?.verdict !== "bad")
    .length;
}

/** What is known of a version: as it is, or as it will be where it comes. */
function releaseFacts(
  before: RepositoryIndex,
  after: RepositoryIndex,
  version: string,
  own: OwnFacts,
): ReleaseFacts {
  const entry = findEntry(before, version) ?? findTombstone(before, version)?.entry ??
    findEntry(after, version);
  const seen = own.leaving.find((release) => release.version === version);
  const listed = seen?.listed ?? entry?.artifacts.length ?? 0;
  const published_at = publishedAt(entry);
  return {
    version,
    state: stateOf(before, version),
    ...(published_at === undefined ? {} : { published_at }),
    size_bytes: entry?.size_bytes ?? 0,
    artifacts: listed,
    artifacts_present: seen?.present ?? listed,
    artifacts_without_digest: seen?.undigested ?? 0,
    channels: channelsOf(before, version),
    depends_on: entry?.depends_on ?? [],
    mark: entry?.mark?.verdict ?? "",
    labels: labelsOf(entry),
  };
}

/** Other tools leave the zone out, and mean UTC. */
function publishedAt(entry: ReleaseEntry | undefined): string | undefined {
  const text = entry?.timestamp ?? "";
  const ms = timeMs(text) ?? timeMs(`${text}Z`);
  return ms === undefined ? undefined : new Date(ms).toISOString();
}

/** What `--metadata` added, as text; lists and blocks are left out. */
function labelsOf(entry: ReleaseEntry | undefined): ReleaseFacts["labels"] {
  const plain = Object.entries(entry ?? {}).filter(([key, value]) =>
    !OWN_FIELDS.has(key) && ["string", "number", "boolean"].includes(typeof value)
  );
  return Object.fromEntries(plain.map(([key, value]) => [key, String(value)]));
}

function channelMoves(before: RepositoryIndex, after: RepositoryIndex): readonly ChannelMoveFacts[] {
  const names = new Set([...Object.keys(before.channels ?? {}), ...Object.keys(after.channels ?? {})]);
  return [...names].flatMap((name) => {
    const from = before.channels?.[name]?.version ?? "";
    const to = after.channels?.[name]?.version ?? "";
    return from === to ? [] : [{ name, from, to }];
  });
}
