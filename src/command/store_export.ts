import { formatBytes, visible } from "#/report/mod.ts";
import type { Command } from "./command.ts";
import { entryFlags, pathOption, replaceFlag, runEntries } from "./entry_run.ts";
import { flagOption } from "./values.ts";

export const command: Command = {
  summary: "Write an entry as one archive",
  description:
    "Write an entry as a tar archive, compressed as its name says (.tar.zst, .tar.gz, .tar). The same entry gives the same " +
    "bytes. `store import` takes it back, under the same hash.",
  arguments: [{ name: "<hash>", description: "of the entry, or a unique beginning of it" }],
  options: [
    { flags: "--out <file>", description: "the archive", completes: "file", required: true },
    replaceFlag,
    ...entryFlags,
  ],
  examples: [{ command: "backout store export 3fa9c1d2 --out build.tar.zst", note: "to carry it somewhere" }],
  run: async (args, context) => {
    const { exportEntry } = await import("#/mod/entries.ts");
    const { options: values, positionals: [hash = ""] } = args;
    return await runEntries(args, context, {
      work: (options) =>
        exportEntry({
          ...options,
          hash,
          out: pathOption(values, "out", context)!,
          replace: flagOption(values, "replace"),
        }),
      text: ({ entry, archive, archive_bytes }) =>
        `Wrote ${visible(entry.component)} to ${visible(archive)} (${formatBytes(archive_bytes)}).\n`,
    });
  },
};
