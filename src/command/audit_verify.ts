import { resolve } from "node:path";
import { count } from "#/report/mod.ts";
import type { AuditVerifyResult } from "#/repository/views.ts";
import type { Command, CommandContext } from "./command.ts";
import { integrityCode, runReading } from "./read.ts";
import { repositoryFlags } from "./repository_flags.ts";
import { scopeOptions } from "./workspace.ts";
import { problemLines } from "./view_text.ts";
import { listOption } from "./values.ts";

export const command: Command = {
  summary: "Find changed, removed or cut-off audit entries",
  description:
    "Follow the chain of the audit log from its first entry, archived or not, to the head that the index names, " +
    "and check who signed it where a public key is given. Exit code 54 when something does not fit.",
  options: [
    {
      flags: "--public-key <file>",
      description: "trust this key (PEM) and no other; repeat it for the keys of a rotation",
      repeat: true,
      completes: "file",
    },
    ...repositoryFlags,
  ],
  examples: [
    { command: "backout audit verify -r /srv/releases", note: "the chain" },
    { command: "backout audit verify -r /srv/releases --public-key key.pem.pub", note: "and the signatures" },
    {
      command: "backout audit verify -r /srv/releases --public-key old.pem.pub --public-key new.pem.pub",
      note: "after a new key was made",
    },
  ],
  run: async (args, context) => {
    const { verifyAudit } = await import("#/mod/release.ts");
    const publicKeyFile = listOption(args.options, "publicKey").map((file) => resolve(context.cwd, file));
    return await runReading(args, context, {
      options: scopeOptions,
      read: (options) => verifyAudit({ ...options, publicKeyFile }),
      text: (view) => textOf(view, context),
      exitCode: (view) => integrityCode(view.problems),
    });
  },
};

function textOf(view: AuditVerifyResult, context: CommandContext): string {
  if (view.entries === 0 && view.problems.length === 0) return "The audit log has no entries yet.\n";
  const archived = view.archived === 0 ? "" : `, ${view.archived} of them archived`;
  const checked = `${count(view.entries, "entry", "entries")} checked${archived}, ${view.signed} signed`;
  return problemLines(checked, view.problems, context.printer.style);
}
