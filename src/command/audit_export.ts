import { resolve } from "node:path";
import { ExitCode, messageOf, RollbackError, RollbackManifestError } from "#/core/errors.ts";
import { writeOutputLines } from "#/core/output_lines.ts";
import { count } from "#/report/mod.ts";
import type { Command, CommandContext, ParsedArguments } from "./command.ts";
import { changeOptions } from "./context.ts";
import { runReading } from "./read.ts";
import { checkOutputPaths } from "./report_files.ts";
import { repositoryFlags } from "./repository_flags.ts";
import { defined, textOption } from "./values.ts";

export const command: Command = {
  summary: "Write the audit log as signed attestations",
  description:
    "Write each audit entry, archived or not, as an in-toto statement in a DSSE envelope: one JSON object per line. " +
    "Every envelope is signed; a log that does not verify is refused (54).",
  options: [
    {
      flags: "--out <file>",
      description: "where to write; - is standard output (default)",
      completes: "file",
    },
    {
      flags: "--since <seq|time>",
      description: "begin at this entry, time (RFC 3339) or age (90d)",
      completes: "none",
    },
    {
      flags: "--signing-key <file>",
      description: "private key (PEM, Ed25519 or RSA; also: BACKOUT_SIGNING_KEY, backout.yaml)",
      completes: "file",
    },
    ...repositoryFlags,
  ],
  examples: [
    {
      command: "backout audit export -r /srv/releases --signing-key key.pem --out audit.intoto.jsonl",
      note: "the whole log",
    },
    {
      command: "backout audit export -r /srv/releases --signing-key key.pem --since 1200",
      note: "from entry 1200 on, to standard output",
    },
  ],
  run: async (args, context) => {
    const out = textOption(args.options, "out") ?? "-";
    return out === "-" ? await toStandardOutput(args, context) : await toFile(args, context, out);
  },
};

async function toStandardOutput(args: ParsedArguments, context: CommandContext): Promise<ExitCode> {
  const { exportAudit } = await import("#/mod/release.ts");
  const options = await exportOptions(args, context);
  await exportAudit({ ...options, onLine: (line) => context.printer.out(line) });
  return ExitCode.done;
}

async function toFile(args: ParsedArguments, context: CommandContext, out: string): Promise<ExitCode> {
  const { exportAudit } = await import("#/mod/release.ts");
  const options = await exportOptions(args, context);
  const path = resolve(context.cwd, out);
  checkOutputPaths([{ flag: "--out", path, kind: "file" }], options.repository);
  return await runReading(args, context, {
    read: async () => {
      const result = await written(path, (onLine) => exportAudit({ ...options, onLine }));
      return { ...result, file: path };
    },
    text: ({ entries, file, key_fingerprint }) =>
      `Wrote ${count(entries, "entry", "entries")} to ${file}, signed with the key ${key_fingerprint}.\n`,
  });
}

async function exportOptions(args: ParsedArguments, context: CommandContext) {
  // An export is always signed, so the key is looked for where that of the log's entries is.
  const options = await changeOptions({ ...args.options, signAuditLog: true }, context, () => {});
  return { ...options, ...defined({ since: textOption(args.options, "since") }) };
}

async function written<T>(path: string, fill: (write: (text: string) => void) => Promise<T>): Promise<T> {
  try {
    return await writeOutputLines(path, fill);
  } catch (cause) {
    if (cause instanceof RollbackError) throw cause;
    throw new RollbackManifestError(`Cannot write the export ${path}: ${messageOf(cause)}`, { cause });
  }
}
