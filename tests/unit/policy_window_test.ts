import assert from "node:assert/strict";
import { matchesGlob } from "#/policy/glob.ts";
import { Problems } from "#/policy/problem.ts";
import { describeWindow, isInside, readWindows, type Window } from "#/policy/window.ts";

function windowOf(value: unknown): Window {
  const problems = new Problems();
  const windows = readWindows([value], ["windows"], problems);
  assert.deepEqual(problems.found, []);
  return windows![0]!;
}

function check(value: unknown, inside: readonly string[], outside: readonly string[]): void {
  const window = windowOf(value);
  for (const time of inside) {
    assert.equal(isInside(window, new Date(time)), true, `${time} in ${describeWindow(window)}`);
  }
  for (const time of outside) {
    assert.equal(isInside(window, new Date(time)), false, `${time} not in ${describeWindow(window)}`);
  }
}

Deno.test("window: weekdays are those of the time zone", () => {
  // 2026-11-20 is a Friday.
  check({ days: ["fri"] }, ["2026-11-20T00:00:00Z", "2026-11-20T23:59:59Z"], [
    "2026-11-19T23:59:59Z",
    "2026-11-21T00:00:00Z",
  ]);
  check({ days: "Friday", time_zone: "Pacific/Auckland" }, ["2026-11-19T11:00:00Z", "2026-11-20T10:59:00Z"], [
    "2026-11-19T10:59:00Z",
    "2026-11-20T11:00:00Z",
  ]);
});

Deno.test("window: hours end before their end", () => {
  check({ hours: "09:30-17:00" }, ["2026-11-20T09:30:00Z", "2026-11-20T16:59:59Z"], [
    "2026-11-20T09:29:59Z",
    "2026-11-20T17:00:00Z",
  ]);
  check({ hours: "16:00-24:00" }, ["2026-11-20T23:59:59Z"], ["2026-11-20T15:59:00Z", "2026-11-21T00:00:00Z"]);
  check({ hours: ["0:00-1:00", "23:00-24:00"] }, ["2026-11-20T00:30:00Z", "2026-11-20T23:30:00Z"], [
    "2026-11-20T12:00:00Z",
  ]);
  check(
    { hours: "08:00-08:00" },
    ["2026-11-20T08:00:00Z", "2026-11-20T07:59:00Z", "2026-11-20T20:00:00Z"],
    [],
  );
});

Deno.test("window: hours over midnight belong to the day on which they began", () => {
  check({ days: ["fri"], hours: "22:00-06:00" }, [
    "2026-11-20T22:00:00Z",
    "2026-11-21T05:59:00Z",
  ], ["2026-11-20T05:00:00Z", "2026-11-21T06:00:00Z", "2026-11-21T22:00:00Z"]);
  check({ dates: "2026-12-31", hours: "22:00-06:00" }, ["2027-01-01T05:00:00Z"], ["2026-12-31T05:00:00Z"]);
});

Deno.test("window: dates hold from the first to the last, at the place of the time zone", () => {
  check(
    { dates: ["2026-12-24..2026-12-26", "2027-01-01"], time_zone: "America/New_York" },
    ["2026-12-24T05:00:00Z", "2026-12-27T04:59:00Z", "2027-01-01T12:00:00Z"],
    ["2026-12-24T04:59:00Z", "2026-12-27T05:00:00Z", "2026-12-31T12:00:00Z"],
  );
});

Deno.test("window: the clock of summer time counts", () => {
  const evening = { hours: "20:00-21:00", time_zone: "Europe/Berlin" };
  check(evening, ["2026-07-01T18:30:00Z", "2026-12-01T19:30:00Z"], [
    "2026-07-01T19:30:00Z",
    "2026-12-01T18:30:00Z",
  ]);
  // In the night of 2026-10-25 the hour from 2 to 3 happens twice, in that of 2026-03-29 never.
  const night = { hours: "02:00-03:00", time_zone: "Europe/Berlin" };
  check(night, ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"], [
    "2026-10-25T02:00:00Z",
    "2026-03-29T00:59:59Z",
    "2026-03-29T01:00:00Z",
  ]);
});

Deno.test("window: what cannot be one is told with its place", () => {
  const mistakes: readonly (readonly [unknown, RegExp])[] = [
    [{}, /lacks days, hours and dates/],
    ["fri", /must be a block/],
    [{ days: ["caturday"] }, /days\.0 must be mon/],
    [{ days: [] }, /days is empty/],
    [{ hours: "9-17" }, /hours is not a span/],
    [{ hours: "24:00-06:00" }, /hours is not a span/],
    [{ hours: "23:60-06:00" }, /hours is not a span/],
    [{ hours: "20:00-25:00" }, /hours is not a span/],
    [{ dates: "2026-02-30" }, /dates is not a date/],
    [{ dates: "24.12.2026" }, /dates is not a date/],
    [{ dates: ["2026-12-26..2026-12-24"] }, /dates\.0 ends before it begins/],
    [{ dates: "2026-12-24..2026-12-25..2026-12-26" }, /is not a date/],
    [{ days: "fri", time_zone: "Mars/Base" }, /time_zone is not a time zone/],
    [{ days: "fri", time_zone: "+01:00" }, /time_zone is not a time zone/],
    [{ days: "fri", reason: 5 }, /reason must be text/],
    [{ day: "fri" }, /"day" is not a known key/],
  ];
  for (const [value, message] of mistakes) {
    const problems = new Problems();
    assert.equal(readWindows([value], ["windows"], problems), undefined);
    assert.match(problems.found.map((it) => it.message).join("\n"), message);
  }
});

Deno.test("glob: * and ? match, everything else is meant as it stands", () => {
  const yes = [["*", ""], ["*", "v1"], ["v1.*", "v1.0.2"], ["v?.0", "v1.0"], ["*-rc*", "v1-rc2"], [
    "a*b*c",
    "aXXbYYbc",
  ], ["", ""]];
  const no = [["v1.*", "v2.0"], ["v1.0", "v1x0"], ["?", ""], ["v?", "v"], ["[ab]", "a"], ["a*b", "acbd"], [
    "",
    "x",
  ]];
  for (const [pattern, name] of yes) assert.equal(matchesGlob(pattern!, name!), true, `${pattern} ${name}`);
  for (const [pattern, name] of no) assert.equal(matchesGlob(pattern!, name!), false, `${pattern} ${name}`);
});
