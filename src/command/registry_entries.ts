/** The commands on the shared store and the cache of components, and on applying them. */
import type { CommandGroup, RegistryEntry } from "./registry.ts";

export const entryGroups: readonly CommandGroup[] = [
  { name: "store", summary: "Files of components under their hash, shared" },
  { name: "cache", summary: "What was built from the same inputs" },
];

export const entryEntries: readonly RegistryEntry[] = [
  {
    path: ["component", "apply"],
    summary: "Run install, build and test of components, in the order of dependencies",
    load: () => import("./component_apply.ts"),
  },
  {
    path: ["store", "add"],
    summary: "Keep files of a component under their hash",
    load: () => import("./store_add.ts"),
  },
  {
    path: ["store", "get"],
    summary: "Write an entry of the store into a folder",
    load: () => import("./store_get.ts"),
  },
  {
    path: ["store", "list"],
    summary: "List entries of the store, newest first",
    load: () => import("./store_list.ts"),
  },
  {
    path: ["store", "query"],
    summary: "Find entries of the store by what is known of them",
    load: () => import("./store_query.ts"),
  },
  {
    path: ["store", "stats"],
    summary: "Show how much the store holds",
    load: () => import("./store_stats.ts"),
  },
  {
    path: ["store", "gc"],
    summary: "Let go of entries and cached builds that nothing needs",
    load: () => import("./store_gc.ts"),
  },
  {
    path: ["store", "sync"],
    summary: "Send what waits for the remote store",
    load: () => import("./store_send.ts"),
  },
  {
    path: ["store", "pin"],
    summary: "Protect an entry from `store gc`",
    load: () => import("./store_pin.ts"),
  },
  {
    path: ["store", "unpin"],
    summary: "Take a pin away from an entry",
    load: () => import("./store_unpin.ts"),
  },
  {
    path: ["store", "import"],
    summary: "Take over a .meta-store, or an archive",
    load: () => import("./store_import.ts"),
  },
  {
    path: ["store", "export"],
    summary: "Write an entry as one archive",
    load: () => import("./store_export.ts"),
  },
  {
    path: ["cache", "build"],
    summary: "Build a component, unless that was done already",
    load: () => import("./cache_build.ts"),
  },
  {
    path: ["cache", "get"],
    summary: "Write what was built into a folder",
    load: () => import("./cache_get.ts"),
  },
  {
    path: ["cache", "list"],
    summary: "List cached builds, newest first",
    load: () => import("./cache_list.ts"),
  },
  {
    path: ["cache", "stats"],
    summary: "Show how much the cache holds",
    load: () => import("./cache_stats.ts"),
  },
  {
    path: ["cache", "invalidate"],
    summary: "Throw cached builds away",
    load: () => import("./cache_invalidate.ts"),
  },
  {
    path: ["cache", "warm"],
    summary: "Fetch what would have to be built from the remote store",
    load: () => import("./cache_warm.ts"),
  },
];
