/** All kinds of services that something is known of. Adding one is a file and a line here. */
import * as z from "zod";
import { UsageError } from "#/core/errors.ts";
import { nearest } from "#/core/nearest.ts";
import type { KnowHow, KnowHowFor, KnowHowSetting, ServiceFacts } from "../model.ts";
import { kind as grafana } from "./grafana.ts";
import { kind as healthcheck } from "./healthcheck.ts";
import { kind as http } from "./http.ts";
import { imageName } from "./image_name.ts";
import type { Kind } from "./kind.ts";
import { kind as mariadb } from "./mariadb.ts";
import { kind as postgres } from "./postgres.ts";
import { kind as prometheus } from "./prometheus.ts";
import { kind as redis } from "./redis.ts";

/** In the order in which they are asked. The healthcheck comes last: it takes longest to say yes. */
// deno-lint-ignore no-explicit-any
const KINDS: readonly Kind<any>[] = [redis, postgres, mariadb, prometheus, grafana, http, healthcheck];

/** Says that nothing is to be done, and nothing looked at. */
const NONE = "none";
/** `backout.know_how=redis`, and `backout.know_how.port=6380` for its settings. */
const LABEL = "backout.know_how";

/** `know_how:` of one service in `backout.yaml`. */
export const knowHowSetting: z.ZodType<KnowHowSetting> = z.unknown().superRefine((value, context) => {
  const problem = settingProblem(value);
  if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
}).transform((value) => value as KnowHowSetting);

/** For docs and tests. */
export function knownKinds(): readonly Pick<Kind, "kind" | "summary" | "images">[] {
  return KINDS;
}

/** The know-how of a service; see the model. What `backout.yaml` names comes before a label, and that before the image. */
export function knowHowFor(
  service: ServiceFacts,
  setting: KnowHowSetting | undefined,
): readonly KnowHow[] {
  if (setting !== undefined) return named(setting, `know_how of service ${service.name}`);
  const label = settingOfLabels(service.labels);
  if (label === NONE) return [];
  const chosen = label === undefined
    ? KINDS.filter((it) => it.images.includes(imageName(service.image))).map((it) => made(it, {}))
    : named(label, `The label ${LABEL} of service ${service.name}`);
  const recognised = KINDS.filter((it) =>
    it.recognises?.(service) && !chosen.some((own) => own.kind === it.kind)
  );
  return [...chosen, ...recognised.map((it) => made(it, {}))];
}

/** The driver counts on this shape. */
knowHowFor satisfies KnowHowFor;

function settingOfLabels(labels: Readonly<Record<string, string>>): KnowHowSetting | undefined {
  const kind = labels[LABEL];
  if (kind === undefined) return undefined;
  const settings = Object.entries(labels)
    .filter(([key]) => key.startsWith(`${LABEL}.`))
    .map(([key, value]) => [key.slice(LABEL.length + 1), value]);
  return settings.length === 0 ? kind : { ...Object.fromEntries(settings), kind };
}

/** @throws {UsageError} no such kind, or settings that it does not have */
function named(setting: KnowHowSetting, where: string): readonly KnowHow[] {
  const problem = settingProblem(setting);
  if (problem !== undefined) throw new UsageError(`${where}: ${problem}`, { hint: KNOWN_HINT });
  const { kind, ...settings } = typeof setting === "string" ? { kind: setting } : setting;
  return KINDS.filter((it) => it.kind === kind).map((it) => made(it, settings));
}

function settingProblem(value: unknown): string | undefined {
  const block = typeof value === "string" ? { kind: value } : value;
  if (typeof block !== "object" || block === null || Array.isArray(block) || !("kind" in block)) {
    return "must be a kind of service, or a block with its kind";
  }
  const { kind, ...settings } = block as { readonly kind: unknown };
  if (kind === NONE) return undefined;
  const found = KINDS.find((it) => it.kind === kind);
  if (found === undefined) {
    const near = typeof kind === "string" ? nearest(kind, [...KINDS.map((it) => it.kind), NONE]) : undefined;
    return `${JSON.stringify(kind)} is no kind of service${
      near === undefined ? "" : `; did you mean ${near}?`
    }`;
  }
  const parsed = found.schema.safeParse(settings);
  if (parsed.success) return undefined;
  const issue = parsed.error.issues[0]!;
  return `${[found.kind, ...issue.path.map(String)].join(".")}: ${issue.message}`;
}

const KNOWN_HINT = `Known are ${[...KINDS.map((it) => it.kind), NONE].join(", ")}.`;

function made(kind: Kind, settings: unknown): KnowHow {
  return {
    kind: kind.kind,
    matches: (service: ServiceFacts) =>
      kind.images.includes(imageName(service.image)) || (kind.recognises?.(service) ?? false),
    ...kind.acts(kind.schema.parse(settings)),
  };
}
