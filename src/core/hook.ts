/** Which programs run around operations, as `hooks:` of `backout.yaml` says it. */
import type { OperationKind } from "#/report/model.ts";

/** One hook. */
export interface Hook {
  /** Program and arguments; no shell. */
  readonly command: readonly string[];
  /** @default 120000 */
  readonly timeout_ms?: number;
}

/** The hooks of one kind of operation, in the order in which they run. */
export interface HookLists {
  readonly before?: readonly Hook[];
  readonly after?: readonly Hook[];
}

/** `recover` has only `after`: nothing holds a recovery up. */
export type HooksByKind = { readonly [Kind in OperationKind]?: HookLists };
