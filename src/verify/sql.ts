import * as z from "zod";
import { UsageError } from "#/core/errors.ts";
import { type Connection, parseConnection } from "#/target/database/connection.ts";
import { postgresEnvironment } from "#/target/database/postgres_session.ts";
import { ProgramError, programText } from "#/target/run_program.ts";
import type { CheckContext, CheckDriver } from "./check.ts";
import { plainUrl, short, sight } from "./sight.ts";

const schema = z.strictObject({
  connection_string: z.string().min(1).describe(
    "postgresql://…, mysql://… or sqlite:///path; ${NAME} for secrets.",
  ),
  database_name: z.string().min(1).describe("The database, where the connection string names none.")
    .optional(),
  password_file: z.string().min(1).describe("A file with the password in its first line.").optional(),
  // Clients have commands of their own, which run programs: only what a server understands is let through.
  query: z.string().regex(/^\s*(select|with|show|values|table|explain|pragma)\b[^\\]*$/i, {
    error:
      "must be a query that reads (SELECT, WITH, SHOW, VALUES, TABLE, EXPLAIN, PRAGMA), without backslashes",
  }).describe("A query; it runs read-only."),
  expected: z.union([z.string(), z.number(), z.boolean(), z.null()]).describe(
    "The first column of the first row; without it the query must only succeed.",
  ).optional(),
});

type Answer = { readonly rows: number; readonly value: string } | { readonly problem: string };

/** A database answers a query. */
export const driver: CheckDriver<z.output<typeof schema>> = {
  type: "sql",
  summary: "A database answers a query, with the expected value.",
  schema,
  programs: ["psql", "mariadb"],
  subject: ({ connection_string }) => plainUrl(connection_string),
  run: async ({ query, expected, ...config }, context) => {
    const connection = parseConnection(config, context.folder, context.env);
    const answer = await ask(connection, query.trim().replace(/;+$/, ""), context);
    const what = `the query on ${connection.label}`;
    const wanted = expected === undefined ? "an answer" : textOf(expected);
    if ("problem" in answer) return sight(false, what, wanted, answer.problem);
    const found = answer.rows === 0 ? "no row" : answer.value;
    if (expected === undefined) return sight(true, what, short(found), found);
    return sight(answer.rows > 0 && isEqual(answer.value, expected), what, wanted, found);
  },
};

/** Clients write true and null in their own ways. */
function isEqual(found: string, expected: string | number | boolean | null): boolean {
  if (expected === null) return found === "" || found === "NULL";
  if (expected === true) return ["t", "true", "1"].includes(found);
  if (expected === false) return ["f", "false", "0"].includes(found);
  return found === String(expected);
}

function textOf(expected: string | number | boolean | null): string {
  return expected === null ? "NULL" : String(expected);
}

async function ask(connection: Connection, query: string, context: CheckContext): Promise<Answer> {
  switch (connection.engine) {
    case "sqlite":
      return await askSqlite(connection.database, query);
    case "postgresql":
      return await askClient(context, connection, {
        program: "psql",
        package: "postgresql-client",
        args: [
          "--no-psqlrc",
          "--no-align",
          "--tuples-only",
          "--quiet",
          "--no-password",
          `--command=${query}`,
        ],
        env: {
          ...postgresEnvironment(connection, context),
          PGOPTIONS: "-c default_transaction_read_only=on",
        },
      });
    case "mysql":
      return await askClient(context, connection, mariadbRequest(connection, query));
    case "redis":
      throw new UsageError("sql cannot ask a Redis server", { hint: "Use a check of type redis_ping." });
    default:
      return connection.engine satisfies never;
  }
}

interface ClientRequest {
  readonly program: string;
  readonly package: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

function mariadbRequest(
  { host, socket, port, user, password, database }: Connection,
  query: string,
): ClientRequest {
  const place = socket !== undefined
    ? [`--socket=${socket}`]
    : host === undefined
    ? []
    : [`--host=${host}`, "--protocol=tcp", ...port === undefined ? [] : [`--port=${port}`]];
  return {
    program: "mariadb",
    package: "mariadb-client",
    args: [
      "--no-defaults",
      "--batch",
      "--skip-column-names",
      "--init-command=SET SESSION TRANSACTION READ ONLY",
      ...place,
      ...(user === undefined ? [] : [`--user=${user}`]),
      `--database=${database}`,
      `--execute=${query}`,
    ],
    env: password === undefined ? {} : { MYSQL_PWD: password },
  };
}

async function askClient(
  context: CheckContext,
  { password }: Connection,
  request: ClientRequest,
): Promise<Answer> {
  try {
    const secrets = password === undefined ? [] : [password];
    const text = await programText({ ...request, secrets, context });
    const lines = text.replace(/\n$/, "").split("\n");
    const value = lines[0]!.split(request.program === "psql" ? "|" : "\t")[0]!;
    return { rows: text === "" ? 0 : lines.length, value };
  } catch (error) {
    if (error instanceof ProgramError && error.end === "failed") return { problem: short(error.stderr) };
    throw error;
  }
}

async function askSqlite(path: string, query: string): Promise<Answer> {
  try {
    if (!(await Deno.stat(path)).isFile) return { problem: `${path} is not a file` };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { problem: `there is no file ${path}` };
    throw error;
  }
  const { DatabaseSync } = await import("node:sqlite");
  try {
    const database = new DatabaseSync(path, { readOnly: true });
    try {
      const rows = database.prepare(query).all();
      const [value] = Object.values(rows[0] ?? {});
      return { rows: rows.length, value: value === null ? "NULL" : String(value ?? "") };
    } finally {
      database.close();
    }
  } catch (error) {
    return { problem: short(error instanceof Error ? error.message : String(error)) };
  }
}
