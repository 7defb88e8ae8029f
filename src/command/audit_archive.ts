import { resolve } from "node:path";
import { runChange } from "./change.ts";
import type { Command } from "./command.ts";
import { changeFlags, policyFlags } from "./context.ts";
import { defined, parseCount, textOption } from "./values.ts";

export const command: Command = {
  summary: "Move old audit entries into a compressed archive",
  description:
    "Move old audit entries into a compressed archive beside the others. Nothing is lost: `audit verify` reads " +
    "archives too, and digests, chain and signatures hold as before. The newest entry always stays as it is.",
  options: [
    {
      flags: "--before <time>",
      description: "what is older: RFC 3339, or an age such as 90d",
      completes: "none",
    },
    {
      flags: "--keep <number>",
      description: "all but the newest, archivings not counted; with --before an entry goes that both let go",
      completes: "none",
    },
    { flags: "--out <file>", description: "also write a copy of what is archived here", completes: "file" },
    ...policyFlags,
    ...changeFlags,
  ],
  examples: [
    { command: "backout audit archive --before 90d -r /srv/releases --dry-run", note: "see what would move" },
    { command: "backout audit archive --keep 1000 -r /srv/releases", note: "from cron" },
  ],
  run: async (args, context) => {
    const { archiveAudit } = await import("#/mod/release.ts");
    const number = textOption(args.options, "keep");
    const file = textOption(args.options, "out");
    const asked = defined({
      before: textOption(args.options, "before"),
      keep: number === undefined ? undefined : parseCount(number, "--keep"),
      out: file === undefined ? undefined : resolve(context.cwd, file),
    });
    return await runChange(args, context, {
      operate: (options) => archiveAudit({ ...options, ...asked }),
      outputs: asked.out === undefined ? [] : [{ flag: "--out", path: asked.out, kind: "file" }],
    });
  },
};
