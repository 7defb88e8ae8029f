import { ExitCode, UsageError } from "#/core/errors.ts";
import { isJsonObject, type JsonObject, parseJson } from "#/core/json.ts";
import type { WorkspaceOptions } from "#/snapshot/options.ts";
import type { Command, CommandContext, OptionValues } from "./command.ts";
import { flagOption, listOption, textOption } from "./values.ts";
import { reasonedFlags, workspaceOptions } from "./workspace.ts";

const FLAG_FORM = "A request in flags instead of standard input:";

export const command: Command = {
  summary: "Answer the requests of another program",
  description:
    "Read one request as JSON from standard input and print one answer, or several as JSON lines, each answered as it " +
    "comes. Actions: create_snapshot, execute_rollback, list_snapshots, get_rollback_history, evaluate_rollback_policy, status. A request that " +
    'fails is answered with {"status": "failed", "error": …}; the exit code is that of the first failure. Works ' +
    "without a backout.yaml, and never asks.",
  options: [
    {
      flags: "--action <action>",
      description: "create, rollback, list, history, status, or their long names",
      completes: "none",
      group: FLAG_FORM,
    },
    { flags: "--snapshot-id <id>", description: "id of the snapshot", completes: "none", group: FLAG_FORM },
    {
      flags: "--type <type>",
      description: "type of target: git_commit, configuration, file_system, …",
      completes: "none",
      group: FLAG_FORM,
    },
    {
      flags: "--set <key=value>",
      description: "a key of the request's config; given twice it is a list (repeatable)",
      repeat: true,
      completes: "none",
      group: FLAG_FORM,
    },
    { flags: "--include-content", description: "answer with the content of files", group: FLAG_FORM },
    {
      flags: "--rollback-on-failure",
      description: "take a rollback back when a check fails",
      group: FLAG_FORM,
    },
    { flags: "--discard-changes", description: "go on although uncommitted work is lost", group: FLAG_FORM },
    ...reasonedFlags,
  ],
  examples: [
    { command: `echo '{"action": "list_snapshots"}' | backout plugin`, note: "one request" },
    { command: "backout plugin < requests.jsonl > answers.jsonl", note: "several" },
    {
      command:
        "backout plugin --action create --snapshot-id release_v2.1 --type git_commit --set repo_path=/app",
      note: "in flags",
    },
  ],
  run: async (args, context) => {
    const { answerRequest } = await import("#/mod/plugin.ts");
    const options = await workspaceOptions(args.options, context);
    let exitCode: ExitCode = ExitCode.done;
    const answer = async (request: string | JsonObject): Promise<void> => {
      const { document, exitCode: code } = await answerRequest(request, options);
      context.printer.out(`${JSON.stringify(document)}\n`);
      if (exitCode === ExitCode.done) exitCode = code;
    };
    const flagged = await flagRequest(args.options, options, context);
    if (flagged !== undefined) await answer(flagged);
    else await answerLines(context, answer);
    return exitCode;
  },
};

/** The request that the flags make; undefined where it comes from standard input. */
async function flagRequest(
  values: OptionValues,
  options: WorkspaceOptions,
  context: CommandContext,
): Promise<JsonObject | undefined> {
  const action = textOption(values, "action");
  const settings = listOption(values, "set");
  const id = textOption(values, "snapshotId");
  const type = textOption(values, "type");
  if (action === undefined) {
    if (id === undefined && type === undefined && settings.length === 0) return undefined;
    throw new UsageError("The flags of a request need --action", {
      hint: "Add --action create, rollback, list, history or status.",
    });
  }
  const { readSettings } = await import("#/mod/plugin.ts");
  const config = settings.length === 0 ? undefined : readSettings(settings);
  return {
    action,
    ...(id === undefined ? {} : { snapshot_id: id }),
    ...(type === undefined ? {} : { type }),
    ...(config === undefined ? {} : { config }),
    ...(options.reason === undefined ? {} : { reason: options.reason }),
    dry_run: context.globals.dryRun,
    include_content: flagOption(values, "includeContent"),
    rollback_on_failure: flagOption(values, "rollbackOnFailure"),
    discard_changes: flagOption(values, "discardChanges"),
  };
}

/** Longer than any request may be: what is longer is no request. */
const LONGEST_TEXT = 2 * 1024 * 1024;

/** A request a line; one that is spread over several lines ends where its braces do. */
async function answerLines(
  context: CommandContext,
  answer: (request: string) => Promise<void>,
): Promise<void> {
  let begun: string[] = [];
  let length = 0;
  let depth = 0;
  const take = (): string => {
    const text = begun.join("\n");
    begun = [];
    length = depth = 0;
    return text;
  };
  for await (const line of context.stdinLines()) {
    context.signal.throwIfAborted();
    if (begun.length === 0 && line.trim() === "") continue;
    if (begun.length > 0 && isRequest(line)) await answer(take()); // it was cut off: the next one is whole
    begun.push(line);
    length += line.length;
    depth += depthOf(line);
    const open = depth > 0 && /^\s*\{/.test(begun[0]!);
    if (!open || length >= LONGEST_TEXT) await answer(take());
  }
  context.signal.throwIfAborted();
  if (begun.length > 0) await answer(take());
}

/** Whether a line alone is a request. */
function isRequest(line: string): boolean {
  if (!line.startsWith("{")) return false;
  try {
    const value = parseJson(line);
    return isJsonObject(value) && value.action !== undefined;
  } catch {
    return false;
  }
}

/** How many more braces and brackets a line opens than it closes. No text of JSON goes on in the next line. */
function depthOf(line: string): number {
  let depth = 0;
  for (const [token] of line.matchAll(/"(?:[^"\\]|\\.)*"?|[{}[\]]/g)) {
    if (token === "{" || token === "[") depth++;
    else if (token === "}" || token === "]") depth--;
  }
  return depth;
}
