/** Any service that answers HTTP. */
import * as z from "zod";
import { answersHttp } from "./http_probe.ts";
import { everyContainer, type Kind } from "./kind.ts";

export const httpPort = z.coerce.number().int().min(1).max(65_535);
export const httpPath = z.string().regex(
  /^\/[A-Za-z0-9._~/%?&=+:@,;-]*$/,
  "must be a path that begins with a slash, without quotes or spaces",
);

const schema = z.strictObject({
  port: httpPort.optional().describe("In the container; default: the port that it publishes"),
  path: httpPath.default("/health"),
});

export const kind: Kind<z.output<typeof schema>> = {
  kind: "http",
  summary: "Works when it answers GET /health, asked for up to 30 s; what it depends on is looked at first.",
  images: [],
  schema,
  acts: ({ port, path }) => ({
    check: (service, access) =>
      everyContainer(service, access, (container) => answersHttp(container, { port, path }, access)),
  }),
};
