import type { Finding, PolicyFacts } from "#/policy/rule.ts";

/** Judges how long ago each version was published. An age that nobody knows is denied: a limit that cannot be checked is no limit. */
export function judgeAges(
  { plan, now }: PolicyFacts,
  judge: (ms: number, version: string) => Finding | undefined,
): readonly Finding[] {
  return plan.releases.flatMap(({ version, published_at }): readonly Finding[] => {
    if (published_at === undefined) {
      return [{
        reason: `the index does not say when ${version} was published`,
        hint: "Ask for a waiver.",
        versions: [version],
      }];
    }
    const found = judge(Date.parse(now) - Date.parse(published_at), version);
    return found === undefined ? [] : [{ ...found, versions: [version] }];
  });
}
