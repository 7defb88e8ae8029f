/** What a schema of MariaDB or MySQL holds, part by part: definitions, and a digest of each table's rows. */
import { sha256Hex } from "#/core/sha256.ts";
import type { Parts } from "./engine.ts";
import { type MariadbSession, quoteName } from "./mariadb_session.ts";

export interface TableFacts {
  readonly name: string;
  readonly kind: "BASE TABLE" | "SEQUENCE" | "SYSTEM VERSIONED" | "VIEW";
  readonly engine: string | null;
}

/** Tables, sequences and views of the session's schema, by name. */
export async function listTables(session: MariadbSession): Promise<readonly TableFacts[]> {
  return await session.rows<TableFacts>(
    `SELECT JSON_OBJECT('name', TABLE_NAME, 'kind', TABLE_TYPE, 'engine', ENGINE)
    FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE <> 'TEMPORARY' ORDER BY TABLE_NAME`,
  );
}

export interface ObjectNames {
  readonly triggers: readonly string[];
  readonly events: readonly string[];
  readonly procedures: readonly string[];
  readonly functions: readonly string[];
  readonly views: readonly string[];
}

/** What is not a table of the session's schema. */
export async function listObjects(session: MariadbSession): Promise<ObjectNames> {
  const names = async (sql: string) => (await session.rows<[string]>(sql)).map(([name]) => name);
  const routines = (type: string) =>
    names(`SELECT JSON_ARRAY(ROUTINE_NAME) FROM information_schema.ROUTINES
      WHERE ROUTINE_SCHEMA = DATABASE() AND ROUTINE_TYPE = '${type}' ORDER BY 1`);
  return {
    triggers: await names(
      "SELECT JSON_ARRAY(TRIGGER_NAME) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() ORDER BY 1",
    ),
    events: await names(
      "SELECT JSON_ARRAY(EVENT_NAME) FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE() ORDER BY 1",
    ),
    procedures: await routines("PROCEDURE"),
    functions: await routines("FUNCTION"),
    views: (await listTables(session)).filter((it) => it.kind === "VIEW").map((it) => it.name),
  };
}

/** Definitions of what is not a table: everything that a dump of it says. */
const DEFINITIONS = [
  `SELECT JSON_ARRAY(CONCAT('trigger ', TRIGGER_NAME), EVENT_OBJECT_TABLE, EVENT_MANIPULATION, ACTION_TIMING, ACTION_ORDER,
    ACTION_STATEMENT, SQL_MODE, DEFINER, CHARACTER_SET_CLIENT, COLLATION_CONNECTION)
    FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()`,
  `SELECT JSON_ARRAY(CONCAT(LOWER(r.ROUTINE_TYPE), ' ', r.ROUTINE_NAME), r.DTD_IDENTIFIER, r.ROUTINE_DEFINITION, r.SQL_MODE,
    r.DEFINER, r.SECURITY_TYPE, r.IS_DETERMINISTIC, r.SQL_DATA_ACCESS, r.ROUTINE_COMMENT, r.CHARACTER_SET_CLIENT,
    (SELECT GROUP_CONCAT(CONCAT_WS(' ', p.ORDINAL_POSITION, p.PARAMETER_MODE, p.PARAMETER_NAME, p.DTD_IDENTIFIER)
      ORDER BY p.ORDINAL_POSITION) FROM information_schema.PARAMETERS p
      WHERE p.SPECIFIC_SCHEMA = DATABASE() AND p.SPECIFIC_NAME = r.SPECIFIC_NAME AND p.ROUTINE_TYPE = r.ROUTINE_TYPE))
    FROM information_schema.ROUTINES r WHERE r.ROUTINE_SCHEMA = DATABASE()`,
  `SELECT JSON_ARRAY(CONCAT('event ', EVENT_NAME), EVENT_DEFINITION, EXECUTE_AT, INTERVAL_VALUE, INTERVAL_FIELD, STARTS, ENDS,
    STATUS, ON_COMPLETION, SQL_MODE, DEFINER, TIME_ZONE, EVENT_COMMENT)
    FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()`,
  `SELECT JSON_ARRAY(CONCAT('view ', TABLE_NAME), VIEW_DEFINITION, CHECK_OPTION, DEFINER, SECURITY_TYPE,
    CHARACTER_SET_CLIENT) FROM information_schema.VIEWS WHERE TABLE_SCHEMA = DATABASE()`,
  `SELECT JSON_ARRAY('character set of the schema', DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME)
    FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = DATABASE()`,
];

/** Definitions of all that is not a table. */
export async function readObjectParts(session: MariadbSession): Promise<Parts> {
  const parts: Record<string, string> = {};
  for (const query of DEFINITIONS) {
    for (const [name, ...values] of await session.rows<[string, ...unknown[]]>(query)) {
      parts[name] = sha256Hex(JSON.stringify(values));
    }
  }
  return parts;
}

export interface TableParts {
  readonly parts: Parts;
  readonly rows: Readonly<Record<string, number>>;
}

/** Definitions and rows of all tables, as the session's transaction sees them. */
export async function readTableParts(session: MariadbSession): Promise<TableParts> {
  const parts: Record<string, string> = {};
  const rows: Record<string, number> = {};
  for (const { name, kind } of (await listTables(session)).filter((it) => it.kind !== "VIEW")) {
    const [create = ""] = await session.run(`SHOW CREATE TABLE ${quoteName(name)}`);
    const counter = / AUTO_INCREMENT=(\d+)/.exec(create);
    parts[`table ${name}`] = sha256Hex(create.replace(/ AUTO_INCREMENT=\d+/, ""));
    if (counter !== null) parts[`counter of ${name}`] = counter[1]!;
    if (kind === "SEQUENCE") {
      const [next] = await session.run(`SELECT NEXT_NOT_CACHED_VALUE FROM ${quoteName(name)}`);
      parts[`counter of sequence ${name}`] = next ?? "";
      continue;
    }
    const [sum] = await session.rows<[number, string, string]>(await rowDigest(session, name));
    parts[`rows of ${name}`] = `${sum![0]} rows, ${sum![1]} ${sum![2]}`;
    rows[name] = sum![0];
  }
  return { parts, rows };
}

/** The sum of the rows' MD5 digests, as two numbers: no sort, no memory, and the same for any order of rows. */
async function rowDigest(session: MariadbSession, table: string): Promise<string> {
  const columns = await session.rows<[string, string]>(`SELECT JSON_ARRAY(COLUMN_NAME, DATA_TYPE)
    FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ${nameValue(table)}
    ORDER BY ORDINAL_POSITION`);
  const values = columns.map(([name, type]) => {
    const column = SPATIAL.has(type.toLowerCase()) ? `ST_AsBinary(${quoteName(name)})` : quoteName(name);
    return `IFNULL(MD5(${column}), '-')`;
  });
  const half = (side: "LEFT" | "RIGHT") =>
    `CAST(COALESCE(SUM(CAST(CONV(${side}(h, 16), 16, 10) AS UNSIGNED)), 0) AS CHAR)`;
  return `SELECT JSON_ARRAY(COUNT(*), ${half("LEFT")}, ${half("RIGHT")})
    FROM (SELECT MD5(CONCAT_WS(',', ${values.join(", ")})) AS h FROM ${quoteName(table)}) AS hashed`;
}

const SPATIAL = new Set([
  "geometry",
  "point",
  "linestring",
  "polygon",
  "multipoint",
  "multilinestring",
  "multipolygon",
  "geometrycollection",
]);

/** Names are compared as bytes: `a` and `A` may be two tables. */
function nameValue(name: string): string {
  const hex = [...new TextEncoder().encode(name)].map((it) => it.toString(16).padStart(2, "0")).join("");
  return `CONVERT(0x${hex} USING utf8mb4) COLLATE utf8mb4_bin`;
}
