/** The parameters of rules, as data: how each kind is read, described, and written as JSON Schema. */
import { DURATION_HINT, durationMs, grouped, SIZE_HINT, sizeBytes } from "#/core/quantity.ts";
import { type Path, type Problems, readChoice } from "#/policy/problem.ts";
import { OPERATION_KINDS } from "#/policy/view.ts";
import { describeWindow, readWindows, type Window, WINDOW_SCHEMA } from "#/policy/window.ts";
import type { OperationKind } from "#/report/model.ts";

/** What the value of each kind is once it is read. */
interface Kinds {
  /** A whole number from 1 on. */
  readonly count: number;
  /** In milliseconds. */
  readonly duration: number;
  /** In bytes. */
  readonly size: number;
  /** Names with `*` and `?`. */
  readonly names: readonly string[];
  readonly windows: readonly Window[];
  readonly operations: readonly OperationKind[];
}

export type ParameterKind = keyof Kinds;

export interface Parameter<K extends ParameterKind = ParameterKind> {
  readonly kind: K;
  /** What it says, for people. */
  readonly about: string;
  /** The rule says nothing without it. */
  readonly required?: true;
}

export type Parameters = Readonly<Record<string, Parameter>>;

/** The values of a rule's parameters; what is not required may be absent. */
export type Values<P extends Parameters> =
  & { readonly [Name in keyof P as P[Name]["required"] extends true ? Name : never]: Kinds[P[Name]["kind"]] }
  & {
    readonly [Name in keyof P as P[Name]["required"] extends true ? never : Name]?: Kinds[P[Name]["kind"]];
  };

export type ParameterValues = Readonly<Record<string, Kinds[ParameterKind] | undefined>>;

interface KindOf<T> {
  /** @returns undefined, with what is wrong noted, when it cannot be read */
  readonly read: (value: unknown, path: Path, problems: Problems) => T | undefined;
  readonly show: (value: T) => string;
  /** How it is written in backout.yaml. */
  readonly example: string;
  readonly schema: Readonly<Record<string, unknown>>;
}

const KIND: { readonly [K in ParameterKind]: KindOf<Kinds[K]> } = {
  count: {
    read: (value, path, problems) =>
      Number.isSafeInteger(value) && value as number >= 1
        ? value as number
        : problems.value(path, "must be a whole number from 1 on"),
    show: String,
    example: "3",
    schema: { type: "integer", minimum: 1 },
  },
  duration: {
    read: (value, path, problems) =>
      (typeof value === "string" ? durationMs(value) : undefined) ??
        problems.value(path, "is not a duration", DURATION_HINT),
    show: showDuration,
    example: "24h",
    schema: { type: "string", description: DURATION_HINT },
  },
  size: {
    read: (value, path, problems) =>
      (typeof value === "string" || typeof value === "number" ? sizeBytes(String(value)) : undefined) ??
        problems.value(path, "is not a size", SIZE_HINT),
    show: (bytes) => `${grouped(bytes)} bytes`,
    example: "10GiB",
    schema: { type: ["string", "integer"], description: SIZE_HINT },
  },
  names: {
    read: readNames,
    show: (names) => names.join(", "),
    example: "[stable]",
    schema: { type: "array", items: { type: "string", minLength: 1 }, minItems: 1 },
  },
  windows: {
    read: readWindows,
    show: (windows) => windows.map(describeWindow).join("; "),
    example: "[{days: [fri], hours: 16:00-24:00, time_zone: Europe/Berlin}]",
    schema: { type: "array", items: WINDOW_SCHEMA, minItems: 1 },
  },
  operations: {
    read: readOperations,
    show: (operations) => operations.join(", "),
    example: "[rollback, publish]",
    schema: { type: "array", items: { enum: OPERATION_KINDS }, minItems: 1 },
  },
};

/** Reads the value of a parameter. @returns undefined, with what is wrong noted, when it cannot be read */
export function readParameter(
  parameter: Parameter,
  value: unknown,
  path: Path,
  problems: Problems,
): Kinds[ParameterKind] | undefined {
  return KIND[parameter.kind].read(value, path, problems);
}

/** A value for people. */
export function showValue<K extends ParameterKind>(kind: K, value: Kinds[K]): string {
  return KIND[kind].show(value);
}

/** How a parameter of this kind is written. */
export function exampleOf(kind: ParameterKind): string {
  return KIND[kind].example;
}

/** The JSON Schema of a parameter. */
export function parameterSchema({ kind, about }: Parameter): Readonly<Record<string, unknown>> {
  const { description, ...schema } = KIND[kind].schema;
  return {
    ...schema,
    description: description === undefined ? `${about}.` : `${about}. ${String(description)}`,
  };
}

function readNames(value: unknown, path: Path, problems: Problems): readonly string[] | undefined {
  const names: readonly unknown[] = Array.isArray(value) ? value : [value];
  const isRight = names.length > 0 && names.every((name) => typeof name === "string" && name !== "");
  return isRight
    ? names as readonly string[]
    : problems.value(path, "must be a list of names", "For example [stable, lts-*].");
}

/** Operations by name; for custom rules, too. */
export function readOperations(
  value: unknown,
  path: Path,
  problems: Problems,
): readonly OperationKind[] | undefined {
  if (!Array.isArray(value) || value.length === 0) {
    return problems.value(path, "must be a list of operations", `They are ${OPERATION_KINDS.join(", ")}.`);
  }
  const kinds = value.map((item, i) => readChoice(item, [...path, i], OPERATION_KINDS, problems));
  return kinds.every((kind) => kind !== undefined) ? kinds : undefined;
}

const SPANS = [["d", 86_400_000], ["h", 3_600_000], ["m", 60_000], ["s", 1_000], ["ms", 1]] as const;

/** `1d 12h`; the two largest units, rounded down. */
export function showDuration(ms: number): string {
  let rest = Math.max(0, Math.floor(ms));
  const parts: string[] = [];
  for (const [unit, length] of SPANS) {
    const amount = Math.floor(rest / length);
    if (amount > 0 && parts.length < 2) parts.push(`${amount}${unit}`);
    rest -= amount * length;
  }
  return parts.length === 0 ? "0s" : parts.join(" ");
}
