/** Facts for tests of the policy: a rollback against which no rule has anything to say. */
import { compilePolicy } from "#/policy/compile.ts";
import type { Policy } from "#/policy/evaluate.ts";
import type { PolicySettings } from "#/policy/settings.ts";
import { NO_SNAPSHOT, type PolicyFacts, type ReleaseFacts } from "#/policy/view.ts";

/** A part of some facts; lists and plain values are replaced, blocks merged. */
export type Change = { readonly [Part in keyof PolicyFacts]?: Partial<PolicyFacts[Part]> };

export const RELEASE: ReleaseFacts = {
  version: "v1.0.2",
  state: "active",
  published_at: "2026-11-01T00:00:00.000Z",
  size_bytes: 3_000,
  artifacts: 3,
  artifacts_present: 3,
  artifacts_without_digest: 0,
  channels: [],
  depends_on: [],
  mark: "",
  labels: {},
};

export const CLEAN: PolicyFacts = {
  operation: {
    kind: "rollback",
    type: "full",
    mode: "strict",
    forced: false,
    dry_run: false,
    partial: false,
    no_backup: false,
    signed: false,
    reason: "",
  },
  repository: {
    location: "/srv/releases",
    type: "local",
    serial: 7,
    releases: 4,
    good_releases: 4,
    newest: "v1.0.3",
    channels: { stable: "v1.0.3" },
    free_bytes: 5_000_000_000,
    problems: [],
    holds: [],
  },
  plan: {
    versions: ["v1.0.2"],
    releases: [RELEASE],
    artifacts: ["v1.0.2/a", "v1.0.2/b", "v1.0.2/c"],
    total_artifacts: 3,
    total_bytes: 3_000,
    artifacts_added: 0,
    bytes_added: 0,
    channels: [],
    releases_left: 3,
    good_releases_left: 3,
    dependents: [],
    missing_dependencies: [],
    stuck_channels: [],
    bad_channel_target: "",
  },
  user: { name: "ana", host: "ci-1" },
  now: "2026-11-20T12:00:00.000Z",
};

export function changed(change: Change, facts: PolicyFacts = CLEAN): PolicyFacts {
  return {
    operation: { ...facts.operation, ...change.operation },
    repository: { ...facts.repository, ...change.repository },
    plan: { ...facts.plan, ...change.plan },
    ...(facts.snapshot === undefined && change.snapshot === undefined
      ? {}
      : { snapshot: { ...NO_SNAPSHOT, ...facts.snapshot, ...change.snapshot } }),
    user: { ...facts.user, ...change.user },
    now: change.now as string | undefined ?? facts.now,
  };
}

export function leaving(more: Partial<ReleaseFacts>): Change {
  return { plan: { releases: [{ ...RELEASE, ...more }] } };
}

/** The policy of some settings, which must have nothing wrong with them. */
export async function policyFor(settings: PolicySettings): Promise<Policy> {
  const { policy, problems } = await compilePolicy(settings);
  if (problems.length > 0) throw new Error(problems.map(({ message }) => message).join("\n"));
  return policy;
}
