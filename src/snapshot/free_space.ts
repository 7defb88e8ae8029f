/** What is free where the snapshots are. */
import { freeBytesAt } from "#/storage/filesystem/read.ts";
import type { WorkspaceOptions } from "./options.ts";

/** Empty on object storage, and where the system does not say. */
export function freeSpace({ store }: WorkspaceOptions): { readonly freeBytes?: number } {
  if (!store.location.startsWith("/")) return {};
  const freeBytes = freeBytesAt(store.location);
  return freeBytes === null ? {} : { freeBytes };
}
