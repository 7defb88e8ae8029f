import { basename, resolve } from "node:path";
import * as z from "zod";
import { messageOf } from "#/core/errors.ts";
import { ProgramError, programText } from "#/target/run_program.ts";
import type { CheckContext, CheckDriver, CheckSight } from "./check.ts";
import { sight } from "./sight.ts";

const schema = z.strictObject({
  name: z.string().min(1).describe("The name of its program, for example nginx.").optional(),
  pid_file: z.string().min(1).describe("A file with its process id.").optional(),
}).refine(({ name, pid_file }) => (name === undefined) !== (pid_file === undefined), {
  error: "needs one of name and pid_file",
});

/** Names in the kernel's table are cut to this. */
const KERNEL_NAME_LENGTH = 15;
const LARGEST_PID_FILE = 4_096;

/** A process runs. */
export const driver: CheckDriver<z.output<typeof schema>> = {
  type: "process",
  summary: "A process runs, by the name of its program or its pid file.",
  schema,
  programs: ["ps"],
  subject: ({ name, pid_file }) => name ?? pid_file ?? "",
  run: async ({ name, pid_file }, context) =>
    name === undefined ? await byPidFile(pid_file ?? "", context) : await byName(name, context),
};

async function byName(name: string, context: CheckContext): Promise<CheckSight> {
  const lines = (await ps(["-A", "-o", "pid=,stat=,ucomm=,args="], context)).split("\n");
  const running = lines.filter((line) => {
    const [, pid, state = "", kernelName = "", program = ""] =
      /^\s*(\d+)\s+(\S+)\s+(\S+)\s+(\S+)/.exec(line) ?? [];
    if (pid === undefined || Number(pid) === Deno.pid || state.startsWith("Z")) return false;
    // nginx writes "nginx: master process …" over its arguments.
    return kernelName === name || basename(program).replace(/:$/, "") === name ||
      name.length > KERNEL_NAME_LENGTH && kernelName === name.slice(0, KERNEL_NAME_LENGTH);
  });
  const found = running.length === 0
    ? "none"
    : running.length === 1
    ? "1 process"
    : `${running.length} processes`;
  return sight(
    running.length > 0,
    `processes named ${name}`,
    running.length > 0 ? found : "at least 1",
    found,
  );
}

async function byPidFile(file: string, context: CheckContext): Promise<CheckSight> {
  const what = `the process of ${file}`;
  const see = (passed: boolean, found: string) => sight(passed, what, passed ? found : "running", found);
  let text: string;
  try {
    text = await firstOf(resolve(context.folder, file));
  } catch (error) {
    return see(false, error instanceof Deno.errors.NotFound ? "no pid file" : messageOf(error));
  }
  const pid = /^\s*(\d{1,10})\b/.exec(text)?.[1];
  if (pid === undefined) return see(false, "a pid file without a number");
  const state = await stateOf(pid, context);
  if (state === undefined) return see(false, `no process ${pid}`);
  return see(!state.startsWith("Z"), state.startsWith("Z") ? `${pid}, which has ended` : `running as ${pid}`);
}

/** A pid file is short; something else is not read whole. */
async function firstOf(path: string): Promise<string> {
  using file = await Deno.open(path, { read: true });
  const buffer = new Uint8Array(LARGEST_PID_FILE);
  const size = await file.read(buffer) ?? 0;
  return new TextDecoder().decode(buffer.subarray(0, size));
}

async function stateOf(pid: string, context: CheckContext): Promise<string | undefined> {
  try {
    return (await ps(["-p", pid, "-o", "stat="], context)).trim() || undefined;
  } catch (error) {
    if (error instanceof ProgramError && error.exitCode === 1) return undefined;
    throw error;
  }
}

async function ps(args: readonly string[], context: CheckContext): Promise<string> {
  return await programText({ program: "ps", package: "procps", args, env: { LC_ALL: "C.UTF-8" }, context });
}
