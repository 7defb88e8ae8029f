/** Prometheus. */
import * as z from "zod";
import { httpPath, httpPort } from "./http.ts";
import { answersHttp } from "./http_probe.ts";
import { everyContainer, type Kind, running } from "./kind.ts";

const schema = z.strictObject({
  port: httpPort.default(9090),
  path: httpPath.default("/-/healthy"),
});

export const kind: Kind<z.output<typeof schema>> = {
  kind: "prometheus",
  summary: "HUP, so that it reads its configuration again; works when it answers GET /-/healthy.",
  images: ["prometheus"],
  schema,
  acts: (question) => ({
    afterStart: async (service, access) => {
      for (const container of running(service)) {
        // Before it has its handler the signal would end it.
        await untilAnswers(() => answersHttp(container, question, access), access.sleep);
        await access.kill(container, "HUP");
      }
    },
    check: (service, access) =>
      everyContainer(service, access, (container) => answersHttp(container, question, access)),
  }),
};

/** Gives up after half a minute: the check then says what is wrong. */
async function untilAnswers(
  ask: () => Promise<{ readonly healthy: boolean }>,
  sleep: (ms: number) => Promise<void>,
): Promise<void> {
  for (let tries = 0; tries < 60; tries++) {
    if ((await ask()).healthy) return;
    await sleep(500);
  }
}
