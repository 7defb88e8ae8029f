import { resolve } from "node:path";
import { ExitCode } from "#/core/errors.ts";
import type { Command } from "./command.ts";
import { printView } from "./read.ts";
import { checkOutputPaths } from "./report_files.ts";
import { defined, textOption } from "./values.ts";
import { factLines } from "./view_text.ts";

const TYPES = ["ed25519", "rsa"] as const;

export const command: Command = {
  summary: "Make a key to sign the audit log",
  description:
    "Make a key pair: the private key at --out, readable by its owner only, the public key beside it. " +
    "An existing file is never replaced.",
  options: [
    { flags: "--out <file>", description: "where the private key goes", required: true, completes: "file" },
    { flags: "--type <type>", description: "kind of key (default: ed25519)", choices: TYPES },
  ],
  examples: [
    { command: "backout audit keygen --out key.pem", note: "an Ed25519 key, in a folder that is there" },
    {
      command: "backout release rollback v1.0.2 -r /srv/releases --signing-key key.pem",
      note: "then sign with it",
    },
  ],
  run: async (args, context) => {
    const { generateKey } = await import("#/mod/release.ts");
    const out = resolve(context.cwd, textOption(args.options, "out") ?? "");
    const type = textOption(args.options, "type") as typeof TYPES[number] | undefined;
    checkOutputPaths([{ flag: "--out", path: out, kind: "file" }]);
    const view = await generateKey({ out, ...defined({ type }) });
    printView(view, (key) =>
      factLines([
        ["Private key", key.private_key],
        ["Public key", key.public_key],
        ["Fingerprint", key.fingerprint],
        ["Sign with it", `--signing-key ${key.private_key}`],
      ]), context);
    return ExitCode.done;
  },
};
