/**
 * A rollback of two hundred components to a lock file, beside a shell loop that makes the same git calls, four at a time:
 * `deno run -A tests/bench/component_bench.ts [ROUNDS]`, or as a part of `deno task bench`.
 */
import { makeMany } from "../components/many_support.ts";
import { tempDir } from "../support/temp.ts";
import { compare, markdownTable, milliseconds, type Row, timed } from "./measure.ts";
import { findSubject, type Subject } from "./subject.ts";

const GOAL = 1.2;

const LOOP = `git -C "components/$1" status --porcelain >"$3" 2>&1 &&
git -C "components/$1" rev-parse -q --verify "$2^{commit}" >"$3" &&
git -C "components/$1" checkout -q "$2" &&
git -C "components/$1" rev-parse HEAD >"$3"`;

export function benchComponents(
  { subject, folder, rounds, quick }: {
    readonly subject: Subject;
    readonly folder: string;
    readonly rounds: number;
    readonly quick: boolean;
  },
): readonly Row[] {
  const place = `${folder}/components`;
  Deno.mkdirSync(place);
  const count = quick ? 40 : 200;
  const { root, names, locks } = makeMany(place, count, count / 10);
  let turn = 0;
  const byLoop = () => {
    const version = turn++ % 2 === 0 ? "v1.0.0" : "v1.1.0";
    const list = names.map((name) => `${name}\n`).join("");
    Deno.writeTextFileSync(`${place}/names`, list);
    const xargs = `xargs -P 4 -I{} sh -c '${LOOP}' sh {} ${version} /dev/null <"${place}/names"`;
    timed(["sh", "-c", xargs], { cwd: root });
  };
  let own = 0;
  const byBackout = () => {
    const lock = locks[own++ % 2]!;
    timed([...subject.command, "component", "rollback", "--lock", lock, "--yes", "--json"], { cwd: root });
  };
  // Each starts from where the other does: the newer version checked out.
  const settle = () => {
    const xargs = `xargs -P 4 -I{} git -C components/{} checkout -q v1.1.0 <"${place}/names"`;
    timed(["sh", "-c", xargs], { cwd: root });
    [turn, own] = [0, 0];
  };
  Deno.writeTextFileSync(`${place}/names`, names.map((name) => `${name}\n`).join(""));
  const medians = compare([
    { name: "loop", prepare: settle, run: byLoop },
    { name: "backout", prepare: settle, run: byBackout },
  ], rounds);
  const [loop, backout] = [medians.get("loop")!, medians.get("backout")!];
  const ratio = backout / loop;
  return [{
    what: `rollback of ${count} components to a lock file`,
    measured: milliseconds(backout),
    against: `xargs -P 4: status, rev-parse, checkout, rev-parse of each: ${milliseconds(loop)}`,
    result: `${ratio.toFixed(2)} times`,
    goal: `at most ${GOAL}`,
    met: ratio <= GOAL,
  }];
}

if (import.meta.main) {
  await using temp = tempDir("backout-component-bench-");
  const subject = findSubject(temp.path);
  const rounds = Number(Deno.args[0] ?? 5);
  console.log(markdownTable(benchComponents({ subject, folder: temp.path, rounds, quick: false })));
}
