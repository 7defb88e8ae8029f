/** What a PostgreSQL database holds, part by part: definitions as pg_dump words them, and a digest of each table's rows. */
import { sha256Hex } from "#/core/sha256.ts";
import { canonicalJson } from "#/core/json.ts";
import { programText } from "#/target/run_program.ts";
import type { TargetContext } from "#/target/target.ts";
import type { Parts } from "./engine.ts";
import type { Connection } from "./connection.ts";
import { nameLiteral, postgresRequest, type PostgresSession, quoteName } from "./postgres_session.ts";

/** What belongs to the database itself, not to anything in it. */
export interface DatabaseProperties {
  readonly owner: string;
  readonly encoding: string;
  readonly collate: string;
  readonly ctype: string;
  /** `c`, `i` (ICU) or `b` (builtin); absent before version 15. */
  readonly provider?: string | null;
  readonly icu_locale?: string | null;
  readonly connection_limit: number;
  readonly comment: string | null;
  /** Null: nobody was ever granted or revoked anything. */
  readonly grants: readonly Grant[] | null;
  readonly settings: readonly Setting[];
}

interface Grant {
  /** Empty: everybody. */
  readonly grantee: string;
  readonly privilege: string;
  readonly grantable: boolean;
}

interface Setting {
  /** Null: for every role. */
  readonly role: string | null;
  /** `name=value` */
  readonly setting: string;
}

/** Reads what belongs to a database of the server. Undefined when there is none of this name. */
export async function readProperties(
  session: PostgresSession,
  name: string,
): Promise<DatabaseProperties | undefined> {
  const version = Number(await session.run("SHOW server_version_num"));
  const locale = version >= 170000
    ? "d.datlocprovider AS provider, d.datlocale AS icu_locale,"
    : version >= 150000
    ? "d.datlocprovider AS provider, d.daticulocale AS icu_locale,"
    : "";
  const [row] = await session.rows<DatabaseProperties>(`
    SELECT pg_catalog.pg_get_userbyid(d.datdba) AS owner, pg_catalog.pg_encoding_to_char(d.encoding) AS encoding,
      d.datcollate AS collate, d.datctype AS ctype, ${locale} d.datconnlimit AS connection_limit,
      pg_catalog.shobj_description(d.oid, 'pg_database') AS comment,
      CASE WHEN d.datacl IS NULL THEN NULL ELSE (
        SELECT coalesce(json_agg(json_build_object('grantee', coalesce(r.rolname, ''), 'privilege', a.privilege_type,
          'grantable', a.is_grantable) ORDER BY r.rolname COLLATE "C", a.privilege_type), '[]')
        FROM pg_catalog.aclexplode(d.datacl) a LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee) END AS grants,
      (SELECT coalesce(json_agg(json_build_object('role', r.rolname, 'setting', c.setting)
          ORDER BY r.rolname COLLATE "C" NULLS FIRST, c.place), '[]')
        FROM pg_catalog.pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) WITH ORDINALITY c(setting, place)
          LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole WHERE s.setdatabase = d.oid) AS settings
    FROM pg_catalog.pg_database d WHERE d.datname = ${nameLiteral(name)}`);
  return row;
}

/** Where a sequence is. It is of no transaction: a dump and a look right after it may see other values. */
export interface SequenceValue {
  readonly schema: string;
  readonly name: string;
  readonly last: string;
  readonly called: boolean;
}

export interface PostgresContents {
  readonly parts: Parts;
  readonly rows: Readonly<Record<string, number>>;
  readonly sequences: readonly SequenceValue[];
}

/**
 * Everything that the session's database holds.
 * @param snapshot of another session, exported: what pg_dump and this session both see
 */
export async function readParts(
  session: PostgresSession,
  connection: Connection,
  context: TargetContext,
  database: string,
  snapshot?: string,
): Promise<PostgresContents> {
  const parts: Record<string, string> = {};
  const properties = await readProperties(session, database);
  parts["database settings"] = sha256Hex(canonicalJson(properties ?? null));
  Object.assign(parts, await readDefinitions(connection, context, database, snapshot));
  const rows: Record<string, number> = {};
  const tables = await session.rows<{ schema: string; name: string }>(TABLES);
  for (const { schema, name } of tables) {
    const [sum] = await session.rows<{ n: number; a: string; b: string }>(rowDigest(schema, name));
    parts[`rows of ${schema}.${name}`] = `${sum!.n} rows, ${sum!.a} ${sum!.b}`;
    rows[`${schema}.${name}`] = sum!.n;
  }
  const sequences: SequenceValue[] = [];
  for (const { schema, name } of await session.rows<{ schema: string; name: string }>(SEQUENCES)) {
    const from = `${quoteName(schema)}.${quoteName(name)}`;
    const [at] = await session.rows<{ last: string; called: boolean }>(
      `SELECT last_value::text AS last, is_called AS called FROM ${from}`,
    );
    parts[`value of sequence ${schema}.${name}`] = `${at!.last} ${at!.called}`;
    sequences.push({ schema, name, ...at! });
  }
  const [objects] = await session.rows<{ n: number; a: string; b: string }>(LARGE_OBJECTS);
  if (objects!.n > 0) parts["large objects"] = `${objects!.n} objects, ${objects!.a} ${objects!.b}`;
  return { parts, rows, sequences };
}

/** Ordinary tables and partitions that pg_dump dumps with their rows: not those of an extension. */
const TABLES = `SELECT n.nspname AS schema, c.relname AS name
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
      WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
  ORDER BY 1, 2`;

const SEQUENCES = TABLES.replace("c.relkind = 'r'", "c.relkind = 'S'");

/** The sum of the rows' MD5 digests, as two numbers: no sort, no memory, and the same for any order of rows. */
function digestOf(rows: string): string {
  return `SELECT count(*) AS n, coalesce(sum(('x' || substr(h, 1, 16))::bit(64)::bigint), 0)::text AS a,
    coalesce(sum(('x' || substr(h, 17, 16))::bit(64)::bigint), 0)::text AS b FROM (${rows}) AS hashed`;
}

function rowDigest(schema: string, name: string): string {
  return digestOf(`SELECT md5((x.*)::text) AS h FROM ONLY ${quoteName(schema)}.${quoteName(name)} AS x`);
}

const LARGE_OBJECTS = digestOf(
  "SELECT md5(m.oid::text || ' ' || md5(pg_catalog.lo_get(m.oid))) AS h FROM pg_catalog.pg_largeobject_metadata m",
);

/** Each object's definition by its name: the sections of a dump of the schema. */
async function readDefinitions(
  connection: Connection,
  context: TargetContext,
  database: string,
  snapshot: string | undefined,
): Promise<Parts> {
  const args = [
    "--schema-only",
    "--no-password",
    ...(snapshot === undefined ? [] : [`--snapshot=${snapshot}`]),
  ];
  const text = await programText({
    ...postgresRequest("pg_dump", args, connection, context, database),
    doing: `read the definitions of database ${database}`,
  });
  return definitionParts(text);
}

const SECTION = /^-- (?:Data for )?Name: (.*); Type: (.*); Schema: (.*); Owner: .*$/;

/** The sections of a plain dump, by type and name. What every dump words anew (`\restrict`, versions) is left out. */
export function definitionParts(dump: string): Parts {
  const sections = new Map<string, string[]>();
  let current: string[] = [];
  for (const line of dump.split("\n")) {
    const head = SECTION.exec(line);
    if (head !== null) {
      const [, name = "", type = "", schema = ""] = head;
      const key = `${type.toLowerCase()} ${schema === "-" ? "" : `${schema}.`}${name}`;
      current = sections.get(key) ?? [];
      sections.set(key, current);
    }
    if (
      /^\\(un)?restrict\b/.test(line) || line === "--" || line === "" || line.startsWith("-- PostgreSQL ")
    ) continue;
    current.push(line);
  }
  return Object.fromEntries([...sections].map(([key, lines]) => [key, digest(lines)]));
}

function digest(lines: readonly string[]): string {
  return sha256Hex(lines.join("\n"));
}
