/** The facts of a test case: what it gives, on top of an ordinary rollback that no rule objects to. */
import { isBlock, own, type Path, type Problems, readBlock, readChoice, timeMs } from "#/policy/problem.ts";
import {
  type Field,
  type FieldType,
  NO_SNAPSHOT,
  type PolicyFacts,
  type RecordName,
  RECORDS,
  type ReleaseFacts,
  VARIABLES,
} from "#/policy/view.ts";

type Block = Readonly<Record<string, unknown>>;

export const ORDINARY_RELEASE: ReleaseFacts = {
  version: "v1.0.2",
  state: "active",
  published_at: "2026-01-01T00:00:00Z",
  size_bytes: 3_000,
  artifacts: 3,
  artifacts_present: 3,
  artifacts_without_digest: 0,
  channels: [],
  depends_on: [],
  mark: "",
  labels: {},
};

/** v1.0.2 of four releases is rolled back on a Wednesday at noon. */
export const ORDINARY_FACTS: PolicyFacts = {
  operation: {
    kind: "rollback",
    type: "full",
    mode: "strict",
    forced: false,
    dry_run: false,
    partial: false,
    no_backup: false,
    signed: false,
    reason: "",
  },
  repository: {
    location: "/srv/releases",
    type: "local",
    serial: 7,
    releases: 4,
    good_releases: 4,
    newest: "v1.0.3",
    channels: {},
    free_bytes: 1_000_000_000_000,
    problems: [],
    holds: [],
  },
  plan: {
    versions: ["v1.0.2"],
    releases: [ORDINARY_RELEASE],
    artifacts: ["v1.0.2/app", "v1.0.2/docs", "v1.0.2/readme"],
    total_artifacts: 3,
    total_bytes: 3_000,
    artifacts_added: 0,
    bytes_added: 0,
    channels: [],
    releases_left: 3,
    good_releases_left: 3,
    dependents: [],
    missing_dependencies: [],
    stuck_channels: [],
    bad_channel_target: "",
  },
  user: { name: "tester", host: "localhost" },
  now: "2026-01-14T12:00:00Z",
};

/** What a list's records are filled up from. */
const EMPTY: { readonly [Name in RecordName]?: Block } = {
  Release: { ...ORDINARY_RELEASE },
  Hold: { name: "", reason: "" },
  ChannelMove: { name: "", from: "", to: "" },
  Dependent: { version: "", needs: [] },
  StuckChannel: { channel: "", candidates: [] },
  Target: { name: "", type: "", undo: "exact", changes: 0, removes: 0, bytes: 0, uncommitted: [] },
};

/** Reads what a case gives; what follows from it and is not given itself follows. */
export function readGiven(value: unknown, path: Path, problems: Problems): PolicyFacts {
  if (value === undefined) return ORDINARY_FACTS;
  const known = Object.keys(VARIABLES).filter((name) => name !== "now" && name !== "failure");
  const block = readBlock(value, path, known, problems) ?? {};
  const part = (name: "operation" | "repository" | "plan" | "user", record: RecordName) =>
    readRecord(own(block, name), record, ORDINARY_FACTS[name] as unknown as Block, [...path, name], problems);
  const plan = part("plan", "Plan");
  const snapshot = own(block, "snapshot");
  const releases = readReleases(block, plan.releases as readonly ReleaseFacts[], path, problems);
  return {
    operation: part("operation", "Operation") as unknown as PolicyFacts["operation"],
    repository: part("repository", "Repository") as unknown as PolicyFacts["repository"],
    plan: {
      ...plan,
      ...followed(isBlock(block.plan) ? block.plan : {}, releases),
      releases,
    } as unknown as PolicyFacts["plan"],
    ...(snapshot === undefined ? {} : {
      snapshot: readRecord(
        snapshot,
        "Snapshot",
        NO_SNAPSHOT as unknown as Block,
        [...path, "snapshot"],
        problems,
      ) as unknown as PolicyFacts["snapshot"],
    } as Pick<PolicyFacts, "snapshot">),
    user: part("user", "User") as unknown as PolicyFacts["user"],
    now: ORDINARY_FACTS.now,
  };
}

/** `release` and `labels` are short for the first of `plan.releases`. */
function readReleases(
  block: Block,
  releases: readonly ReleaseFacts[],
  path: Path,
  problems: Problems,
): readonly ReleaseFacts[] {
  const [first = ORDINARY_RELEASE, ...others] = releases;
  const release = readRecord(own(block, "release"), "Release", first as unknown as Block, [
    ...path,
    "release",
  ], problems);
  const labels = own(block, "labels");
  const labelled = labels === undefined
    ? release
    : { ...release, labels: readValue(labels, VARIABLES.labels!, [...path, "labels"], problems) ?? {} };
  const given = own(block, "release") !== undefined || labels !== undefined;
  return given ? [labelled as unknown as ReleaseFacts, ...others] : releases;
}

/** The versions of the releases, the number of the artifacts: unless the case says otherwise. */
function followed(plan: Block, releases: readonly ReleaseFacts[]): Block {
  const artifacts = own(plan, "artifacts");
  return {
    ...(own(plan, "versions") === undefined ? { versions: releases.map(({ version }) => version) } : {}),
    ...(Array.isArray(artifacts) && own(plan, "total_artifacts") === undefined
      ? { total_artifacts: artifacts.length }
      : {}),
  };
}

function readRecord(value: unknown, record: RecordName, base: Block, path: Path, problems: Problems): Block {
  if (value === undefined) return base;
  const fields: Readonly<Record<string, Field>> = RECORDS[record];
  const block = readBlock(value, path, Object.keys(fields), problems) ?? {};
  const result: Record<string, unknown> = { ...base };
  for (const [name, field] of Object.entries(fields)) {
    const given = own(block, name);
    if (given === undefined) continue;
    if (given === null && field.optional === true) delete result[name];
    else result[name] = readValue(given, field, [...path, name], problems) ?? result[name];
  }
  // Who gives a number of artifacts means that they are there.
  if (
    record === "Release" && own(block, "artifacts") !== undefined &&
    own(block, "artifacts_present") === undefined
  ) {
    result.artifacts_present = result.artifacts;
  }
  return result;
}

function readValue(value: unknown, { type, choices }: Field, path: Path, problems: Problems): unknown {
  if (typeof type === "object") return readRecords(value, type, path, problems);
  if (choices !== undefined) return readChoice(value, path, choices, problems);
  return IS[type](value) ? value : problems.value(path, `must be ${WORDS[type]}`);
}

function readRecords(
  value: unknown,
  type: Exclude<FieldType, string>,
  path: Path,
  problems: Problems,
): unknown {
  if ("record" in type) return readRecord(value, type.record, EMPTY[type.record] ?? {}, path, problems);
  if (!Array.isArray(value)) return problems.value(path, "must be a list");
  return value.map((item, i) => readRecord(item, type.list, EMPTY[type.list] ?? {}, [...path, i], problems));
}

const isText = (value: unknown): value is string => typeof value === "string";

const IS: { readonly [Type in Extract<FieldType, string>]: (value: unknown) => boolean } = {
  "text": isText,
  "whole number": Number.isSafeInteger,
  "true or false": (value) => typeof value === "boolean",
  "time": (value) => isText(value) && timeMs(value) !== undefined,
  "texts": (value) => Array.isArray(value) && value.every(isText),
  "texts by name": (value) => isBlock(value) && Object.values(value).every(isText),
};

const WORDS: { readonly [Type in Extract<FieldType, string>]: string } = {
  "text": "text",
  "whole number": "a whole number",
  "true or false": "true or false",
  "time": "a time as 2026-11-20T22:00:00Z",
  "texts": "a list of texts",
  "texts by name": "a block of texts",
};
