/** Checks: what is tested after a restore, and by `backout check run`. A kind is one file and a line of the registry. */
import type * as z from "zod";

/** What every check may say besides its own keys. */
export interface CheckCommon {
  readonly type: string;
  /** For people; by default the type and what it looks at. */
  readonly name?: string;
  /** A failed required check fails the operation (51, or taken back); an advisory one is a warning. @default true */
  readonly required?: boolean;
  /** Tries after the first. @default 0 */
  readonly retries?: number;
  /** Between tries, in milliseconds. @default 1000 */
  readonly intervalMs?: number;
  /** Before the first try, in milliseconds. @default 0 */
  readonly startDelayMs?: number;
  /** For one try, in milliseconds. @default 10000 */
  readonly timeoutMs?: number;
}

export interface CheckContext {
  /** Relative paths start here. */
  readonly folder: string;
  readonly env: (name: string) => string | undefined;
  readonly signal: AbortSignal;
  readonly offline: boolean;
}

/** A check as `backout.yaml` names it, parsed by its driver's schema. */
export interface CheckSpec<Config = unknown> extends CheckCommon {
  readonly config: Config;
}

/** What one try saw. */
export interface CheckSight {
  readonly passed: boolean;
  /** One line: what was expected and what was found. Never a secret. */
  readonly detail: string;
  readonly expected?: string;
  readonly actual?: string;
}

export interface CheckResult extends CheckSight {
  readonly type: string;
  readonly name: string;
  readonly required: boolean;
  readonly tries: number;
  readonly seconds: number;
}

export interface CheckDriver<Config = unknown> {
  readonly type: string;
  readonly summary: string;
  /** The keys of its own; strict. */
  readonly schema: z.ZodType<Config>;
  readonly needsNetwork?: boolean;
  readonly programs?: readonly string[];
  /** What it looks at, for the name: `http://localhost/health`. */
  subject(config: Config): string;
  /** One try. Throws only what is not an answer (a wrong configuration); an unreachable service is a failed check. */
  run(config: Config, context: CheckContext): Promise<CheckSight>;
}
