/** Clients of an earlier run, or of somebody else, that still work on the same containers: they are let end first. */
import { setTimeout as wait } from "node:timers/promises";
import { cleanEnvironment } from "#/core/child_process.ts";
import { throwIfStopped } from "#/core/pace.ts";
import type { TargetContext } from "../target.ts";
import type { Container } from "./model.ts";

const LONGEST_MS = 60_000;
const LOOK_AGAIN_MS = 200;
/** What changes containers; `logs`, `exec` or `attach` of a person may go on for days. */
const CHANGING = /^\S*(docker|podman)\s+(start|stop|rm|pause|unpause|kill|create|load|tag)\b/;
const COMPOSING = /docker-compose|podman-compose|docker compose|podman compose/;

/** Waits until none is left, a minute at most. A machine without `ps` has none that could be seen. */
export async function waitForOthers(
  project: string,
  containers: readonly Container[],
  context: TargetContext,
): Promise<void> {
  const ids = containers.map((it) => it.id);
  const isOne = (line: string) =>
    CHANGING.test(line) && ids.some((id) => line.includes(id)) ||
    COMPOSING.test(line) && line.includes(` -p ${project} `);
  const deadline = performance.now() + LONGEST_MS;
  while (performance.now() < deadline && commandLines(context).some(isOne)) {
    await wait(LOOK_AGAIN_MS, undefined, { signal: context.signal }).catch(() =>
      throwIfStopped(context.signal)
    );
  }
}

function commandLines({ env }: TargetContext): readonly string[] {
  try {
    const { stdout } = new Deno.Command("ps", {
      args: ["-eo", "args="],
      env: cleanEnvironment(env),
      clearEnv: true,
      stdin: "null",
      stderr: "null",
    }).outputSync();
    return new TextDecoder().decode(stdout).split("\n").map((it) => it.trim());
  } catch {
    return [];
  }
}
