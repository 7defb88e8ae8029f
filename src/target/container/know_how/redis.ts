/** Redis and what speaks like it. */
import * as z from "zod";
import type { Container, ServiceAccess } from "../model.ts";
import { isMissing, lastLine, notSaved, SAVE_MS, shell } from "./in_container.ts";
import { everyContainer, healthy, type Kind, running, unhealthy } from "./kind.ts";

const schema = z.strictObject({
  password_env: z.string().optional().describe("A variable of backout's environment that has the password"),
  port: z.coerce.number().int().min(1).max(65_535).default(6379),
});
type Settings = z.output<typeof schema>;

/** Another save that is under way is waited for. */
const SAVING_TRIES = 300;

export const kind: Kind<Settings> = {
  kind: "redis",
  summary: "SAVE before its files are copied; works when it answers PING.",
  images: ["redis", "valkey", "keydb", "redis-stack", "redis-stack-server"],
  schema,
  acts: (settings) => ({
    beforeCopy: async (service, access) => {
      const warnings: string[] = [];
      for (const container of running(service)) warnings.push(...await save(container, settings, access));
      return warnings;
    },
    check: (service, access) =>
      everyContainer(service, access, async (container) => {
        const result = await shell(container, client(settings, "PING"), settings, access);
        if (result.stdout.trim() === "PONG") return healthy(`${service.name} answers PING`);
        return unhealthy(`${service.name} does not answer PING: ${lastLine(result) || "no answer"}`);
      }),
  }),
};

async function save(
  container: Container,
  settings: Settings,
  access: ServiceAccess,
): Promise<readonly string[]> {
  for (let tries = 1;; tries++) {
    const result = await shell(container, client(settings, "SAVE"), settings, access, SAVE_MS);
    if (result.stdout.trim() === "OK") return [];
    const said = lastLine(result);
    if (isMissing(result)) {
      return [`${container.name} has no redis-cli: what it has not saved by itself is not in the copy`];
    }
    if (!/save already in progress/i.test(said) || tries === SAVING_TRIES) {
      throw notSaved(container, "Redis SAVE", said);
    }
    await access.sleep(1_000);
  }
}

/** A password of the container's own environment is used as well: `REDIS_PASSWORD` is what images call it. */
function client({ port }: Settings, command: "SAVE" | "PING"): string {
  return `password="\${BACKOUT_PASSWORD:-\${REDIS_PASSWORD:-}}"
if [ -n "$password" ]; then export REDISCLI_AUTH="$password"; fi
for name in redis-cli valkey-cli keydb-cli; do
  if command -v "$name" >/dev/null 2>&1; then exec "$name" -p ${port} ${command} 2>&1; fi
done
exit 127`;
}
