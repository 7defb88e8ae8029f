/** The state of an infrastructure, as its backend has it now. It may hold secrets: nothing of it but names is shown. */
import { sha256Hex } from "#/core/sha256.ts";
import { join } from "node:path";
import { canonicalJson, isJsonObject, type JsonObject, type JsonValue } from "#/core/json.ts";
import * as posix from "#/core/posix.ts";
import { ProgramError } from "../run_program.ts";
import { asObject, type Terraform } from "./program.ts";

export interface InfrastructureState {
  /** As the backend gives it; empty where nothing was ever applied. */
  readonly bytes: Uint8Array;
  readonly value: JsonObject;
}

/**
 * The state of the workspace. With a configuration that is broken the program gives none; a local state is then read as
 * it lies there.
 * @returns undefined, and why, where it cannot be read
 */
export async function readState(
  terraform: Terraform,
  workspace: string,
): Promise<{ readonly state?: InfrastructureState; readonly reason?: string }> {
  try {
    const { stdout } = await terraform.run(["state", "pull"]);
    return { state: parse(stdout) };
  } catch (error) {
    if (!(error instanceof ProgramError) || error.end !== "failed") throw error;
    const local = localState(terraform.folder, workspace);
    return local === undefined ? { reason: error.message } : { state: parse(local) };
  }
}

function localState(folder: string, workspace: string): Uint8Array | undefined {
  // Another backend keeps it elsewhere.
  if (posix.lstat(join(folder, ".terraform/terraform.tfstate")) !== undefined) return undefined;
  const path = join(
    folder,
    workspace === "default" ? "" : `terraform.tfstate.d/${workspace}`,
    "terraform.tfstate",
  );
  return posix.lstat(path)?.isFile === true ? Deno.readFileSync(path) : undefined;
}

function parse(bytes: Uint8Array): InfrastructureState {
  const text = new TextDecoder().decode(bytes).trim();
  if (text === "") return { bytes: new Uint8Array(), value: {} };
  // Printed, it has one newline more than as a file.
  return { bytes: new TextEncoder().encode(`${text}\n`), value: asObject(JSON.parse(text)) };
}

/** The selected workspace, also where the configuration is broken. */
export function selectedWorkspace(folder: string): string {
  const path = join(folder, ".terraform/environment");
  return posix.lstat(path)?.isFile === true ? Deno.readTextFileSync(path).trim() || "default" : "default";
}

/**
 * Equal where resources and outputs are. Serial numbers and the program's version do not count, nor the ids of resources:
 * what is made anew has another.
 */
export function stateDigest(state: InfrastructureState | undefined): string | null {
  if (state === undefined) return null;
  const seen = resources(state).map((it) => ({
    address: [it["module"] ?? null, it["mode"] ?? null, it["type"] ?? null, it["name"] ?? null],
    instances: (Array.isArray(it["instances"]) ? it["instances"] : []).map((instance) => {
      const { index_key = null, deposed = null, status = null, attributes } = asObject(instance);
      const { id: _id, ...rest } = asObject(attributes);
      return { index_key, deposed: deposed !== null, status, attributes: rest };
    }),
  }));
  return sha256Hex(canonicalJson({ outputs: state.value["outputs"] ?? {}, resources: seen }));
}

/** Outputs for people; of sensitive ones the digest only. */
export function shownOutputs(state: InfrastructureState | undefined): JsonObject {
  const outputs = asObject(state?.value["outputs"]);
  return Object.fromEntries(
    Object.entries(outputs).map(([name, it]): [string, JsonValue] => {
      const { value = null, sensitive } = asObject(it);
      return [
        name,
        sensitive === true ? { sensitive: true, sha256: sha256Hex(canonicalJson(value)) } : value,
      ];
    }),
  );
}

/** Resources that are managed; data sources do not count. */
export function resourceCount(state: InfrastructureState | undefined): number {
  return resources(state).filter((it) => it["mode"] === "managed")
    .reduce((sum, it) => sum + (Array.isArray(it["instances"]) ? it["instances"].length : 0), 0);
}

/** True when the program itself says that something in it is secret. */
export function holdsSecrets(state: InfrastructureState | undefined): boolean {
  const isSensitive = Object.values(asObject(state?.value["outputs"])).some((it) =>
    asObject(it)["sensitive"] === true
  );
  return isSensitive ||
    resources(state).some(({ instances }) =>
      Array.isArray(instances) && instances.some((it) => {
        const marked = asObject(it)["sensitive_attributes"];
        return Array.isArray(marked) && marked.length > 0;
      })
    );
}

function resources(state: InfrastructureState | undefined): readonly JsonObject[] {
  const all = state?.value["resources"];
  return Array.isArray(all) ? all.filter((it): it is JsonObject => isJsonObject(it)) : [];
}
