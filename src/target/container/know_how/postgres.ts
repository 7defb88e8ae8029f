/** PostgreSQL. */
import * as z from "zod";
import { isMissing, lastLine, notSaved, SAVE_MS, shell } from "./in_container.ts";
import { everyContainer, healthy, type Kind, running, unhealthy } from "./kind.ts";

/** Only what can stand in shell text as it is. */
const word = z.string().regex(/^[A-Za-z0-9_.-]{1,63}$/, "must be letters, digits and . _ -");

const schema = z.strictObject({
  user: word.optional().describe("Default: POSTGRES_USER of the container, else postgres"),
  database: word.optional().describe("Default: POSTGRES_DB of the container, else the user's name"),
  port: z.coerce.number().int().min(1).max(65_535).default(5432),
  password_env: z.string().optional().describe("A variable of backout's environment that has the password"),
});
type Settings = z.output<typeof schema>;

export const kind: Kind<Settings> = {
  kind: "postgres",
  summary: "CHECKPOINT before its files are copied; works when pg_isready says so and a query is answered.",
  images: ["postgres", "postgresql", "postgis", "timescaledb", "timescaledb-ha", "pgvector"],
  schema,
  acts: (settings) => ({
    beforeCopy: async (service, access) => {
      const warnings: string[] = [];
      for (const container of running(service)) {
        const result = await shell(container, query(settings, "CHECKPOINT"), settings, access, SAVE_MS);
        if (isMissing(result)) {
          warnings.push(`${container.name} has no psql: no checkpoint was made before its files were copied`);
        } else if (result.exitCode !== 0) {
          throw notSaved(container, "PostgreSQL CHECKPOINT", lastLine(result));
        }
      }
      return warnings;
    },
    check: (service, access) =>
      everyContainer(service, access, async (container) => {
        const ready = await shell(container, isReady(settings), settings, access);
        if (isMissing(ready)) {
          return unhealthy(`${service.name} cannot be asked: its image has no pg_isready`);
        }
        if (ready.exitCode !== 0) {
          return unhealthy(`${service.name} takes no connections: ${lastLine(ready)}`);
        }
        const answer = await shell(container, query(settings, "SELECT 1"), settings, access);
        return answer.exitCode === 0 && answer.stdout.trim() === "1"
          ? healthy(`${service.name} answers a query`)
          : unhealthy(`${service.name} does not answer a query: ${lastLine(answer)}`);
      }),
  }),
};

function setting({ user, database, port }: Settings): string {
  return `user="${user ?? "${POSTGRES_USER:-postgres}"}"
database="${database ?? "${POSTGRES_DB:-$user}"}"
password="\${BACKOUT_PASSWORD:-\${POSTGRES_PASSWORD:-}}"
if [ -z "$password" ] && [ -r "\${POSTGRES_PASSWORD_FILE:-}" ]; then password="$(cat "$POSTGRES_PASSWORD_FILE")"; fi
if [ -n "$password" ]; then export PGPASSWORD="$password"; fi
export PGUSER="$user" PGDATABASE="$database" PGPORT=${port} PGCONNECT_TIMEOUT=5
`;
}

function isReady(settings: Settings): string {
  return `${setting(settings)}command -v pg_isready >/dev/null 2>&1 || exit 127
exec pg_isready 2>&1`;
}

function query(settings: Settings, sql: "CHECKPOINT" | "SELECT 1"): string {
  return `${setting(settings)}command -v psql >/dev/null 2>&1 || exit 127
exec psql -X -q -A -t -w -v ON_ERROR_STOP=1 -c '${sql}'`;
}
