import * as z from "zod";
import { connect } from "./connect.ts";
import type { CheckDriver } from "./check.ts";
import { sight } from "./sight.ts";

const schema = z.strictObject({
  host: z.string().min(1).describe("Name or address."),
  port: z.int().min(1).max(65_535).describe("The port."),
});

/** Something takes connections. */
export const driver: CheckDriver<z.output<typeof schema>> = {
  type: "tcp",
  summary: "A host takes connections on a port.",
  schema,
  needsNetwork: true,
  subject: ({ host, port }) => `${host}:${port}`,
  run: async ({ host, port }, { signal }) => {
    const answer = await connect({ hostname: host, port, transport: "tcp" }, signal);
    if (answer.connection !== undefined) answer.connection.close();
    const found = answer.connection === undefined ? answer.problem : "a connection";
    return sight(answer.connection !== undefined, `${host}:${port}`, "a connection", found);
  },
};
