import { ExitCode } from "#/core/errors.ts";
import { COMMIT, VERSION } from "#/core/version.ts";
import type { Command } from "./command.ts";
import { printView } from "./read.ts";

export const command: Command = {
  summary: "Show version, commit and runtime",
  examples: [
    { command: "backout version", note: "for a bug report" },
    { command: "backout --version", note: "the version only" },
  ],
  run: (_args, context) => {
    const view = {
      version: VERSION,
      commit: COMMIT,
      deno: Deno.version.deno,
      v8: Deno.version.v8,
      target: Deno.build.target,
    };
    printView(
      view,
      (one) => `backout ${one.version} (${one.commit}), Deno ${one.deno}, ${one.target}\n`,
      context,
    );
    return Promise.resolve(ExitCode.done);
  },
};
