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

/** The operations around which a release's own hooks run: those that take it away or bring it back. */
export const RELEASE_HOOK_KINDS = [
  "rollback",
  "restore",
  "yank",
  "unyank",
] as const satisfies readonly OperationKind[];

/** Hooks that a release brings along; they run only where its record is signed by a trusted key. */
export type ReleaseHooks = { readonly [Kind in typeof RELEASE_HOOK_KINDS[number]]?: HookLists };

/** `recover` has only `after`: nothing holds a recovery up. */
export type HooksByKind = { readonly [Kind in OperationKind]?: HookLists };
