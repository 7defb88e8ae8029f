import assert from "node:assert/strict";
import fc from "fast-check";
import "../support/property_seed.ts";
import { canonicalJson } from "#/core/json.ts";
import { applyChanges, changesHold, type IndexChange, invertChanges } from "#/repository/index_change.ts";
import { encodeIndex, parseIndex, stampIndex } from "#/repository/index_file.ts";
import type { ReleaseEntry, RepositoryIndex } from "#/repository/index_format.ts";

const NAMES = ["v1", "v2", "v3", "v4", "v5"] as const;
const name = fc.constantFrom(...NAMES);
/** Newer versions have later times, as publishing makes them. */
const timeOf = (version: string) => `2026-01-0${version.slice(1)}T10:00:00.000Z`;

function entry(version: string, note = "as published"): ReleaseEntry {
  return { version, timestamp: timeOf(version), artifacts: [`${version}/app`], note, sbom: { id: version } };
}

const tombstone = fc.record({ version: name, reason: fc.string({ maxLength: 3 }) }).map((
  { version, reason },
) => ({
  version,
  rolled_back_at: timeOf(version),
  rollback_id: "id",
  reason,
  by: "me",
  sha256: null,
  backup: null,
  state: "removed" as const,
  backups: [],
}));
const channel = fc.record({ version: name, since: fc.constant("now"), previous: fc.option(name) });
const pin = fc.record({ at: fc.constant("now"), by: fc.constant("me"), reason: fc.string({ maxLength: 3 }) });

const index: fc.Arbitrary<RepositoryIndex> = fc.record({
  schema_version: fc.constant(1),
  publisher: fc.constant({ name: "tars" }),
  releases: fc.subarray([...NAMES]).map((versions) => versions.toReversed().map((version) => entry(version))),
  channels: fc.option(fc.dictionary(fc.constantFrom("stable", "beta"), channel, { minKeys: 1 }), {
    nil: undefined,
  }),
  rolled_back: fc.option(fc.uniqueArray(tombstone, { selector: (it) => it.version, minLength: 1 }), {
    nil: undefined,
  }),
  backup_pins: fc.option(fc.dictionary(fc.constantFrom("b1", "b2"), pin, { minKeys: 1 }), { nil: undefined }),
}) as fc.Arbitrary<RepositoryIndex>;

const neighbour = fc.option(name);
const anyChange: fc.Arbitrary<IndexChange> = fc.oneof(
  fc.record({
    change: fc.constant("put_release" as const),
    entry: fc.tuple(name, fc.string()).map(([it, note]) => entry(it, note)),
    newer: neighbour,
    older: neighbour,
  }),
  fc.record({ change: fc.constant("remove_release" as const), version: name }),
  fc.record({
    change: fc.constant("edit_release" as const),
    version: name,
    set: fc.constantFrom({ status: "emptied" }, { note: "edited", backups: ["b1"] }),
    unset: fc.subarray(["sbom", "timestamp", "missing"]),
  }),
  fc.record({ change: fc.constant("put_tombstone" as const), tombstone }),
  fc.record({ change: fc.constant("remove_tombstone" as const), version: name }),
  fc.record({
    change: fc.constant("set_channel" as const),
    name: fc.constantFrom("stable", "beta"),
    channel,
  }),
  fc.record({ change: fc.constant("remove_channel" as const), name: fc.constantFrom("stable", "beta") }),
  fc.record({ change: fc.constant("set_pin" as const), backup: fc.constantFrom("b1", "b2"), pin }),
  fc.record({ change: fc.constant("remove_pin" as const), backup: fc.constantFrom("b1", "b2") }),
);

/** Editing what is not there is refused, so such changes are left out. */
function possible(start: RepositoryIndex, changes: readonly IndexChange[]): readonly IndexChange[] {
  let current = start;
  return changes.filter((change) => {
    if (change.change === "edit_release" && !current.releases.some((it) => it.version === change.version)) {
      return false;
    }
    current = applyChanges(current, [change]);
    return true;
  });
}

/** The order of tombstones says nothing. */
function comparable(value: RepositoryIndex): unknown {
  const rolled_back = value.rolled_back?.toSorted((a, b) => a.version < b.version ? -1 : 1);
  return JSON.parse(canonicalJson({ ...value, rolled_back }));
}

Deno.test("the inverse of changes takes them back exactly", () => {
  fc.assert(
    fc.property(index, fc.array(anyChange, { maxLength: 6 }), (start, all) => {
      const changes = possible(start, all);
      const undo = invertChanges(start, changes);
      assert.deepEqual(comparable(applyChanges(applyChanges(start, changes), undo)), comparable(start));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("making a change twice is making it once, and what it does not name is kept", () => {
  fc.assert(
    fc.property(index, anyChange, (start, change) => {
      const changes = possible(start, [change]);
      const once = applyChanges(start, changes);
      assert.deepEqual(applyChanges(once, changes), once);
      assert.ok(changesHold(once, changes));
      assert.deepEqual(once.publisher, start.publisher);
      const named = "version" in change
        ? change.version
        : change.change === "put_release"
        ? change.entry.version
        : "";
      const others = (value: RepositoryIndex) => value.releases.filter((it) => it.version !== named);
      assert.deepEqual(others(once), others(start));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("releases stay newest first, in whatever order they leave and come back", () => {
  fc.assert(
    fc.property(
      fc.shuffledSubarray([...NAMES]),
      fc.shuffledSubarray([...NAMES], { minLength: 5 }),
      (leaving, back) => {
        let current: RepositoryIndex = { releases: NAMES.toReversed().map((version) => entry(version)) };
        const undo = new Map<string, readonly IndexChange[]>();
        for (const version of leaving) {
          const changes: IndexChange[] = [{ change: "remove_release", version }];
          undo.set(version, invertChanges(current, changes));
          current = applyChanges(current, changes);
        }
        for (const version of back) current = applyChanges(current, undo.get(version) ?? []);
        assert.deepEqual(current.releases.map((it) => it.version), ["v5", "v4", "v3", "v2", "v1"]);
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("entries without a time come back beside their neighbours", () => {
  const plain = (version: string): ReleaseEntry => ({ version, artifacts: [] });
  const start: RepositoryIndex = { releases: ["c", "b", "a"].map(plain) };
  for (const version of ["a", "b", "c"]) {
    const changes: IndexChange[] = [{ change: "remove_release", version }];
    assert.deepEqual(applyChanges(applyChanges(start, changes), invertChanges(start, changes)), start);
  }
});

Deno.test("putting a release over one that is there is taken back to what was there", () => {
  const start: RepositoryIndex = { releases: [entry("v2"), { ...entry("v1"), status: "emptied" }] };
  const changes: IndexChange[] = [{ change: "put_release", entry: entry("v1"), newer: "v2", older: null }];
  assert.deepEqual(applyChanges(applyChanges(start, changes), invertChanges(start, changes)), start);
});

Deno.test("an edit of a release that is not listed is refused, not made up", () => {
  const changes: IndexChange[] = [{ change: "edit_release", version: "v9", set: {}, unset: [] }];
  assert.throws(() => applyChanges({ releases: [] }, changes), /v9 is no longer in the index/);
  assert.equal(changesHold({ releases: [] }, changes), false);
});

Deno.test("stamping and writing keep every foreign field, number and their order", () => {
  const text =
    `{"publisher": {"schema": 1.0, "big": 12345678901234567890}, "__proto__": {"x": 1}, "releases": [
    {"version": "v1", "artifacts": [], "score": 97.50, "zero": -0.0, "constructor": 1}], "tail": 1e400}`;
  const stamp = { operation: "id", at: "now", serial: 3, auditHead: undefined };
  const written = new TextDecoder().decode(
    encodeIndex(stampIndex(parseIndex(new TextEncoder().encode(text)), stamp)),
  );
  for (
    const kept of [
      '"schema": 1.0',
      "12345678901234567890",
      '"score": 97.50',
      '"zero": -0.0',
      "1e400",
      '"__proto__"',
      '"constructor": 1',
    ]
  ) {
    assert.ok(written.includes(kept), `${kept} is not in ${written}`);
  }
  assert.equal(
    ({} as { x?: unknown }).x,
    undefined,
    "a name of the index reached the prototype of all objects",
  );
});

Deno.test("changes hold although somebody wrote a number in another way", () => {
  const written = parseIndex(
    new TextEncoder().encode('{"releases":[{"version":"v1","artifacts":[],"score":1.0}]}'),
  );
  const rewritten = parseIndex(
    new TextEncoder().encode('{"releases":[{"version":"v1","artifacts":[],"score":1}]}'),
  );
  const put = { change: "put_release", entry: written.releases[0]!, newer: null, older: null } as const;
  assert.ok(changesHold(written, [put]));
  assert.ok(changesHold(rewritten, [put]));
  assert.ok(!changesHold(rewritten, [{ ...put, entry: { ...put.entry, score: 2 } }]));
});
