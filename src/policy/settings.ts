/** The `policy:` block of backout.yaml, as it is written; the library takes the same. */
import type { OperationKind, PolicyMode } from "#/report/model.ts";
import type { Severity } from "#/policy/rule.ts";

/** `off`, or a block with `severity` and the rule's parameters as they are written: `{age: 24h}`. */
export type RuleSetting = Severity | { readonly severity?: Severity; readonly [parameter: string]: unknown };

/** A rule of one's own: it denies (or warns) when its expression is true. */
export interface CustomRuleSetting {
  readonly id: string;
  /** @default "deny" */
  readonly severity?: Severity;
  /** In CEL. */
  readonly when: string;
  /** Why, for whom it stops. */
  readonly message: string;
  /** What to do. */
  readonly hint?: string;
  /** What it judges. @default everything */
  readonly operations?: readonly OperationKind[];
}

/** Until it expires, the denials of one rule on one scope are warnings. */
export interface WaiverSetting {
  readonly rule: string;
  /** A version or several with `*` and `?`, or `channel:NAME`. */
  readonly scope: string;
  readonly approver: string;
  readonly reason: string;
  /** RFC 3339. */
  readonly expires: string;
}

/** When a failure is to be rolled back without asking anybody. */
export interface AutomaticSetting {
  /** In CEL, over `failure` and `now`. */
  readonly when: string;
  /** The checks of such a rollback, as they are written in `checks:`. */
  readonly tests?: readonly unknown[];
}

export interface PolicySettings {
  /** @default "strict" */
  readonly mode?: PolicyMode;
  readonly rules?: Readonly<Record<string, RuleSetting>>;
  readonly custom?: readonly CustomRuleSetting[];
  readonly waivers?: readonly WaiverSetting[];
  /** One, or several of which the first that is true decides. */
  readonly automatic?: AutomaticSetting | readonly AutomaticSetting[];
}
