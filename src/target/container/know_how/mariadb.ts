/** MariaDB and MySQL. */
import * as z from "zod";
import { isMissing, lastLine, notSaved, SAVE_MS, shell } from "./in_container.ts";
import { everyContainer, healthy, type Kind, running, unhealthy } from "./kind.ts";

const schema = z.strictObject({
  user: z.string().regex(/^[A-Za-z0-9_.-]{1,80}$/, "must be letters, digits and . _ -").default("root"),
  password_env: z.string().optional().describe("A variable of backout's environment that has the password"),
});
type Settings = z.output<typeof schema>;

export const kind: Kind<Settings> = {
  kind: "mariadb",
  summary: "FLUSH TABLES before its files are copied; works when a query is answered.",
  images: ["mariadb", "mysql", "percona", "percona-server"],
  schema,
  acts: (settings) => ({
    beforeCopy: async (service, access) => {
      const warnings: string[] = [];
      for (const container of running(service)) {
        const result = await shell(container, query(settings, "FLUSH TABLES"), settings, access, SAVE_MS);
        if (isMissing(result)) {
          warnings.push(
            `${container.name} has no client: its tables were not flushed before they were copied`,
          );
        } else if (result.exitCode !== 0) {
          throw notSaved(container, "FLUSH TABLES", lastLine(result));
        }
      }
      return warnings;
    },
    check: (service, access) =>
      everyContainer(service, access, async (container) => {
        const answer = await shell(container, query(settings, "SELECT 1"), settings, access);
        if (isMissing(answer)) return unhealthy(`${service.name} cannot be asked: its image has no client`);
        return answer.exitCode === 0 && answer.stdout.trim() === "1"
          ? healthy(`${service.name} answers a query`)
          : unhealthy(`${service.name} does not answer a query: ${lastLine(answer)}`);
      }),
  }),
};

/** Root's password is where the images of MariaDB and MySQL are told it. */
function query({ user }: Settings, sql: "FLUSH TABLES" | "SELECT 1"): string {
  return `password="\${BACKOUT_PASSWORD:-\${MARIADB_ROOT_PASSWORD:-\${MYSQL_ROOT_PASSWORD:-}}}"
file="\${MARIADB_ROOT_PASSWORD_FILE:-\${MYSQL_ROOT_PASSWORD_FILE:-}}"
if [ -z "$password" ] && [ -r "$file" ]; then password="$(cat "$file")"; fi
if [ -n "$password" ]; then export MYSQL_PWD="$password"; fi
for name in mariadb mysql; do
  if command -v "$name" >/dev/null 2>&1; then exec "$name" -u ${user} -B -N --connect-timeout=5 -e '${sql}'; fi
done
exit 127`;
}
