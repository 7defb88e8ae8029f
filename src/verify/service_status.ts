import { existsSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import * as z from "zod";
import { UsageError } from "#/core/errors.ts";
import { ProgramError, programText } from "#/target/run_program.ts";
import type { CheckContext, CheckDriver } from "./check.ts";
import { sight } from "./sight.ts";

const MANAGERS = ["auto", "systemd", "systemd-user", "s6", "openrc", "service"] as const;
type Manager = Exclude<typeof MANAGERS[number], "auto">;

const serviceName = z.string().regex(/^[A-Za-z0-9_/.@:\\-]+$/, { error: "is not the name of a service" })
  .refine((name) => !name.startsWith("-"), { error: "is not the name of a service" });

const schema = z.strictObject({
  services: z.union([serviceName, z.array(serviceName).min(1)]).describe("The services that must be up."),
  manager: z.enum(MANAGERS).describe("Who runs them; by default what this machine was started with.")
    .optional(),
  scan_folder: z.string().min(1).describe("Only s6: the folder of the service folders (/run/service).")
    .optional(),
});

const S6_FOLDERS = ["/run/service", "/run/s6-rc/servicedirs", "/run/s6/services", "/service", "/etc/service"];

/** What one service is: `up` and the words that its manager has for it. */
interface State {
  readonly up: boolean;
  readonly word: string;
}

interface Request {
  readonly service: string;
  readonly folder: string | undefined;
  readonly context: CheckContext;
}

/** Services run, whoever manages them. */
export const driver: CheckDriver<z.output<typeof schema>> = {
  type: "service_status",
  summary: "Services are up: of systemd, s6, OpenRC or `service`.",
  schema,
  programs: ["systemctl", "s6-svstat", "rc-service", "service"],
  subject: ({ services }) => [services].flat().join(", "),
  run: async ({ services, manager = "auto", scan_folder }, context) => {
    const names = [services].flat();
    const look = LOOK[manager === "auto" ? detectManager() : manager];
    const states: State[] = [];
    for (const service of names) states.push(await look({ service, folder: scan_folder, context }));
    const down = names.filter((_, i) => !states[i]!.up);
    const list = (word: (i: number) => string) => names.map((name, i) => `${name} ${word(i)}`).join(", ");
    const passed = down.length === 0;
    const found = list((i) => states[i]!.word);
    return sight(
      passed,
      names.length === 1 ? "the service" : "the services",
      passed ? found : list(() => "up"),
      found,
    );
  },
};

/** What a machine was started with leaves its traces in /run. */
function detectManager(): Manager {
  if (existsSync("/run/systemd/system")) return "systemd";
  if (existsSync("/run/openrc/softlevel")) return "openrc";
  if (existsSync("/run/s6-rc") || existsSync("/run/s6") || existsSync("/run/service")) return "s6";
  return "service";
}

const LOOK: Readonly<Record<Manager, (request: Request) => Promise<State>>> = {
  "systemd": (request) => systemd(request, []),
  "systemd-user": (request) => systemd(request, ["--user"]),
  s6,
  "openrc": (request) => byExitCode(request, "rc-service", "openrc", [request.service, "status"]),
  "service": (request) => byExitCode(request, "service", "init-system-helpers", [request.service, "status"]),
};

async function systemd({ service, context }: Request, user: readonly string[]): Promise<State> {
  const text = await programText({
    program: "systemctl",
    package: "systemd",
    args: [...user, "show", "--no-pager", "--property=LoadState,ActiveState,SubState", "--", service],
    env: user.length === 0 ? {} : userBus(context),
    context,
  });
  const value = (key: string) => new RegExp(`^${key}=(.*)$`, "m").exec(text)?.[1] ?? "";
  const [load, active, sub] = [value("LoadState"), value("ActiveState"), value("SubState")];
  if (load === "not-found") return { up: false, word: "not found" };
  if (load === "masked") return { up: false, word: "masked" };
  return { up: active === "active" || active === "reloading", word: `${active} (${sub})` };
}

/** Where a user's own systemd is reached. */
function userBus({ env }: CheckContext): Record<string, string> {
  const bus = env("DBUS_SESSION_BUS_ADDRESS");
  return {
    XDG_RUNTIME_DIR: env("XDG_RUNTIME_DIR") ?? `/run/user/${Deno.uid() ?? 0}`,
    ...(bus === undefined ? {} : { DBUS_SESSION_BUS_ADDRESS: bus }),
  };
}

/** `up (pid 123) 5 seconds, ready 4 seconds` */
async function s6({ service, folder, context }: Request): Promise<State> {
  const places = isAbsolute(service)
    ? [service]
    : (folder === undefined ? S6_FOLDERS : [folder]).map((place) => join(place, service));
  const place = places.find((it) => existsSync(it));
  if (place === undefined) return { up: false, word: "not found" };
  try {
    const text = await programText({ program: "s6-svstat", package: "s6", args: [place], context });
    const word = /^(up|down)\b/.exec(text)?.[1] ?? "unknown";
    return { up: word === "up", word };
  } catch (error) {
    if (error instanceof ProgramError && error.end === "failed") return { up: false, word: "not supervised" };
    throw error;
  }
}

/** As the Linux Standard Base says: 0 runs, 1 to 3 do not, 4 unknown. */
async function byExitCode(
  { context }: Request,
  program: string,
  debian: string,
  args: readonly string[],
): Promise<State> {
  try {
    await programText({ program, package: debian, args, context });
    return { up: true, word: "up" };
  } catch (error) {
    if (!(error instanceof ProgramError) || error.end !== "failed") throw error;
    const code = error.exitCode ?? 4;
    if (code >= 126) throw new UsageError(error.message);
    return { up: false, word: code <= 3 && code >= 1 ? "down" : `unknown (exit code ${code})` };
  }
}
