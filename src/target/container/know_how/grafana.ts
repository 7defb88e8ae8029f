/** Grafana. */
import * as z from "zod";
import { httpPath, httpPort } from "./http.ts";
import { answersHttp } from "./http_probe.ts";
import { everyContainer, type Kind } from "./kind.ts";

const schema = z.strictObject({
  port: httpPort.default(3000),
  path: httpPath.default("/api/health"),
});

export const kind: Kind<z.output<typeof schema>> = {
  kind: "grafana",
  summary: "Works when it answers GET /api/health.",
  images: ["grafana", "grafana-oss", "grafana-enterprise"],
  schema,
  acts: (question) => ({
    check: (service, access) =>
      everyContainer(service, access, (container) => answersHttp(container, question, access)),
  }),
};
