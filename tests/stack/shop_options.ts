/** The shop's folder as the library is given it. */
import type { WorkspaceOptions } from "#/snapshot/mod.ts";

export function shopOptions(folder: string, env: (name: string) => string | undefined): WorkspaceOptions {
  return {
    folder,
    store: { location: `${folder}/.backout/store` },
    targets: [],
    checks: [],
    env,
    by: "tester",
  };
}
