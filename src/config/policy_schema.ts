/** The `policy:` block for the schema: its shape and, from the rules themselves, their parameters. */
import * as z from "zod";
import { block, described } from "#/config/program_words.ts";
import { parameterSchema } from "#/policy/parameters.ts";
import { RULES } from "#/policy/registry.ts";
import { requiredParameters, type Rule, SEVERITIES } from "#/policy/rule.ts";
import { OPERATION_KINDS } from "#/policy/view.ts";

const severity = { enum: SEVERITIES };
const text = { type: "string", minLength: 1 };

const automatic = {
  type: "object",
  properties: {
    when: { ...text, description: "In CEL, over `failure` and `now`." },
    tests: { type: "array", description: "The checks of the rollback, as in `checks`." },
  },
  required: ["when"],
  additionalProperties: false,
};

/**
 * What stands in `rules`, `custom` and `waivers` is read by the policy itself, which knows its rules; here it is only
 * described.
 */
export const policySchema = block(() =>
  z.strictObject({
    mode: z.enum(["strict", "lenient"]).describe("lenient turns policy denials into warnings.").optional(),
    rules: described({
      description: "Severities and parameters of the built-in rules.",
      type: "object",
      properties: Object.fromEntries(RULES.map((rule) => [rule.id, ruleSchema(rule)])),
      additionalProperties: false,
    }),
    custom: described({
      description: "Rules of your own: expressions in CEL that are true when something is wrong.",
      type: "array",
      items: {
        type: "object",
        properties: {
          id: { type: "string", pattern: "^[a-z][a-z0-9-]{0,63}$" },
          severity,
          when: text,
          message: text,
          hint: { type: "string" },
          operations: { type: "array", items: { enum: OPERATION_KINDS }, minItems: 1 },
        },
        required: ["id", "when", "message"],
        additionalProperties: false,
      },
    }),
    waivers: described({
      description: "Until it expires, a rule's denials on a scope are warnings.",
      type: "array",
      items: {
        type: "object",
        properties: {
          rule: text,
          scope: { ...text, description: "A version, several with * and ?, or channel:NAME." },
          approver: text,
          reason: text,
          expires: { type: "string", format: "date-time" },
        },
        required: ["rule", "scope", "approver", "reason", "expires"],
        additionalProperties: false,
      },
    }),
    automatic: described({
      description: "When a failure is to be rolled back without asking anybody, and how that is checked.",
      anyOf: [automatic, { type: "array", items: automatic }],
    }),
  }).describe("What may be done, and when.")
);

function ruleSchema(rule: Rule): Readonly<Record<string, unknown>> {
  const parameters = Object.entries(rule.parameters ?? {}).map(([name, it]) => [name, parameterSchema(it)]);
  return {
    description: `${rule.purpose} (${rule.severity}).`,
    anyOf: [severity, {
      type: "object",
      properties: { severity, ...Object.fromEntries(parameters) },
      required: requiredParameters(rule),
      additionalProperties: false,
    }],
  };
}
