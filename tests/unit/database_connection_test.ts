import assert from "node:assert/strict";
import { UsageError } from "#/core/errors.ts";
import { parseConnection } from "#/target/database/connection.ts";
import { besideName, compareRestored } from "#/target/database/engine.ts";
import { definitionParts } from "#/target/database/postgres_parts.ts";

const parse = (connection_string: string, env: Record<string, string> = {}, more = {}) =>
  parseConnection({ connection_string, ...more }, "/work", (name) => env[name]);

Deno.test("a connection string is read into its parts", () => {
  const { user, password, host, port, database, options, label } = parse(
    "postgresql://us%40er:p%40ss@db.example:5433/my%20db?sslmode=require&password=other",
  );
  assert.deepEqual({ user, password, host, port, database, options }, {
    user: "us@er",
    password: "p@ss",
    host: "db.example",
    port: 5433,
    database: "my db",
    options: { sslmode: "require" },
  });
  assert.equal(label, "postgresql://db.example:5433/my db");
});

Deno.test("a password that was filled in may hold any character", () => {
  for (const word of ["p@ss/w:rd", "a%zz", "x#y?z", "100%", "@@"]) {
    const { password, host, database } = parse(`mysql://app:${word}@h/db`);
    assert.deepEqual({ password, host, database }, { password: word, host: "h", database: "db" });
  }
});

Deno.test("sockets, addresses of IPv6, and the parts that an environment gives", () => {
  assert.equal(parse("postgres://u@/db?host=/run/pg").socket, "/run/pg");
  assert.equal(parse("postgres://u@%2Frun%2Fpg/db").socket, "/run/pg");
  assert.equal(parse("mariadb://u@localhost/db?socket=/run/m.sock").socket, "/run/m.sock");
  assert.deepEqual([parse("redis://[::1]:6380/0").host, parse("redis://[::1]:6380/0").port], ["::1", 6380]);
  const from = parse("postgresql:///db", { PGHOST: "/run/x", PGUSER: "me", PGPORT: "99", PGPASSWORD: "pw" });
  assert.deepEqual([from.socket, from.user, from.port, from.password], ["/run/x", "me", 99, "pw"]);
  assert.equal(parse("mysql://u@h/db", { MYSQL_PWD: "pw" }).password, "pw");
  assert.equal(parse("redis://h", { REDISCLI_AUTH: "pw" }).password, "pw");
  assert.equal(parse("mysql://u@h/", {}, { database_name: "given" }).database, "given");
});

Deno.test("SQLite files: absolute, and relative to the folder of the configuration", () => {
  assert.equal(parse("sqlite:///srv/a%20b.db").database, "/srv/a b.db");
  assert.equal(parse("sqlite://data/app.db").database, "/work/data/app.db");
  assert.equal(parse("sqlite:data@home.db").database, "/work/data@home.db");
});

Deno.test("what is no connection string is refused, and never quoted", () => {
  for (
    const text of [
      "oracle://u:s3cret@h/db",
      "sqlite://",
      "mysql://u:s3cret@h",
      "mysql://u:s3cret@h:port/db",
      "",
    ]
  ) {
    assert.throws(
      () => parse(text),
      (error: Error) => error instanceof UsageError && !error.message.includes("s3cret"),
    );
  }
  assert.throws(() => parse("mysql://u@h/db", {}, { password_file: "/nowhere" }), UsageError);
});

Deno.test("a password file gives its first line", () => {
  const file = Deno.makeTempFileSync();
  Deno.writeTextFileSync(file, "first\r\nsecond\n");
  assert.equal(parse("mysql://u@h/db", { MYSQL_PWD: "other" }, { password_file: file }).password, "first");
  Deno.removeSync(file);
});

Deno.test("names beside a database fit, whatever bytes they have", () => {
  const name = besideName("ü".repeat(60), "backout", "0123abcd", 63);
  assert.ok(new TextEncoder().encode(name).length <= 63);
  assert.match(name, /^ü+_backout_0123abcd$/);
  assert.equal(besideName("app", "old", "0123abcd", 63), "app_old_0123abcd");
});

Deno.test("rows that differ after a restore are an error, the wording of a definition is a warning", () => {
  const saved = { "rows of t": "1 rows, a", "table t": "x" };
  assert.equal(compareRestored("db", saved, saved), undefined);
  assert.match(compareRestored("db", saved, { ...saved, "table t": "y" })!, /table t/);
  assert.throws(() => compareRestored("db", saved, { ...saved, "rows of t": "2 rows, b" }), /rows of t/);
  assert.throws(() => compareRestored("db", saved, { "rows of t": "1 rows, a" }), /table t/);
});

Deno.test("a dump of definitions is read by its sections; random words of a dump do not matter", () => {
  const dump = (word: string, column: string) =>
    `--\n-- PostgreSQL database dump\n--\n\n\\restrict ${word}\n\n--\n-- Name: t; Type: TABLE; Schema: public; Owner: me\n--\n\n` +
    `CREATE TABLE public.t (${column});\n\n--\n-- Name: s; Type: SCHEMA; Schema: -; Owner: me\n--\n\nCREATE SCHEMA s;\n\n\\unrestrict ${word}\n`;
  assert.deepEqual(definitionParts(dump("a", "i int")), definitionParts(dump("b", "i int")));
  assert.notEqual(
    definitionParts(dump("a", "i int"))["table public.t"],
    definitionParts(dump("a", "j int"))["table public.t"],
  );
  assert.deepEqual(Object.keys(definitionParts(dump("a", ""))), ["table public.t", "schema s"]);
});
