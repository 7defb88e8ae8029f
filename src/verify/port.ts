import * as z from "zod";
import { ProgramError, programText } from "#/target/run_program.ts";
import type { CheckContext, CheckDriver } from "./check.ts";
import { sight } from "./sight.ts";

const schema = z.strictObject({
  port: z.int().min(1).max(65_535).describe("The TCP port of this machine."),
  listening: z.boolean().describe("false: nothing may listen there (true).").optional(),
});

/** Something listens on a port of this machine. Looks at the kernel's table: nothing is connected to. */
export const driver: CheckDriver<z.output<typeof schema>> = {
  type: "port",
  summary: "A program of this machine listens on a TCP port, or none does.",
  schema,
  programs: ["cat"],
  subject: ({ port, listening }) => listening === false ? `${port} is free` : String(port),
  run: async ({ port, listening = true }, context) => {
    const addresses = (await tables(context)).split("\n").flatMap((line) => listenerOf(line, port));
    const words = (is: boolean) => is ? "a listener" : "no listener";
    const found = addresses.length > 0;
    return sight(found === listening, `port ${port}`, words(listening), words(found));
  },
};

/** IPv6 may be turned off: then its table is not there. */
async function tables(context: CheckContext): Promise<string> {
  const read = (file: string) => programText({ program: "cat", package: "coreutils", args: [file], context });
  const four = await read("/proc/net/tcp");
  try {
    return `${four}\n${await read("/proc/net/tcp6")}`;
  } catch (error) {
    if (error instanceof ProgramError && error.end === "failed") return four;
    throw error;
  }
}

const LISTENING = "0A";

/** `  0: 0100007F:1F90 00000000:0000 0A …` */
function listenerOf(line: string, port: number): readonly string[] {
  const [, local = "", , state] = line.trim().split(/\s+/);
  const at = local.lastIndexOf(":");
  return state === LISTENING && at > 0 && Number.parseInt(local.slice(at + 1), 16) === port ? [local] : [];
}
