/** The healthcheck that the compose file or the image brings. */
import * as z from "zod";
import { everyContainer, healthy, type Kind, unhealthy } from "./kind.ts";

export const kind: Kind<Record<string, never>> = {
  kind: "healthcheck",
  summary: "Works when the engine says that its healthcheck passes.",
  images: [],
  schema: z.strictObject({}),
  recognises: (service) => service.containers.some((it) => it.health !== "none"),
  acts: () => ({
    check: (service, access) =>
      everyContainer(service, access, async (container) => {
        const now = await access.look(container);
        if (now === undefined) return unhealthy(`${container.name} is gone`);
        if (now.health === "healthy") return healthy(`${service.name}: its healthcheck passes`);
        if (now.health === "none") return unhealthy(`${service.name} has no healthcheck`);
        return unhealthy(`${service.name}: its healthcheck says ${now.health}`);
      }),
  }),
};
