/** What an engine refused, in words that say what to do. */
import { ProgramError } from "../program_error.ts";

export type EngineProblem =
  | "unreachable"
  | "hangs"
  | "no_permission"
  | "port_taken"
  | "name_taken"
  | "image_gone"
  | "no_space"
  | "no_such_thing"
  | "refused";

/** The engine could not be asked, or refused. */
export class EngineError extends ProgramError {
  override readonly kind = "engine";
  constructor(
    message: string,
    readonly problem: EngineProblem,
    program: string,
    options: ConstructorParameters<typeof ProgramError>[3],
  ) {
    super(message, program, "failed", options);
  }
}

/** Words of docker, podman and their servers, and what they mean; the first that fits counts. */
const PROBLEMS: readonly (readonly [RegExp, EngineProblem, string])[] = [
  [
    /permission denied.*(connect|sock|dial)|(connect|dial|sock).*permission denied/i,
    "no_permission",
    "Run as root, or as a member of the group that owns the engine's socket (usually docker).",
  ],
  [
    /cannot connect to the docker daemon|connection refused|is the docker daemon running|unable to connect to podman|dial unix|error during connect|connection reset|unexpected EOF|^EOF$|no such host/i,
    "unreachable",
    "Start it (systemctl start docker), or say which engine is meant by `engine:`, DOCKER_HOST or CONTAINER_HOST; then run the command again.",
  ],
  [
    /port is already allocated|bind for .+ failed|address already in use|port.*already in use/i,
    "port_taken",
    "Stop what listens on that port (ss -ltnp shows it), then run the command again.",
  ],
  [
    /name .*is already in use|name .*already in use by/i,
    "name_taken",
    "Rename or remove that container, then run the command again.",
  ],
  [
    /no such image|failed to find image|image not known|pull access denied|manifest unknown|unable to find image/i,
    "image_gone",
    "Load or build the image, or restore a snapshot that was taken with include_images.",
  ],
  [/no space left on device|disk quota exceeded/i, "no_space", "Free some space there, then run it again."],
  [/no such (container|object|volume|network)|not found|no container with/i, "no_such_thing", ""],
];

/** What a failure of an engine's program means; other errors stay as they are. */
export function engineError(error: unknown): unknown {
  if (!(error instanceof ProgramError) || error instanceof EngineError || error.end !== "failed") {
    return error;
  }
  return engineErrorOf(error.message, error.stderr, error.program, error.exitCode);
}

/** The same of a call that has a time limit of the engine's: where it is over, the engine hangs. */
export function answerError(error: unknown): unknown {
  if (!(error instanceof ProgramError) || error.end !== "timed_out") return engineError(error);
  const { message, program, stderr } = error;
  return new EngineError(message, "hangs", program, {
    stderr,
    hint: `The engine hangs: look at its log (journalctl -u ${program}), start it again, and then run the ` +
      "command again.",
  });
}

/** @param said what the engine said: it decides what the problem is */
export function engineErrorOf(
  message: string,
  said: string,
  program: string,
  exitCode: number | undefined,
): EngineError {
  const found = PROBLEMS.find(([words]) => words.test(said));
  const [, problem, hint] = found ?? [undefined, "refused" as const, ""];
  return new EngineError(message, problem, program, {
    stderr: said,
    ...(hint === "" ? {} : { hint }),
    ...(exitCode === undefined ? {} : { exitCode }),
  });
}

/** Whether the engine itself does not answer, or may not be asked: then nothing else will work. */
export function isEngineAway(error: unknown): boolean {
  return error instanceof EngineError &&
    ["unreachable", "hangs", "no_permission"].includes(error.problem);
}
