import { resolve } from "node:path";
import { ExitCode } from "#/core/errors.ts";
import type { Command } from "./command.ts";
import { printView } from "./read.ts";
import { checkOutputPaths } from "./report_files.ts";
import { textOption } from "./values.ts";
import { factLines } from "./view_text.ts";

export const command: Command = {
  summary: "Make a key to encrypt a snapshot store",
  description:
    "Write a new key of 32 random bytes, readable by its owner only. An existing file is never replaced. " +
    "Keep a copy somewhere else: without the key nothing in the store can be read.",
  options: [{ flags: "--out <file>", description: "where the key goes", required: true, completes: "file" }],
  examples: [
    {
      command: "backout snapshot keygen --out /etc/backout/store.key",
      note: "then `store: {location: …, encryption: {key_file: /etc/backout/store.key}}`",
    },
  ],
  run: async (args, context) => {
    const { generateKeyFile } = await import("#/mod/snapshot.ts");
    const out = resolve(context.cwd, textOption(args.options, "out") ?? "");
    checkOutputPaths([{ flag: "--out", path: out, kind: "file" }]);
    generateKeyFile(out);
    const view = { key_file: out };
    printView(
      view,
      () =>
        factLines([
          ["Key", out],
          [
            "Use it",
            `store: {location: …, encryption: {key_file: ${out}}} in backout.yaml, before the first snapshot`,
          ],
        ]),
      context,
    );
    return ExitCode.done;
  },
};
