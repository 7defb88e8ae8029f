/**
 * The demo: publishes three releases, takes the bad one out, puts it back, and survives a kill -9, all in a
 * temporary folder. Each command is the real one with its real output. `BACKOUT_BIN` names an executable to use
 * instead of the source, `--keep` leaves the folder behind.
 */
import { join } from "node:path";
import { buildRelease, copyTree, treeDigest } from "./demo_releases.ts";
import { countCalls, DemoError, Stage } from "./demo_stage.ts";

const CONFIG = `version: 1
repository: releases
audit:
  sign: true
  signing_key: keys/audit.pem
`;

function main(args: readonly string[]): number {
  const unknown = args.find((arg) => arg !== "--keep");
  if (unknown !== undefined) {
    console.error(`Unknown argument ${unknown}. The demo knows only --keep.`);
    return 2;
  }
  const keep = args.includes("--keep");
  const temp = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "backout-demo-" }));
  const stop = (): never => {
    if (!keep) Deno.removeSync(temp, { recursive: true });
    Deno.exit(130);
  };
  Deno.addSignalListener("SIGINT", stop);
  try {
    play(temp);
    console.log(
      keep ? `\nEverything is still in ${temp}/work.` : "\nThe folder is removed again; --keep leaves it.",
    );
    return 0;
  } catch (error) {
    if (!(error instanceof DemoError)) throw error;
    console.error(`\nThe demo went wrong: ${error.message}`);
    return 1;
  } finally {
    Deno.removeSignalListener("SIGINT", stop);
    if (!keep) Deno.removeSync(temp, { recursive: true });
  }
}

function play(temp: string): void {
  const work = join(temp, "work");
  Deno.mkdirSync(join(work, "releases"), { recursive: true });
  const stage = new Stage(work);
  stage.say("backout takes a release back, all or nothing, and proves it.");
  stage.say(`These are real commands with their real output, run in ${work}`);
  if (stage.shortens) {
    stage.say(
      "Without a terminal, as here, a command prints its whole report: […] stands for what is left out.",
    );
  }

  prepare(stage);
  publish(stage);
  lookFirst(stage);
  rollBack(stage);
  restore(stage);
  survive(stage, join(temp, "rehearsal"));
  prove(stage);
}

function prepare(stage: Stage): void {
  stage.chapter("A repository");
  Deno.writeTextFileSync(join(stage.cwd, "backout.yaml"), CONFIG);
  Deno.mkdirSync(join(stage.cwd, "keys"));
  stage.cat(
    "backout.yaml",
    "The repository is a folder, as a web server would serve it. Every operation will be signed.",
  );
  stage.backout(["audit", "keygen", "--out", "keys/audit.pem"], {
    note: "A key pair to sign the audit log with.",
  });
}

function publish(stage: Stage): void {
  stage.chapter("Three releases");
  for (const [version, broken] of [["v1.0.0", false], ["v1.0.1", false], ["v1.0.2", true]] as const) {
    buildRelease(join(stage.cwd, "build", version), version, { broken });
  }
  const channel = ["--channel", "stable"];
  stage.backout(["release", "publish", "v1.0.0", "build/v1.0.0", ...channel], {
    note: "The files are copied in first, then the index names them: a reader never sees half a release.",
  });
  stage.backout(["release", "publish", "v1.0.1", "build/v1.0.1", ...channel], {
    note: "The channel stable moved on to v1.0.1.",
  });
  stage.backout(["release", "publish", "v1.0.2", "build/v1.0.2", ...channel, "--depends-on", "v1.0.1"], {
    note: "v1.0.2 says that it needs v1.0.1. It also has a bug, as we are about to hear.",
  });
  stage.backout(["release", "list"], { note: "What is published, newest first." });
  stage.cat(
    "releases/index.json",
    "The index is one JSON file. Replacing it is the moment an operation happens.",
    36,
  );
}

function lookFirst(stage: Stage): void {
  stage.chapter("Look before you leap");
  stage.backout(["release", "rollback", "v1.0.2", "--dry-run"], {
    note: "A dry run lists exactly the steps that the real run takes, and changes nothing.",
  });
  stage.backout(["release", "rollback", "v1.0.1"], {
    exit: 42,
    note: "Refused: v1.0.2 needs v1.0.1. A script sees that from exit code 42.",
  });
}

function rollBack(stage: Stage): void {
  stage.chapter("Take the bad release out");
  stage.backout(["release", "rollback", "v1.0.2", "--reason", "the page is blank"], {
    note: "v1.0.2 is out of the index, its files are in a backup, and stable names v1.0.1 again.",
    whole: true,
  });
  expect(!exists(join(stage.cwd, "releases/v1.0.2")), "v1.0.2 is still in the published tree.");
  stage.backout(["release", "list"], {
    note: "The tombstone of v1.0.2 stops anybody from republishing it silently.",
  });
  stage.backout(["release", "verify"], {
    note: "What is left was read whole and compared with its digests.",
  });
  stage.backout(["backup", "list"], {
    note: "A backup is a folder of its own. Its files were moved, not copied.",
  });
}

function restore(stage: Stage): void {
  stage.chapter("Put it back");
  stage.backout(["release", "restore", "v1.0.2"], {
    note: "Restored from its backup, checked by digest before the index named it again.",
  });
  const same = treeDigest(join(stage.cwd, "releases/v1.0.2")) === treeDigest(join(stage.cwd, "build/v1.0.2"));
  expect(same, "The restored files differ from the published ones.");
  stage.note("The demo compared the restored files with the originals: byte for byte the same.");
}

function survive(stage: Stage, rehearsal: string): void {
  stage.chapter("kill -9 in the middle");
  const words = ["release", "rollback", "v1.0.2", "--reason", "still blank"];
  const call = firstMove(stage.cwd, rehearsal, words);
  stage.killed(
    words,
    call,
    "SIGKILL, sent by the demo just before the files move: the index has changed already, the files have not.",
  );
  stage.backout(["status"], { note: "Anybody who looks is told that an operation is unfinished." });
  stage.backout(["recover"], {
    note:
      "The index says that the rollback happened, so it is finished. Any other changing command would do this by itself.",
  });
  expect(!exists(join(stage.cwd, "releases/v1.0.2")), "v1.0.2 is still in the published tree.");
  stage.backout(["backup", "verify", "--read-data"], {
    note: "Nothing is lost: every byte of the backups was read and compared with its digest.",
  });
  stage.backout(["status"], {
    note: "Before or after, never between: nothing is unfinished, nothing is locked.",
  });
}

function prove(stage: Stage): void {
  stage.chapter("Who did what, and is that true?");
  stage.backout(["history"], { note: "Every operation, also the refused one and the dry run." });
  stage.backout(["audit", "verify"], {
    note:
      "Each entry is signed and carries the digest of the one before: none was changed, removed or cut off.",
  });
}

/**
 * The number of the call that moves the first of the release's files, found in a copy of the folder:
 * by then the index has been replaced.
 */
function firstMove(cwd: string, rehearsal: string, words: readonly string[]): number {
  copyTree(cwd, join(rehearsal, "work"));
  const calls = countCalls(join(rehearsal, "work"), words, join(rehearsal, "calls"));
  const move = calls.find((line) => /^\d+ rename ".*\/releases\/v1\.0\.2["/]/.test(line));
  if (move === undefined) throw new DemoError("The rehearsal moved no file.");
  return Number(move.split(" ")[0]);
}

function expect(condition: boolean, otherwise: string): void {
  if (!condition) throw new DemoError(otherwise);
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

if (import.meta.main) Deno.exit(main(Deno.args));
