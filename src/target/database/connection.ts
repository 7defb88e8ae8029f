/** How a database is reached: connection strings, credentials, and their forms without a password. */
import { isAbsolute, join } from "node:path";
import { messageOf, UsageError } from "#/core/errors.ts";

export type EngineName = "postgresql" | "mysql" | "sqlite" | "redis";

const SCHEMES: Readonly<Record<string, EngineName>> = {
  postgresql: "postgresql",
  postgres: "postgresql",
  mysql: "mysql",
  mariadb: "mysql",
  sqlite: "sqlite",
  redis: "redis",
  rediss: "redis",
};

/** Names under which a query of a connection string carries a secret. */
const SECRET_OPTIONS = new Set(["password", "sslpassword", "passwd", "pwd"]);

export interface DatabaseConfig {
  readonly connection_string: string;
  readonly database_name?: string | undefined;
  /** A file with the password in its first line. */
  readonly password_file?: string | undefined;
  /** A further copy of the dump, written at each capture. */
  readonly backup_file?: string | undefined;
  /** Connections that a PostgreSQL restore uses. */
  readonly jobs?: number | undefined;
}

/** A connection string, read. */
export interface Connection {
  readonly engine: EngineName;
  readonly scheme: string;
  /** A host name; undefined where a socket or the client's default is used. */
  readonly host?: string;
  /** A socket, or for PostgreSQL the folder of sockets. */
  readonly socket?: string;
  readonly port?: number;
  readonly user?: string;
  readonly password?: string;
  /** Name of the database; the absolute path of the file for SQLite; for Redis always empty. */
  readonly database: string;
  /** Other options of the query. */
  readonly options: Readonly<Record<string, string>>;
  /** For people: where it is, without password and options. */
  readonly label: string;
}

interface UrlParts {
  readonly scheme: string;
  readonly userinfo: string | undefined;
  readonly authority: string;
  readonly path: string;
  readonly query: string;
}

/** Whether a text begins like a connection string of a database that backout knows. */
export function engineOf(connectionString: string): EngineName | undefined {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(connectionString)?.[1]?.toLowerCase();
  return scheme === undefined || !Object.hasOwn(SCHEMES, scheme) ? undefined : SCHEMES[scheme];
}

/** Passwords may hold any character also unescaped: what is before the last `@` is user and password. */
function split(url: string): UrlParts {
  const [, scheme = "", rest = ""] = /^([^:]+):(?:\/\/)?(.*)$/s.exec(url) ?? [];
  const at = userinfoEnd(rest);
  const place = rest.slice(at + 1);
  const [, authority = "", path = "", query = ""] = /^([^/?]*)([^?]*)(?:\?(.*))?$/s.exec(place) ?? [];
  return {
    scheme: scheme.toLowerCase(),
    userinfo: at < 0 ? undefined : rest.slice(0, at),
    authority,
    path,
    query,
  };
}

/** An `@` in the query (`?host=/a@b`) ends no user where the part before the query has one of its own, or none. */
function userinfoEnd(rest: string): number {
  const query = rest.search(/\?[a-z_]+=/i);
  return (query < 0 ? rest : rest.slice(0, query)).lastIndexOf("@");
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a bare % in a password that was filled in
  }
}

/**
 * Reads a connection string and finds the password: in it, in a file, or in the environment, in this order.
 * @param folder where relative paths start
 * @throws {UsageError} an unknown scheme, no database, a password file that cannot be read. Never quotes the string.
 */
export function parseConnection(
  config: DatabaseConfig,
  folder: string,
  env: (name: string) => string | undefined,
): Connection {
  const engine = engineOf(config.connection_string);
  if (engine === undefined) {
    throw new UsageError("The connection string does not begin with the name of a database system", {
      hint: "Use postgresql://, mysql://, mariadb://, sqlite:///path, redis:// or rediss://.",
    });
  }
  const url = split(config.connection_string);
  if (engine === "sqlite") return sqliteConnection(url, folder);
  const options = Object.fromEntries(new URLSearchParams(url.query));
  const server = serverOf(engine, url, options, env);
  const password = passwordOf(engine, server.password, config, folder, env);
  const database = engine === "redis" ? "" : config.database_name ?? decode(url.path.slice(1));
  if (engine !== "redis" && database === "") {
    throw new UsageError(`The connection string of ${server.place} names no database`, {
      hint: `Write ${url.scheme}://user@host/database, or give database_name.`,
    });
  }
  if (database.includes("\0") || database.includes("\n")) {
    throw new UsageError("The name of a database cannot hold a line break or a NUL character");
  }
  const label = `${url.scheme}://${server.place}${database === "" ? "" : `/${database}`}`;
  const { place: _, password: __, ...address } = server;
  return {
    engine,
    scheme: url.scheme,
    ...address,
    ...(password === undefined ? {} : { password }),
    database,
    label,
  };
}

function sqliteConnection(url: UrlParts, folder: string): Connection {
  const path = decode((url.userinfo === undefined ? "" : `${url.userinfo}@`) + url.authority + url.path);
  if (path === "" || path === "/" || path.includes("\0") || path === ":memory:") {
    throw new UsageError("The connection string names no SQLite file", {
      hint: "Write sqlite:///absolute/path.db or sqlite://relative/path.db.",
    });
  }
  const file = isAbsolute(path) ? path : join(folder, path);
  return { engine: "sqlite", scheme: "sqlite", database: file, options: {}, label: `sqlite://${file}` };
}

type Server = Omit<Connection, "engine" | "scheme" | "database" | "label"> & { readonly place: string };

function serverOf(
  engine: EngineName,
  url: UrlParts,
  query: Readonly<Record<string, string>>,
  env: (name: string) => string | undefined,
): Server {
  const { user: queryUser, host: queryHost, port: queryPort, socket: querySocket, ...rest } = query;
  const secret = rest.password ?? rest.passwd ?? rest.pwd;
  const options = Object.fromEntries(Object.entries(rest).filter(([name]) => !SECRET_OPTIONS.has(name)));
  const colon = url.userinfo?.indexOf(":") ?? -1;
  const user = (url.userinfo === undefined ? "" : colon < 0 ? url.userinfo : url.userinfo.slice(0, colon)) ||
    queryUser || (engine === "postgresql" ? env("PGUSER") : undefined);
  const password = colon < 0 ? secret : url.userinfo!.slice(colon + 1);
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(url.authority) ?? [];
  const where = querySocket || decode(bracketed ?? plain ?? "") || queryHost ||
    (engine === "postgresql" ? env("PGHOST") : undefined);
  const number = port ?? queryPort ?? (engine === "postgresql" ? env("PGPORT") : undefined);
  const address = where === undefined || where === ""
    ? {}
    : isAbsolute(where)
    ? { socket: where }
    : { host: where };
  if (url.authority !== "" && bracketed === undefined && plain === undefined) {
    throw new UsageError(`The connection string for ${engine} has an address that is not host:port`, {
      hint: "Write user:password@host:port/database; characters like @ / : in a password as %40 %2F %3A.",
    });
  }
  return {
    ...address,
    ...(number === undefined || number === "" ? {} : { port: Number(number) }),
    ...(user === undefined || user === "" ? {} : { user: decode(user) }),
    ...(password === undefined || password === "" ? {} : { password: decode(password) }),
    options,
    place: (where === undefined || where === "" ? "(local)" : where) + (number ? `:${number}` : ""),
  };
}

const PASSWORD_VARIABLES: Readonly<Record<EngineName, string | undefined>> = {
  postgresql: "PGPASSWORD",
  mysql: "MYSQL_PWD",
  redis: "REDISCLI_AUTH",
  sqlite: undefined,
};

function passwordOf(
  engine: EngineName,
  fromUrl: string | undefined,
  config: DatabaseConfig,
  folder: string,
  env: (name: string) => string | undefined,
): string | undefined {
  if (fromUrl !== undefined) return fromUrl;
  if (config.password_file !== undefined) return readPassword(config.password_file, folder);
  const variable = PASSWORD_VARIABLES[engine];
  return variable === undefined ? undefined : env(variable) || undefined;
}

function readPassword(file: string, folder: string): string {
  const path = isAbsolute(file) ? file : join(folder, file);
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (cause) {
    throw new UsageError(`Cannot read the password file ${path}: ${messageOf(cause)}`, {
      hint: "It must be there and readable for this user.",
      cause,
    });
  }
  return text.split(/\r?\n/, 1)[0]!;
}
