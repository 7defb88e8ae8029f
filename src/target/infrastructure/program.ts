/** Runs Terraform or OpenTofu in one folder: no questions, no colours, no calls home, the environment that was given. */
import { isJsonObject, type JsonObject } from "#/core/json.ts";
import { type ProgramRequest, type ProgramResult, runProgram } from "../run_program.ts";
import type { TargetContext } from "../target.ts";

/** What providers and backends of the large clouds read, and where plugins are cached. */
const PASSED_ON: readonly string[] = [
  ..."TF_CLI_CONFIG_FILE TF_PLUGIN_CACHE_DIR SSL_CERT_FILE KUBECONFIG".split(" "),
  ..."HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy".split(" "),
];
const SECRETS: readonly string[] = [
  ..."AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_PROFILE AWS_REGION AWS_DEFAULT_REGION"
    .split(" "),
  ..."GOOGLE_APPLICATION_CREDENTIALS GOOGLE_CREDENTIALS GOOGLE_PROJECT".split(" "),
  ..."ARM_CLIENT_ID ARM_CLIENT_SECRET ARM_SUBSCRIPTION_ID ARM_TENANT_ID".split(" "),
];
/** What is blotted out of messages when it comes from here. */
const SECRET_NAME = /KEY|SECRET|TOKEN|PASSWORD|CREDENTIALS$/i;
/** For another run that holds the lock on the state: a killed one may go on for a while. */
const LOCK_TIMEOUT = "-lock-timeout=60s";

export interface ProgramSettings {
  readonly program: string;
  /** From the target's `env`. */
  readonly env: Readonly<Record<string, string>>;
  /** Values in `env` that came from the environment. */
  readonly secrets: readonly string[];
}

/** One working folder, and the workspace that is worked on; undefined: the one that is selected. */
export class Terraform {
  constructor(
    readonly folder: string,
    readonly settings: ProgramSettings,
    readonly context: Pick<TargetContext, "env" | "signal">,
    readonly workspace?: string,
    /** Where the configuration is; `path.cwd` stays the working folder. */
    readonly elsewhere?: string,
  ) {}

  in(elsewhere: string, workspace?: string): Terraform {
    return new Terraform(this.folder, this.settings, this.context, workspace, elsewhere);
  }

  run(args: readonly string[], more: Partial<ProgramRequest> = {}): Promise<ProgramResult> {
    const { program, env, secrets } = this.settings;
    const passed = named([...PASSED_ON, ...SECRETS], this.context.env);
    return runProgram({
      program,
      args: this.elsewhere === undefined ? args : [`-chdir=${this.elsewhere}`, ...args],
      package: "",
      context: this.context,
      cwd: this.folder,
      env: {
        ...passed,
        ...env,
        CHECKPOINT_DISABLE: "1",
        TF_IN_AUTOMATION: "1",
        TF_INPUT: "0",
        ...(this.workspace === undefined ? {} : { TF_WORKSPACE: this.workspace }),
      },
      secrets: [
        ...secrets,
        ...Object.keys(passed).filter((it) => SECRET_NAME.test(it)).map((it) => passed[it]!),
      ],
      doing: `run ${program} ${args[0]} in ${this.folder}`,
      ...more,
    });
  }

  async text(args: readonly string[]): Promise<string> {
    return new TextDecoder().decode((await this.run(args)).stdout).trim();
  }

  init(more: readonly string[] = []): Promise<ProgramResult> {
    return this.run(["init", "-input=false", "-no-color", ...more]);
  }

  /**
   * Works out what is to be done, and saves it.
   * @returns true when there is something
   */
  async plan(out: string, variables: readonly string[], more: readonly string[] = []): Promise<boolean> {
    const args = ["plan", "-input=false", "-no-color", "-detailed-exitcode", LOCK_TIMEOUT, `-out=${out}`];
    const result = await this.run([...args, ...variables, ...more], { okCodes: [0, 2] });
    return result.exitCode === 2;
  }

  apply(plan: string): Promise<ProgramResult> {
    return this.run(["apply", "-input=false", "-no-color", LOCK_TIMEOUT, plan]);
  }

  /** The program's own JSON of a saved plan. May hold secrets: only addresses and actions are to be taken from it. */
  async showPlan(plan: string): Promise<JsonObject> {
    return asObject(JSON.parse(await this.text(["show", "-json", "-no-color", plan])));
  }

  async version(): Promise<string> {
    const said = asObject(JSON.parse(await this.text(["version", "-json"])));
    return String(said["terraform_version"] ?? "unknown");
  }
}

function named(names: readonly string[], env: TargetContext["env"]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of names) {
    const value = env(name);
    if (value !== undefined && value !== "") found[name] = value;
  }
  return found;
}

export function asObject(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {};
}
