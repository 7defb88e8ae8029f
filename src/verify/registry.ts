/** All kinds of checks. Adding one is a file and a line here. */
import type { CheckDriver } from "./check.ts";

/** Loaded when a check of the kind is used. */
export const checkTypes = {
  file_exists: () => import("./file_exists.ts"),
  file_checksum: () => import("./file_checksum.ts"),
  git_commit: () => import("./git_commit.ts"),
  service_status: () => import("./service_status.ts"),
  health_check: () => import("./health_check.ts"),
  tcp: () => import("./tcp.ts"),
  redis_ping: () => import("./redis_ping.ts"),
  sql: () => import("./sql.ts"),
  process: () => import("./process.ts"),
  port: () => import("./port.ts"),
  disk_space: () => import("./disk_space.ts"),
  command: () => import("./command.ts"),
} as const satisfies Record<string, () => Promise<{ readonly driver: CheckDriver }>>;

export type CheckType = keyof typeof checkTypes;

export function isCheckType(text: string): text is CheckType {
  return Object.hasOwn(checkTypes, text);
}
