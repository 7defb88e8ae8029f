/** Which know-how a service gets, and what is made of its answers. */
import assert from "node:assert/strict";
import { UsageError } from "#/core/errors.ts";
import { knowHowFor, knowHowSetting, knownKinds } from "#/target/container/know_how/mod.ts";
import type { Container, ExecResult, ServiceAccess, ServiceFacts } from "#/target/container/model.ts";

Deno.test("a service is known by the name of its image, wherever that comes from", () => {
  const kinds = (image: string) => knowHowFor(service({ image }), undefined).map((it) => it.kind);
  assert.deepEqual(kinds("redis"), ["redis"]);
  assert.deepEqual(kinds("redis:7-alpine"), ["redis"]);
  assert.deepEqual(kinds("hub.example:5000/library/Redis@sha256:00"), ["redis"]);
  assert.deepEqual(kinds("bitnami/postgresql:15"), ["postgres"]);
  assert.deepEqual(kinds("mysql:8"), ["mariadb"]);
  assert.deepEqual(kinds("prom/prometheus:latest"), ["prometheus"]);
  assert.deepEqual(kinds("grafana/grafana-oss"), ["grafana"]);
  assert.deepEqual(kinds("oliver006/redis_exporter"), []);
  assert.deepEqual(kinds("redis/api"), []);
});

Deno.test("a label names the kind and its settings, and a healthcheck is looked at besides", () => {
  const labels = { "backout.know_how": "http", "backout.know_how.path": "/live", other: "x" };
  const found = knowHowFor(service({ image: "redis:7", labels, health: "starting" }), undefined);
  assert.deepEqual(found.map((it) => it.kind), ["http", "healthcheck"]);
  const none = { "backout.know_how": "none" };
  assert.deepEqual(knowHowFor(service({ image: "redis:7", labels: none, health: "healthy" }), undefined), []);
});

Deno.test("what the configuration names comes before label, image and healthcheck", () => {
  const labels = { "backout.know_how": "grafana" };
  const one = service({ image: "redis:7", labels, health: "healthy" });
  assert.deepEqual(knowHowFor(one, "postgres").map((it) => it.kind), ["postgres"]);
  assert.deepEqual(knowHowFor(one, { kind: "http", port: 80 }).map((it) => it.kind), ["http"]);
  assert.deepEqual(knowHowFor(one, "none"), []);
});

Deno.test("an unknown kind, an unknown setting and a path that could end shell text are refused", () => {
  const refused = (setting: string | { kind: string; [key: string]: unknown }, message: RegExp) => {
    assert.throws(
      () => knowHowFor(service({}), setting),
      (error) => error instanceof UsageError && message.test(error.message),
    );
    assert.equal(knowHowSetting.safeParse(setting).success, false);
  };
  refused("redsi", /did you mean redis/);
  refused({ kind: "http", paht: "/x" }, /http: .*paht/);
  refused({ kind: "http", path: "/x' ; rm -rf /'" }, /http\.path/);
  refused({ kind: "postgres", user: 'a"; rm' }, /postgres\.user/);
  assert.equal(knowHowSetting.safeParse({ kind: "http", path: "/ok", port: 8080 }).success, true);
  assert.equal(knowHowSetting.safeParse(["redis"]).success, false);
});

Deno.test("every kind has a summary, and no image belongs to two of them", () => {
  const images = knownKinds().flatMap((it) => it.images);
  assert.equal(new Set(images).size, images.length);
  for (const { kind, summary } of knownKinds()) assert.ok(summary.endsWith("."), kind);
});

Deno.test("a SAVE that is refused stops the capture and says how to go on", async () => {
  const redis = knowHowFor(service({ image: "redis" }), undefined)[0]!;
  const access = answering({ exitCode: 0, stdout: "NOAUTH Authentication required.\n", stderr: "" });
  await assert.rejects(
    redis.beforeCopy!(service({ image: "redis" }), access),
    (error: Error & { hint?: string }) =>
      /SAVE failed in web-1: NOAUTH/.test(error.message) && /password_env/.test(error.hint ?? ""),
  );
});

Deno.test("an image without its client is a warning before the copy, and not healthy after the start", async () => {
  const missing = answering({ exitCode: 127, stdout: "", stderr: "sh: not found" });
  for (const kind of ["redis", "postgres", "mariadb"]) {
    const [one] = knowHowFor(service({}), kind);
    const [warning] = await one!.beforeCopy!(service({}), missing);
    assert.match(warning ?? "", /^web-1 has no /, kind);
    assert.equal((await one!.check!(service({}), missing)).healthy, false, kind);
  }
});

Deno.test("a password comes from the variable that is named, and is handed over as a secret", async () => {
  const [redis] = knowHowFor(service({}), { kind: "redis", password_env: "BACKOUT_REDIS" });
  const seen: unknown[] = [];
  const access = answering({ exitCode: 0, stdout: "PONG\n", stderr: "" }, seen);
  await assert.rejects(redis!.check!(service({}), access), /password of service web is not there/);
  const withPassword = { ...access, env: (name: string) => name === "BACKOUT_REDIS" ? "hush" : undefined };
  assert.equal((await redis!.check!(service({}), withPassword)).healthy, true);
  const [command, options] = seen[0] as [readonly string[], Record<string, unknown>];
  assert.ok(!JSON.stringify(command).includes("hush"));
  assert.deepEqual(options.env, { BACKOUT_PASSWORD: "hush" });
  assert.deepEqual(options.secrets, ["hush"]);
});

Deno.test("a service without a container that runs is not healthy", async () => {
  const stopped = service({ image: "redis", state: "stopped" });
  const [redis] = knowHowFor(stopped, undefined);
  const verdict = await redis!.check!(stopped, answering({ exitCode: 0, stdout: "PONG", stderr: "" }));
  assert.deepEqual(verdict, { healthy: false, message: "web has no container that runs" });
  assert.deepEqual(await redis!.beforeCopy!(stopped, answering({ exitCode: 1, stdout: "", stderr: "" })), []);
});

Deno.test("HTTP is asked from outside where the image has no client", async () => {
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    (request) => new Response("", { status: new URL(request.url).pathname === "/health" ? 200 : 503 }),
  );
  const ports = [{ port: 8080, protocol: "tcp", hostAddress: "0.0.0.0", hostPort: server.addr.port }];
  const one = service({ ports });
  const missing = answering({ exitCode: 127, stdout: "", stderr: "" });
  const good = await knowHowFor(one, "http")[0]!.check!(one, missing);
  assert.deepEqual(good, { healthy: true, message: "web at :8080/health answers" });
  const bad = await knowHowFor(one, { kind: "http", path: "/other" })[0]!.check!(one, missing);
  assert.match(bad.message, /status 503/);
  const unpublished = await knowHowFor(service({}), "http")[0]!.check!(service({}), missing);
  assert.match(unpublished.message, /which port it listens on is not known/);
});

interface Given {
  readonly image?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly health?: Container["health"];
  readonly state?: Container["state"];
  readonly ports?: Container["ports"];
}

function service(given: Given): ServiceFacts {
  const { image = "app:1", labels = {}, health = "none", state = "running", ports = [] } = given;
  const container: Container = {
    id: "0".repeat(64),
    name: "web-1",
    project: "shop",
    service: "web",
    number: 1,
    image,
    imageId: `sha256:${"0".repeat(64)}`,
    configHash: "",
    state,
    exitCode: 0,
    health,
    restarts: 0,
    labels,
    networks: [],
    addresses: [],
    ports,
    mounts: [],
  };
  return { name: "web", image, labels, containers: [container] };
}

function answering(result: ExecResult, seen: unknown[] = []): ServiceAccess {
  return {
    signal: new AbortController().signal,
    sleep: () => Promise.resolve(),
    env: () => undefined,
    exec: (_container, command, options) => {
      seen.push([command, options]);
      return Promise.resolve(result);
    },
    kill: () => Promise.resolve(),
    look: (container) => Promise.resolve(container),
  };
}
