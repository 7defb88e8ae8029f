/** The states table and the choice of a channel's target, as data. */
import assert from "node:assert/strict";
import fc from "fast-check";
import "../support/property_seed.ts";
import { canBeNamed, channelTarget, pointedAt, pointedBack } from "#/repository/channel_target.ts";
import type { Channel, ReleaseEntry, RepositoryIndex } from "#/repository/index_format.ts";
import {
  dependentsOf,
  publishedArtifacts,
  rollbackResult,
  stateOf,
  statusByMarks,
} from "#/repository/version_state.ts";

/** The contract's table: state, full, artifacts_only, index_only. */
const TABLE = `
absent    not_found  not_found  not_found
active    removed    emptied    hidden
yanked    removed    emptied    hidden
bad       removed    emptied    hidden
partial   removed    emptied    hidden
emptied   removed    already    removed
hidden    removed    removed    already
removed   already    already    already`;

Deno.test("every rollback of every state gives what the contract's table says", () => {
  const types = ["full", "artifacts_only", "index_only"] as const;
  for (const line of TABLE.trim().split("\n")) {
    const [state, ...results] = line.split(/\s+/);
    types.forEach((type, i) => {
      assert.equal(rollbackResult(state as "active", type), results[i], `${state}, ${type}`);
    });
  }
});

const entry = (version: string, more: Partial<ReleaseEntry> = {}): ReleaseEntry => ({
  version,
  artifacts: [],
  ...more,
});
const mark = (verdict: "good" | "bad") => ({ verdict, at: "now", by: "me", reason: "" });
const yanked = { at: "now", by: "me", reason: "" };

Deno.test("the state is read from the index, and an unknown status is active", () => {
  const stone = {
    rolled_back_at: "",
    rollback_id: "",
    reason: "",
    by: "",
    sha256: null,
    backup: null,
    backups: [],
  };
  const index: RepositoryIndex = {
    releases: [
      entry("plain"),
      entry("odd", { status: "released" as "active" }),
      ...["active", "yanked", "bad", "partial", "emptied"].map((status) =>
        entry(status, { status: status as "active" })
      ),
    ],
    rolled_back: [{ ...stone, version: "hidden", state: "hidden" }, {
      ...stone,
      version: "removed",
      state: "removed",
    }],
  };
  for (const version of ["active", "yanked", "bad", "partial", "emptied", "hidden", "removed", "absent"]) {
    assert.equal(stateOf(index, version), version);
  }
  assert.equal(stateOf(index, "plain"), "active");
  assert.equal(stateOf(index, "odd"), "active");
  assert.equal(stateOf(index, "constructor"), "absent");
  assert.equal(stateOf(index, "__proto__"), "absent");
});

Deno.test("the status by marks: yanked before bad before active", () => {
  assert.equal(statusByMarks({}), "active");
  assert.equal(statusByMarks({ mark: mark("good") }), "active");
  assert.equal(statusByMarks({ mark: mark("bad") }), "bad");
  assert.equal(statusByMarks({ yanked, mark: mark("bad") }), "yanked");
});

Deno.test("artifacts that were taken out, or are listed twice, are published once or not at all", () => {
  const release = entry("v1", { artifacts: ["a", "b", "a"], removed_artifacts: ["b"] });
  assert.deepEqual(publishedArtifacts(release), ["a"]);
});

Deno.test("dependents are those that stay and need something that leaves", () => {
  const index: RepositoryIndex = {
    releases: [entry("v3", { depends_on: ["v2", "v1"] }), entry("v2", { depends_on: ["v1"] }), entry("v1")],
  };
  assert.deepEqual(dependentsOf(index, ["v1"]), [{ version: "v3", needs: ["v1"] }, {
    version: "v2",
    needs: ["v1"],
  }]);
  assert.deepEqual(dependentsOf(index, ["v1", "v2"]), [{ version: "v3", needs: ["v2", "v1"] }]);
  assert.deepEqual(dependentsOf(index, ["v1", "v2", "v3"]), []);
});

const INDEX: RepositoryIndex = {
  releases: [
    entry("v6", { status: "active" }),
    entry("v5", { status: "yanked", yanked }),
    entry("v4", { status: "bad", mark: mark("bad") }),
    entry("v3", { status: "partial" }),
    entry("v2", { mark: mark("good") }),
    entry("v1"),
  ],
};
const channel = (version: string, history: readonly string[], previous?: string | null): Channel => ({
  version,
  since: "then",
  previous: previous === undefined ? history[0] ?? null : previous,
  history,
});
const NONE: ReadonlySet<string> = new Set();

const targets: readonly (readonly [string, Channel, readonly string[], ReturnType<typeof channelTarget>])[] =
  [
    ["previous", channel("v6", ["v2", "v1"]), ["v6"], { found: "v2" }],
    ["the newest fit one before previous", channel("v6", ["v5", "v4", "v3", "gone", "v1"]), ["v6"], {
      found: "v1",
    }],
    ["not what leaves too", channel("v6", ["v2", "v1"]), ["v6", "v2"], { found: "v1" }],
    ["previous alone, as an older index has it", { version: "v6", since: "", previous: "v2" }, ["v6"], {
      found: "v2",
    }],
    ["nothing it never named", channel("v6", []), ["v6"], { candidates: ["v2", "v1"] }],
    ["nothing unfit", channel("v6", ["v5", "v4", "v3"]), ["v6"], { candidates: ["v2", "v1"] }],
    ["no candidate that leaves", channel("v2", []), ["v2", "v1"], { candidates: ["v6"] }],
  ];

for (const [what, from, leaving, expected] of targets) {
  Deno.test(`a channel goes to ${what}`, () => {
    assert.deepEqual(channelTarget(INDEX, from, new Set(leaving)), expected);
  });
}

Deno.test("a channel that moves on and back again is what it was, but for its time", () => {
  const version = fc.constantFrom("v1", "v2", "v6");
  fc.assert(
    fc.property(fc.array(version, { minLength: 1, maxLength: 8 }), version, (versions, next) => {
      const start = versions.reduce<Channel | undefined>((now, to) => pointedAt(now, to, "t"), undefined)!;
      assert.equal(start.previous, start.history?.[0] ?? null);
      assert.equal(
        new Set([start.version, ...start.history!]).size,
        start.history!.length + 1,
        "named twice",
      );
      if (next === start.version || start.history!.includes(next)) return;
      const back = pointedBack(pointedAt(start, next, "u"), start.version, new Set([next]), "t");
      assert.deepEqual(back, start);
    }),
  );
});

Deno.test("a channel keeps fields it does not know, and names that leave are forgotten", () => {
  const odd: Channel = { ...channel("v6", ["v2", "v1"]), owner: "ops" };
  assert.equal(pointedAt(odd, "v2", "t").owner, "ops");
  assert.deepEqual(pointedBack(odd, "v1", new Set(["v6", "v2"]), "t"), {
    ...odd,
    version: "v1",
    since: "t",
    previous: null,
    history: [],
  });
});

Deno.test("only a whole, unmarked release that stays can be named", () => {
  const named = ["v1", "v2", "v3", "v4", "v5", "v6", "v7"].filter((version) =>
    canBeNamed(INDEX, version, NONE)
  );
  assert.deepEqual(named, ["v1", "v2", "v6"]);
  assert.equal(canBeNamed(INDEX, "v1", new Set(["v1"])), false);
});
