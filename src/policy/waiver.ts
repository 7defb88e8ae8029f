/** Waivers: an approver lets one rule's denial pass on one scope, for a time. */
import { matchesGlob } from "#/policy/glob.ts";
import { nearest } from "#/core/nearest.ts";
import { own, type Path, type Problems, readBlock, readText, timeMs } from "#/policy/problem.ts";
import type { Finding, PolicyFacts } from "#/policy/rule.ts";
import type { WaiverSetting } from "#/policy/settings.ts";

export type Waiver = WaiverSetting;

const KEYS = ["rule", "scope", "approver", "reason", "expires"];
const CHANNEL = "channel:";

/** @param ids of all rules, built in and custom */
export function readWaivers(
  value: unknown,
  path: Path,
  ids: readonly string[],
  problems: Problems,
): readonly Waiver[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) {
    problems.value(path, "must be a list");
    return [];
  }
  return value.flatMap((item, i) => readWaiver(item, [...path, i], ids, problems) ?? []);
}

function readWaiver(
  value: unknown,
  path: Path,
  ids: readonly string[],
  problems: Problems,
): Waiver | undefined {
  const block = readBlock(value, path, KEYS, problems);
  if (block === undefined) return undefined;
  const rule = readText(block, "rule", path, problems, "freeze-window");
  const scope = readText(block, "scope", path, problems, "v1.0.2");
  const approver = readText(block, "approver", path, problems, "ops-lead");
  const reason = readText(block, "reason", path, problems, "incident 42");
  const expires = readText(block, "expires", path, problems, "2026-12-01T00:00:00Z");
  if (rule !== undefined && !ids.includes(rule)) {
    const near = nearest(rule, ids);
    problems.value(
      [...path, "rule"],
      `is ${JSON.stringify(rule)}, which is not a rule`,
      near === undefined ? "See `backout policy explain`." : `Did you mean ${JSON.stringify(near)}?`,
    );
  }
  if (expires !== undefined && timeMs(expires) === undefined) {
    problems.value(
      [...path, "expires"],
      "is not a time",
      "Give it as RFC 3339 in UTC, for example 2026-12-01T00:00:00Z.",
    );
  }
  if (scope === CHANNEL) {
    problems.value([...path, "scope"], "names no channel", "For example channel:stable.");
  }
  if (rule === undefined || scope === undefined || approver === undefined) return undefined;
  if (reason === undefined || expires === undefined || own(block, "rule") !== rule) return undefined;
  return { rule, scope, approver, reason, expires };
}

export function isExpired(waiver: Waiver, now: string): boolean {
  return Date.parse(waiver.expires) <= Date.parse(now);
}

/** The live waiver that covers a finding of a rule; of several the one that holds longest. */
export function waiverOf(
  waivers: readonly Waiver[],
  rule: string,
  finding: Finding,
  facts: PolicyFacts,
): Waiver | undefined {
  return waivers
    .filter((waiver) =>
      waiver.rule === rule && !isExpired(waiver, facts.now) && covers(waiver, finding, facts)
    )
    .toSorted((a, b) => Date.parse(b.expires) - Date.parse(a.expires))[0];
}

/** A waiver covers what is about nothing but its scope. */
function covers({ scope }: Waiver, finding: Finding, facts: PolicyFacts): boolean {
  if (scope.startsWith(CHANNEL)) {
    const channels = finding.channels ?? channelsTouched(facts);
    return channels.length > 0 && channels.every((name) => matchesGlob(scope.slice(CHANNEL.length), name));
  }
  const versions = finding.versions ?? facts.plan.versions;
  return scope === "*" || versions.length > 0 && versions.every((version) => matchesGlob(scope, version));
}

/** Expired waivers that somebody may count on in this operation. */
export function expiredWaivers(
  waivers: readonly Waiver[],
  judged: ReadonlySet<string>,
  facts: PolicyFacts,
): readonly Waiver[] {
  return waivers.filter((waiver) => {
    if (!judged.has(waiver.rule) || !isExpired(waiver, facts.now)) return false;
    const { scope } = waiver;
    return scope.startsWith(CHANNEL)
      ? channelsTouched(facts).some((name) => matchesGlob(scope.slice(CHANNEL.length), name))
      : scope === "*" || facts.plan.versions.some((version) => matchesGlob(scope, version));
  });
}

function channelsTouched({ plan }: PolicyFacts): readonly string[] {
  const named = plan.releases.flatMap((release) => release.channels);
  return [...new Set([...plan.channels.map(({ name }) => name), ...named])];
}
