/** All database systems. */
import type { EngineName } from "./connection.ts";
import type { Engine } from "./engine.ts";
import { mariadb } from "./mariadb.ts";
import { postgres } from "./postgres.ts";
import { redis } from "./redis.ts";
import { sqlite } from "./sqlite.ts";

export const engines: Readonly<Record<EngineName, Engine>> = {
  postgresql: postgres,
  mysql: mariadb,
  sqlite,
  redis,
};
