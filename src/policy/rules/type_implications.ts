import type { Finding, PolicyFacts, Rule } from "#/policy/rule.ts";

/** Says what the chosen type leaves behind. */
export const typeImplications: Rule = {
  id: "type-implications",
  purpose: "what the type of rollback leaves behind is known",
  severity: "warn",
  appliesTo: (facts) => facts.operation === "rollback",
  check: (facts) => [...ofType(facts), ...ofBackup(facts)],
};

function ofType(facts: PolicyFacts): readonly Finding[] {
  if (facts.type === "index_only") {
    return [{ reason: "index_only: the artifacts stay published and can still be fetched by their path" }];
  }
  if (facts.type === "artifacts_only") {
    return [{ reason: "artifacts_only: the version stays in the index, marked emptied" }];
  }
  if (facts.partial) return [{ reason: "the version stays in the index, marked partial" }];
  return [];
}

function ofBackup(facts: PolicyFacts): readonly Finding[] {
  if (!facts.no_backup || facts.type === "index_only") return [];
  return [{ reason: "no backup: the artifacts cannot be restored" }];
}
