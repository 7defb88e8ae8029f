import { defineRule, type Finding, type PolicyFacts, type Rule } from "#/policy/rule.ts";

/** Says what the chosen type leaves behind. */
export const typeImplications: Rule = defineRule({
  id: "type-implications",
  purpose: "what the type of rollback leaves behind is known",
  hint: "--type full with a backup leaves nothing behind and can be undone.",
  severity: "warn",
  operations: ["rollback"],
  check: (facts) => [...ofType(facts), ...ofBackup(facts)],
});

function ofType({ operation }: PolicyFacts): readonly Finding[] {
  if (operation.type === "index_only") {
    return [{ reason: "index_only: the artifacts stay published and can still be fetched by their path" }];
  }
  if (operation.type === "artifacts_only") {
    return [{ reason: "artifacts_only: the version stays in the index, marked emptied" }];
  }
  if (operation.partial) return [{ reason: "the version stays in the index, marked partial" }];
  return [];
}

function ofBackup({ operation }: PolicyFacts): readonly Finding[] {
  if (!operation.no_backup || operation.type === "index_only") return [];
  return [{ reason: "no backup: the artifacts cannot be restored" }];
}
