import assert from "node:assert/strict";
import { join } from "node:path";
import { exists, filesOf, put } from "./git_support.ts";
import { inWorld, targetContract, type TargetFixture } from "./target_contract.ts";
import { testRequiring } from "../support/require.ts";

const infra = (world: string) => join(world, "infra");
const ENV = { TF_CLI_CONFIG_FILE: "/dev/null", CHECKPOINT_DISABLE: "1", TF_IN_AUTOMATION: "1" };
const SECRET = "hunter-two-of-the-state";

/** A thing of the world: a file that a provisioner makes, and takes away with its resource. */
const MAIN = `
variable "size" {}
variable "token" {
  default   = "${SECRET}"
  sensitive = true
}
resource "terraform_data" "thing" {
  triggers_replace = [var.size]
  input            = "\${path.cwd}/../thing-\${var.size}"
  provisioner "local-exec" { command = "touch '\${self.input}'" }
  provisioner "local-exec" {
    when    = destroy
    command = "rm -f '\${self.input}'"
  }
}
output "size" { value = terraform_data.thing.output }
output "token" {
  value     = var.token
  sensitive = true
}
`;

function terraform(world: string, ...args: readonly string[]): string {
  const { success, stdout, stderr } = new Deno.Command("terraform", {
    args: [...args],
    cwd: infra(world),
    env: { ...ENV, PATH: Deno.env.get("PATH")!, HOME: world },
    clearEnv: true,
    stdin: "null",
  }).outputSync();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

function apply(world: string): void {
  terraform(world, "apply", "-auto-approve", "-input=false", "-no-color", "-var-file=../elsewhere.tfvars");
}

/** The files, the things of the world, and what the state says of them (ids are new each time a thing is made). */
function look(world: string): unknown {
  const files = Object.entries(filesOf(infra(world))).filter(([path]) =>
    !/^\.terraform\/|tfstate/.test(path)
  );
  const outputs = exists(`${infra(world)}/terraform.tfstate`) || exists(`${infra(world)}/terraform.tfstate.d`)
    ? Object.entries(JSON.parse(Deno.readTextFileSync(stateOf(world))).outputs).map(([name, it]) => [
      name,
      (it as { value: string }).value,
    ])
    : [];
  const things = [...Deno.readDirSync(world)].map((it) => it.name).filter((it) => it.startsWith("thing"))
    .sort();
  const workspace = exists(`${infra(world)}/.terraform/environment`)
    ? Deno.readTextFileSync(`${infra(world)}/.terraform/environment`)
    : "default";
  return { files, outputs, things, workspace, variables: Deno.readTextFileSync(`${world}/elsewhere.tfvars`) };
}

function stateOf(world: string): string {
  const environment = `${infra(world)}/.terraform/environment`;
  const name = exists(environment) ? Deno.readTextFileSync(environment) : "default";
  return name === "default"
    ? `${infra(world)}/terraform.tfstate`
    : `${infra(world)}/terraform.tfstate.d/${name}/terraform.tfstate`;
}

const base: TargetFixture = {
  name: "infrastructure: one thing",
  type: "infrastructure",
  needs: ["posix", "terraform"],
  setUp: (world) => {
    put(infra(world), "main.tf", MAIN);
    put(infra(world), "modules/note.txt", "a note\n");
    put(world, "elsewhere.tfvars", 'size = "small"\n');
    terraform(world, "init", "-input=false", "-no-color");
    apply(world);
    return { path: infra(world), var_files: ["../elsewhere.tfvars"] };
  },
  changes: {
    "another size was applied": (world) => {
      put(world, "elsewhere.tfvars", 'size = "large"\n');
      put(infra(world), "more.tf", 'output "more" { value = 1 }\n');
      apply(world);
    },
  },
  look,
  env: () => ENV,
  secrets: [SECRET],
  exported: (world, folder) => {
    assert.equal(Deno.readTextFileSync(`${folder}/configuration/main.tf`), MAIN);
    assert.equal(Deno.readTextFileSync(`${folder}/terraform.tfstate`), Deno.readTextFileSync(stateOf(world)));
  },
  killPoints: 3,
};
targetContract(base);

testRequiring(
  ["posix", "terraform"],
  "infrastructure: a broken configuration can be taken back",
  async () => {
    await inWorld(base, async ({ folder, driver, target, context, capture }) => {
      const before = look(folder);
      const saved = await capture();
      put(infra(folder), "main.tf", "this is { not a configuration\n");
      const safety = await capture(saved);
      const plan = await driver.plan(target, saved, context());
      assert.deepEqual([plan.problems, plan.changes.length], [[], 1]);
      await driver.restore(target, saved, context());
      assert.deepEqual(look(folder), before);
      assert.ok(safety.files > 0);
    });
  },
);

testRequiring(
  ["posix", "terraform"],
  "infrastructure: a drift of the world alone is seen and taken back",
  async () => {
    await inWorld(base, async ({ folder, driver, target, context, capture }) => {
      const saved = await capture();
      terraform(
        folder,
        "destroy",
        "-auto-approve",
        "-input=false",
        "-no-color",
        "-var-file=../elsewhere.tfvars",
      );
      assert.equal(exists(`${folder}/thing-small`), false);
      const plan = await driver.plan(target, saved, context());
      assert.ok(plan.changes.some((it) => it.action === "create" && it.path === "terraform_data.thing"));
      await driver.restore(target, saved, context());
      assert.ok(exists(`${folder}/thing-small`));
    });
  },
);

testRequiring(
  ["posix", "terraform"],
  "infrastructure: apply: false puts back the configuration only",
  async () => {
    const setUp = async (world: string) => ({ ...await base.setUp(world), apply: false });
    await inWorld({ ...base, setUp }, async ({ folder, driver, target, context, capture }) => {
      const saved = await capture();
      base.changes["another size was applied"]!(folder);
      const plan = await driver.plan(target, saved, context());
      assert.match(plan.warnings.join(), /stays as it is/);
      await driver.restore(target, saved, context());
      assert.equal(exists(`${infra(folder)}/more.tf`), false);
      assert.ok(exists(`${folder}/thing-large`));
    });
  },
);

testRequiring(
  ["posix", "terraform"],
  "infrastructure: a workspace is worked on without selecting it",
  async () => {
    const setUp = async (world: string) => {
      const config = await base.setUp(world);
      terraform(world, "workspace", "new", "-no-color", "staging");
      put(world, "elsewhere.tfvars", 'size = "staged"\n');
      apply(world);
      terraform(world, "workspace", "select", "-no-color", "default");
      return { ...config, workspace: "staging" };
    };
    await inWorld({ ...base, setUp }, async ({ folder, driver, target, context, capture }) => {
      const saved = await capture();
      assert.equal(saved.metadata["workspace"], "staging");
      put(folder, "elsewhere.tfvars", 'size = "other"\n');
      const env = { ...ENV, PATH: Deno.env.get("PATH")!, TF_WORKSPACE: "staging" };
      const args = ["apply", "-auto-approve", "-input=false", "-var-file=../elsewhere.tfvars"];
      const options = { args, cwd: infra(folder), env, clearEnv: true, stdin: "null" } as const;
      assert.ok((await new Deno.Command("terraform", options).output()).success);
      assert.ok(exists(`${folder}/thing-other`) && !exists(`${folder}/thing-staged`));
      const plan = await driver.plan(target, saved, context());
      assert.ok(plan.changes.some((it) => it.path === "terraform_data.thing"), JSON.stringify(plan));
      await driver.restore(target, saved, context());
      assert.ok(exists(`${folder}/thing-staged`) && !exists(`${folder}/thing-other`));
      assert.ok(exists(`${folder}/thing-small`), "the other workspace was touched");
    });
  },
);

testRequiring(
  ["posix", "terraform"],
  "infrastructure: what is not there, or not set up, is refused",
  async () => {
    await inWorld({ ...base, setUp: (world) => ({ path: infra(world) }) }, async ({ capture }) => {
      await assert.rejects(capture(), { name: "RollbackVersionNotFoundError" });
    });
    const setUp = (world: string) => {
      put(infra(world), "main.tf", "nonsense {\n");
      return { path: infra(world) };
    };
    await inWorld({ ...base, setUp }, async ({ capture }) => {
      await assert.rejects(capture(), { name: "RollbackBackupError" });
    });
  },
);
