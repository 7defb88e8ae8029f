/** The checkouts of a meta repository, and branches of their remotes, as targets: the contract of all kinds. */
import { COMPONENTS, gitIn, lookAtCheckout, makeMeta } from "../components/meta_support.ts";
import { targetContract } from "./target_contract.ts";

targetContract({
  name: "components: three checkouts with manifest and locks",
  type: "components",
  needs: ["posix", "git"],
  setUp: (world) => {
    makeMeta(world);
    return { path: `${world}/meta`, refs: { lib: ["refs/heads/main"] } };
  },
  changes: {
    "another commit is checked out": (world) => {
      gitIn(`${world}/meta/components/web`, "checkout", "--quiet", "v1.0.0");
      gitIn(`${world}/meta/components/api`, "checkout", "--quiet", "-b", "other", "v1.0.0");
    },
    "a branch moved": (world) => {
      gitIn(`${world}/meta/components/lib`, "commit", "--quiet", "--allow-empty", "-m", "later");
      gitIn(`${world}/meta/components/web`, "reset", "--quiet", "--hard", "v1.0.0");
    },
    "a branch that is not checked out moved": (world) => {
      gitIn(`${world}/meta/components/lib`, "checkout", "--quiet", "v1.0.0");
      gitIn(`${world}/meta/components/lib`, "branch", "--force", "main", "v1.0.0");
    },
    "documents are others": (world) => {
      Deno.writeTextFileSync(`${world}/meta/manifests/components.yaml`, "components: {}\n");
      Deno.writeTextFileSync(`${world}/meta/manifests/components.lock.prod.yaml`, "x: 1\n");
    },
  },
  look: (world) => ({
    checkouts: COMPONENTS.map((name) => lookAtCheckout(`${world}/meta/components/${name}`)).map((seen) => ({
      ...seen as Record<string, unknown>,
      branches: undefined, // others stay
    })),
    main: gitIn(`${world}/meta/components/lib`, "rev-parse", "main"),
    documents: ["components.yaml", "components.lock.prod.yaml"].map((name) =>
      Deno.readTextFileSync(`${world}/meta/manifests/${name}`)
    ),
  }),
  killPoints: 10,
});

targetContract({
  name: "remote_branches: main of two remotes",
  type: "remote_branches",
  needs: ["posix", "git"],
  setUp: (world) => {
    makeMeta(world);
    const branches = ["lib", "web"].map((component) => ({ component, ref: "refs/heads/main" }));
    return { path: `${world}/meta`, branches };
  },
  changes: {
    "somebody pushed": (world) => {
      for (const name of ["lib", "web"]) {
        const checkout = `${world}/meta/components/${name}`;
        gitIn(checkout, "commit", "--quiet", "--allow-empty", "-m", "later");
        gitIn(checkout, "push", "--quiet", "origin", "main");
      }
    },
  },
  look: (world) => ["lib", "web"].map((name) => gitIn(`${world}/remotes/${name}.git`, "rev-parse", "main")),
  killPoints: 6,
});
