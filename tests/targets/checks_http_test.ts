/** health_check against a server of the test's own, with and without TLS. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";
import { sees } from "./checks_support.ts";

async function withServer(
  handler: (request: Request) => Response | Promise<Response>,
  body: (port: number) => Promise<void>,
  tls: { readonly cert?: string; readonly key?: string } = {},
): Promise<void> {
  const options = {
    port: 0,
    hostname: "127.0.0.1",
    onListen: () => {},
    onError: () => new Response(null),
    ...tls,
  };
  const server = Deno.serve(options as Deno.ServeTcpOptions, handler);
  try {
    await body(server.addr.port);
  } finally {
    await server.shutdown();
  }
}

function answer(request: Request): Response {
  const { pathname } = new URL(request.url);
  switch (pathname) {
    case "/health":
      return Response.json({ status: "up", checks: [{ name: "db", ok: true, lag: 0 }] });
    case "/down":
      return new Response("database is away", { status: 503 });
    case "/moved":
      return new Response(null, { status: 302, headers: { location: "/health?token=hidden" } });
    case "/secret":
      return new Response(null, {
        status: request.headers.get("authorization") === "Bearer s3cret" ? 204 : 401,
      });
    case "/method":
      return new Response(request.method);
    case "/slow": {
      const parts = ["first ", "second"];
      return new Response(
        new ReadableStream({
          pull(controller) {
            const part = parts.shift();
            if (part === undefined) controller.close();
            else controller.enqueue(new TextEncoder().encode(part));
          },
        }),
      );
    }
    case "/big":
      return new Response(new Uint8Array(3 << 20).fill(97));
    default:
      return new Response("not found", { status: 404 });
  }
}

Deno.test("health_check: status, body, JSON value, headers", async () => {
  await withServer(answer, async (port) => {
    const at = (path: string, more = {}) => ({
      type: "health_check",
      url: `http://127.0.0.1:${port}${path}`,
      ...more,
    });
    const passed = await sees(at("/health"), {}, "passes");
    assert.equal(passed.detail, `http://127.0.0.1:${port}/health: HTTP 200`);
    await sees(at("/health", { expected_status: 200, expected_body: '"up"' }), {}, "passes");
    await sees(at("/health", { json: { path: "checks.0.ok", equals: true } }), {}, "passes");
    await sees(
      at("/health", { json: { path: "status", equals: "down" } }),
      {},
      /expected status = "down", found "up"$/,
    );
    await sees(at("/health", { json: { path: "checks.1", equals: 1 } }), {}, /found nothing there$/);
    await sees(
      at("/down", { json: { path: "a", equals: 1 }, expected_status: 503 }),
      {},
      /found a body that is not JSON$/,
    );
    await sees(at("/down"), {}, /expected HTTP 2xx, found HTTP 503$/);
    await sees(at("/down", { expected_status: [200, 503] }), {}, "passes");
    await sees(
      at("/health", { expected_body: "fine" }),
      {},
      /expected a body with "fine", found \{"status":"up"/,
    );
    await sees(at("/method", { method: "POST", expected_body: "POST" }), {}, "passes");
    await sees(at("/big", { expected_body: "aaaa" }), {}, "passes");
    const moved = await sees(
      at("/moved"),
      {},
      /found HTTP 302 \(redirects to http:\/\/127\.0\.0\.1:\d+\/health\)$/,
    );
    assert.ok(!JSON.stringify(moved).includes("hidden"));
    const headers = { headers_env: { Authorization: "BACKOUT_TOKEN" } };
    await sees(at("/secret", headers), { env: { BACKOUT_TOKEN: "Bearer s3cret" } }, "passes");
    const wrong = await sees(
      at("/secret", headers),
      { env: { BACKOUT_TOKEN: "Bearer other" } },
      /found HTTP 401$/,
    );
    assert.ok(!JSON.stringify(wrong).includes("other"));
    await sees(at("/secret", headers), {}, /the environment variable BACKOUT_TOKEN is not set/);
    await sees(at("/health"), { offline: true }, /cannot be looked at with --offline/);
  });
});

Deno.test("health_check: nobody there, and a password in the URL stays out of it", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  const result = await sees(
    { type: "health_check", url: `http://user:hunter2@127.0.0.1:${port}/x?key=abc` },
    {},
    /found connection refused$/,
  );
  assert.ok(!/hunter2|abc/.test(JSON.stringify(result)), JSON.stringify(result));
});

Deno.test("health_check: a server that does not answer is given up", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const accepted: Deno.Conn[] = [];
  const accepting = (async () => {
    for await (const connection of listener) accepted.push(connection);
  })();
  try {
    const check = { type: "health_check", url: `http://127.0.0.1:${port}/`, timeout: "200ms" };
    await sees(check, {}, /^no answer within 0\.2 s$/);
  } finally {
    listener.close();
    await accepting;
    for (const connection of accepted) connection.close();
  }
});

testRequiring(["openssl"], "health_check: TLS by a CA of one's own", async () => {
  await withTempDir(async (folder) => {
    const openssl = (...args: string[]) => {
      const { success, stderr } = new Deno.Command("openssl", { args, cwd: folder, stdin: "null" })
        .outputSync();
      assert.ok(success, new TextDecoder().decode(stderr));
    };
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    openssl(
      "req",
      "-x509",
      ...key,
      "-days",
      "2",
      "-subj",
      "/CN=own CA",
      "-keyout",
      "ca.key",
      "-out",
      "ca.pem",
    );
    openssl("req", ...key, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr");
    await Deno.writeTextFile(
      join(folder, "ext"),
      "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n",
    );
    openssl(
      ...["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"],
      ...["-days", "2", "-extfile", "ext", "-out", "server.pem"],
    );
    const tls = {
      cert: await Deno.readTextFile(join(folder, "server.pem")),
      key: await Deno.readTextFile(join(folder, "server.key")),
    };
    await withServer(answer, async (port) => {
      const check = { type: "health_check", url: `https://localhost:${port}/health`, expected_body: "up" };
      await sees({ ...check, ca_file: "ca.pem" }, { folder }, "passes");
      await sees({ ...check, insecure: true }, { folder }, "passes");
      const at = (path: string) => ({ ...check, url: `https://127.0.0.1:${port}${path}`, insecure: true });
      await sees({ ...at("/big"), expected_body: "aaaa" }, { folder }, "passes");
      await sees({ ...at("/down"), expected_status: 503, expected_body: "away" }, { folder }, "passes");
      await sees(at("/moved"), { folder }, /found HTTP 302 \(redirects to https:/);
      const token = { headers_env: { Authorization: "BACKOUT_TOKEN" }, expected_status: 204 };
      const { expected_body: _body, ...secret } = { ...at("/secret"), ...token };
      await sees(secret, { folder, env: { BACKOUT_TOKEN: "Bearer s3cret" } }, "passes");
      await sees({ ...at("/slow"), expected_body: "second" }, { folder }, "passes");
      await sees(check, { folder }, /found a certificate that is not trusted/);
      await sees({ ...check, ca_file: "gone.pem" }, { folder }, /the certificates gone\.pem cannot be read/);
      const named = { ...check, url: `https://127.0.0.1:${port}/health`, ca_file: "ca.pem" };
      await sees(named, { folder }, /found a certificate that is not trusted/);
    }, tls);
  });
});
