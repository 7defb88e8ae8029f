import { resolve } from "node:path";
import * as z from "zod";
import { UsageError } from "#/core/errors.ts";
import { isBlock } from "#/policy/problem.ts";
import type { CheckContext, CheckDriver, CheckSight } from "./check.ts";
import { type Answer, request } from "./http.ts";
import { plainUrl, short, sight } from "./sight.ts";

const status = z.int().min(100).max(599);

const schema = z.strictObject({
  url: z.string().refine((url) => /^https?:$/.test(URL.parse(url)?.protocol ?? ""), {
    error: "must begin with http:// or https://",
  }).describe("What is asked for. Redirects are not followed."),
  expected_status: z.union([status, z.array(status).min(1)]).describe(
    "Its HTTP status, or several (200 to 299).",
  )
    .optional(),
  expected_body: z.string().min(1).describe("A text that its body holds.").optional(),
  json: z.strictObject({
    path: z.string().min(1).describe("Where in the body, as JSON: checks.database.0.status"),
    equals: z.union([z.string(), z.number(), z.boolean(), z.null()]).describe("What stands there."),
  }).describe("A value of its body.").optional(),
  method: z.enum(["GET", "HEAD", "POST", "OPTIONS"]).describe("How it is asked (GET).").optional(),
  headers_env: z.record(
    z.string().regex(/^[A-Za-z0-9-]+$/, { error: "is not the name of a header" }),
    z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, { error: "is not the name of an environment variable" }),
  ).describe("Headers whose values are in environment variables: {Authorization: BACKOUT_TOKEN}.").optional(),
  ca_file: z.string().min(1).describe("Certificates (PEM) that are trusted besides those of the system.")
    .optional(),
  insecure: z.boolean().describe("Take any certificate (false).").optional(),
});

type Config = z.output<typeof schema>;

/** A web server answers as it should. */
export const driver: CheckDriver<Config> = {
  type: "health_check",
  summary: "A URL answers with the expected status, text or value.",
  schema,
  needsNetwork: true,
  subject: ({ url }) => plainUrl(url),
  run: async (config, context) => {
    const answer = await request({
      url: config.url,
      method: config.method ?? "GET",
      headers: headersOf(config, context),
      ca: config.ca_file === undefined ? undefined : await readCa(config.ca_file, context),
      insecure: config.insecure ?? false,
      signal: context.signal,
    });
    const what = plainUrl(config.url);
    if ("problem" in answer) return sight(false, what, statusWords(config), answer.problem);
    return judgeStatus(config, answer, what) ?? judgeBody(config, answer, what) ??
      judgeJson(config, answer, what) ?? sight(true, what, `HTTP ${answer.status}`, `HTTP ${answer.status}`);
  },
};

function statusWords({ expected_status }: Config): string {
  return expected_status === undefined ? "HTTP 2xx" : `HTTP ${[expected_status].flat().join(" or ")}`;
}

function judgeStatus(config: Config, { status, location }: Answer, what: string): CheckSight | undefined {
  const wanted = config.expected_status;
  const passed = wanted === undefined ? status >= 200 && status < 300 : [wanted].flat().includes(status);
  if (passed) return undefined;
  const to = location === undefined ? "" : ` (redirects to ${plainUrl(new URL(location, config.url).href)})`;
  return sight(false, what, statusWords(config), `HTTP ${status}${to}`);
}

function judgeBody({ expected_body }: Config, { body }: Answer, what: string): CheckSight | undefined {
  if (expected_body === undefined || body.includes(expected_body)) return undefined;
  return sight(
    false,
    what,
    `a body with ${JSON.stringify(short(expected_body))}`,
    body === "" ? "no body" : body,
  );
}

function judgeJson({ json }: Config, { body }: Answer, what: string): CheckSight | undefined {
  if (json === undefined) return undefined;
  const wanted = JSON.stringify(json.equals);
  let value: unknown;
  try {
    value = valueAt(JSON.parse(body), json.path);
  } catch {
    return sight(false, what, `${json.path} = ${wanted}`, "a body that is not JSON");
  }
  if (value === json.equals) return undefined;
  return sight(
    false,
    what,
    `${json.path} = ${wanted}`,
    value === undefined ? "nothing there" : JSON.stringify(value),
  );
}

/** `a.b.0` in a document; undefined where there is nothing. */
function valueAt(document: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((value, key) => {
    if (Array.isArray(value)) return /^\d+$/.test(key) ? value[Number(key)] : undefined;
    return isBlock(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  }, document);
}

function headersOf({ headers_env = {} }: Config, { env }: CheckContext): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers_env).map(([header, name]) => {
      const value = env(name);
      if (value !== undefined && value !== "") return [header, value];
      throw new UsageError(`the environment variable ${name} is not set`, {
        hint: "The executable reads names that begin with BACKOUT_.",
      });
    }),
  );
}

async function readCa(file: string, { folder }: CheckContext): Promise<string> {
  try {
    return await Deno.readTextFile(resolve(folder, file));
  } catch (cause) {
    throw new UsageError(`the certificates ${file} cannot be read`, { cause });
  }
}
