/** The `notify:` block: who is told how an operation ended. */
import { resolve } from "node:path";
import { described, readTimeout, readWords, WORDS_SCHEMA } from "#/config/program_words.ts";
import {
  LONGEST_TIMEOUT_MS,
  NOTIFY_OUTCOMES,
  type NotifyOutcome,
  type NotifyTarget,
  SECRET_ENV_NAME,
  webhookProblem,
} from "#/core/notify_target.ts";
import { own, type Path, type Problems, readBlock, readChoice, wordList } from "#/policy/problem.ts";

const KINDS = ["webhook", "command", "file"] as const;
type Kind = typeof KINDS[number];

/** The keys that each kind of target takes. */
const KEYS: Readonly<Record<Kind, readonly string[]>> = {
  webhook: ["webhook", "secret_env", "on", "timeout"],
  command: ["command", "on", "timeout"],
  file: ["file", "on"],
};
const ALL_KEYS = [...KINDS, "secret_env", "on", "timeout"];
const LONGEST = { ms: LONGEST_TIMEOUT_MS, text: `${LONGEST_TIMEOUT_MS / 1000}s` };
const EXAMPLE = "For example [{webhook: https://ops.example/hook, on: [failure]}].";

const on = {
  type: "array",
  items: { enum: NOTIFY_OUTCOMES },
  minItems: 1,
  description: "What it is told of (all of it).",
};
const timeout = {
  type: "string",
  description: `The longest it may hold a command up (3s), at most ${LONGEST.text}.`,
};
const target = (kind: Kind, properties: Readonly<Record<string, unknown>>) => ({
  type: "object",
  properties,
  required: [kind],
  additionalProperties: false,
});

export const notifySchema = described({
  description: "Who is told how an operation ended.",
  type: "array",
  items: {
    anyOf: [
      target("webhook", {
        webhook: {
          type: "string",
          description: "http:// or https://; gets a CloudEvent. Where it is a secret: ${NAME}.",
        },
        secret_env: {
          type: "string",
          pattern: SECRET_ENV_NAME.source,
          description: "The environment variable with the key that signs the messages.",
        },
        on,
        timeout,
      }),
      target("command", { command: WORDS_SCHEMA, on, timeout }),
      target("file", {
        file: {
          type: "string",
          minLength: 1,
          description: "Gets one event per line; relative to this file.",
        },
        on,
      }),
    ],
  },
});

/** The targets; what is wrong with them goes to `problems`. @param folder that of the file */
export function readNotify(
  value: unknown,
  path: Path,
  folder: string,
  problems: Problems,
): readonly NotifyTarget[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) {
    problems.value(path, "must be a list of those who are told", EXAMPLE);
    return [];
  }
  return value.flatMap((entry: unknown, i) => readTarget(entry, [...path, i], folder, problems) ?? []);
}

function readTarget(
  value: unknown,
  path: Path,
  folder: string,
  problems: Problems,
): NotifyTarget | undefined {
  const kinds = KINDS.filter((kind) =>
    typeof value === "object" && value !== null && Object.hasOwn(value, kind)
  );
  const [kind] = kinds;
  const known = kinds.length === 1 ? KEYS[kind!] : ALL_KEYS;
  const before = problems.found.length;
  const block = readBlock(value, path, known, problems);
  if (block === undefined) return undefined;
  if (kind === undefined) {
    if (problems.found.length > before) return undefined; // most likely it is the key that is mistyped
    return problems.value(path, "names nobody to tell", `Give it one of ${wordList(KINDS)}.`);
  }
  if (kinds.length > 1) {
    return problems.value(path, `has ${kinds.join(" and ")}`, "Make a target of each.");
  }
  const outcomes = readOutcomes(own(block, "on"), [...path, "on"], problems);
  const rest = outcomes === undefined ? {} : { on: outcomes };
  const limit = own(block, "timeout");
  const timeout_ms = kind === "file"
    ? undefined
    : readTimeout(limit, [...path, "timeout"], LONGEST, problems);
  const timed = timeout_ms === undefined ? rest : { ...rest, timeout_ms };
  switch (kind) {
    case "webhook": {
      const secret_env = readSecretName(own(block, "secret_env"), [...path, "secret_env"], problems);
      const webhook = readWebhook(block.webhook, [...path, kind], problems);
      if (webhook === undefined) return undefined;
      return { webhook, ...(secret_env === undefined ? {} : { secret_env }), ...timed };
    }
    case "command": {
      const command = readWords(block.command, [...path, kind], folder, problems);
      return command === undefined ? undefined : { command, ...timed };
    }
    case "file": {
      const { file } = block;
      if (typeof file === "string" && file !== "") return { file: resolve(folder, file), ...rest };
      return problems.value([...path, kind], file === "" ? "is empty" : "must be text");
    }
    default:
      return kind satisfies never;
  }
}

function readWebhook(value: unknown, path: Path, problems: Problems): string | undefined {
  if (typeof value !== "string") return problems.value(path, "must be text");
  const problem = webhookProblem(value);
  return problem === undefined ? value : problems.value(path, problem);
}

/** The value is not repeated: somebody may have written the secret itself. */
function readSecretName(value: unknown, path: Path, problems: Problems): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string" && SECRET_ENV_NAME.test(value)) return value;
  return problems.value(
    path,
    "must be the name of an environment variable that begins with BACKOUT_",
    "For example BACKOUT_WEBHOOK_SECRET: capitals, digits and _. The executable can read no other.",
  );
}

function readOutcomes(value: unknown, path: Path, problems: Problems): readonly NotifyOutcome[] | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) {
    return problems.value(path, "must be a list", `Of ${wordList(NOTIFY_OUTCOMES)}: on: [failure].`);
  }
  if (value.length === 0) {
    return problems.value(path, "is empty", "Leave it out for all outcomes, or take the target out.");
  }
  return value.flatMap((it: unknown, i) => readChoice(it, [...path, i], NOTIFY_OUTCOMES, problems) ?? []);
}
