/** All kinds of targets. Adding one is a file and a line here; each passes the contract suite of tests/targets. */
import type { TargetDriver } from "./target.ts";

/** Loaded when a target of the type is used: most need nothing of the others. */
export const targetTypes = {
  git_commit: () => import("./git_commit.ts"),
  configuration: () => import("./configuration.ts"),
  file_system: () => import("./file_system.ts"),
  database: () => import("./database.ts"),
  infrastructure: () => import("./infrastructure.ts"),
  container: () => import("./container.ts"),
  command: () => import("./command.ts"),
  components: () => import("./components.ts"),
  remote_branches: () => import("./remote_branches.ts"),
} as const satisfies Record<string, () => Promise<{ readonly driver: TargetDriver }>>;

export type TargetType = keyof typeof targetTypes;

export function isTargetType(text: string): text is TargetType {
  return Object.hasOwn(targetTypes, text);
}
