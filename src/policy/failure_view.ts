/** A failure that another program tells of, as `policy.automatic` sees it. */
import { isBlock, own } from "#/policy/problem.ts";
import type { Field } from "#/policy/view.ts";

export interface FailureFacts {
  readonly kind: string;
  readonly stage: string;
  readonly message: string;
  readonly severity: string;
  readonly environment: string;
  readonly change: string;
  readonly snapshot: string;
  readonly attempts: number;
  readonly exit_code?: number;
  readonly failed_tests: readonly string[];
  /** Every plain value of the context under its own name, as text. */
  readonly labels: Readonly<Record<string, string>>;
}

export const NO_FAILURE: FailureFacts = {
  kind: "",
  stage: "",
  message: "",
  severity: "",
  environment: "",
  change: "",
  snapshot: "",
  attempts: 0,
  failed_tests: [],
  labels: {},
};

/** What other programs call the same. */
const NAMES = {
  kind: ["kind", "type", "failure_type", "error_type"],
  stage: ["stage", "phase", "step"],
  message: ["message", "error", "reason"],
  severity: ["severity", "level"],
  environment: ["environment", "env"],
  change: ["change", "change_id"],
  snapshot: ["snapshot", "snapshot_id"],
} as const satisfies Partial<Record<keyof FailureFacts, readonly string[]>>;

/** Reads what another program says of a failure; what it does not say is empty. */
export function failureFacts(context: unknown): FailureFacts {
  const block = isBlock(context) ? context : {};
  const textAt = (names: readonly string[]) =>
    names.map((name) => textOf(own(block, name))).find((it) => it !== "");
  const texts = Object.entries(NAMES).map(([field, names]) => [field, textAt(names) ?? ""]);
  const exit = own(block, "exit_code");
  const attempts = own(block, "attempts") ?? own(block, "retry_count");
  const tests = own(block, "failed_tests");
  return {
    ...NO_FAILURE,
    ...Object.fromEntries(texts),
    attempts: isWhole(attempts) ? attempts : 0,
    ...(isWhole(exit) ? { exit_code: exit } : {}),
    failed_tests: Array.isArray(tests) ? tests.map(textOf) : [],
    labels: Object.fromEntries(
      Object.entries(block).flatMap(([key, value]) => textOf(value) === "" ? [] : [[key, textOf(value)]]),
    ),
  };
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function textOf(value: unknown): string {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? String(value)
    : "";
}

const text = (about: string): Field => ({ type: "text", about });

export const FAILURE_FIELDS: { readonly [Key in keyof FailureFacts]-?: Field } = {
  kind: text("what failed (`kind`, `type`, `failure_type` or `error_type` of the context)"),
  stage: text("at which stage (`stage`, `phase` or `step`)"),
  message: text("what was said (`message`, `error` or `reason`)"),
  severity: text("how bad it is (`severity` or `level`)"),
  environment: text("where (`environment` or `env`)"),
  change: text("which change (`change` or `change_id`)"),
  snapshot: text("the rollback point from before it (`snapshot` or `snapshot_id`)"),
  attempts: { type: "whole number", about: "how often it was tried (`attempts` or `retry_count`)" },
  exit_code: { type: "whole number", about: "what a program ended with", optional: true },
  failed_tests: { type: "texts", about: "the checks that failed" },
  labels: { type: "texts by name", about: "every plain value of the context under its own name, as text" },
};
