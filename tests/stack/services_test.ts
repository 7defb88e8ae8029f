/** Services with know-how of their own, as real servers: MariaDB with its tables, Prometheus with its configuration. */
import assert from "node:assert/strict";
import { runCli } from "../support/cli.ts";
import { type ContainerEngine, until } from "../support/servers/container_engine.ts";
import { importMariadb, importPrometheus } from "../support/servers/container_images.ts";
import { startDocker } from "../support/servers/docker.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";

const COMPOSE = `version: "3.8"
services:
  db:
    image: mariadb:10
    init: true
    volumes: [db:/var/lib/mysql]
  metrics:
    image: prom/prometheus:2
    init: true
    volumes: ["./prometheus.yml:/etc/prometheus/prometheus.yml:ro"]
volumes: {db: {}}
`;
const TARGETS = `version: 1
targets:
  stack: {type: container, path: ., include_volumes: true, bind_mounts: [prometheus.yml]}
`;

class Services {
  constructor(readonly engine: ContainerEngine, readonly folder: string) {}

  run(service: string, ...command: readonly string[]): Promise<string> {
    return this.engine.docker("exec", `shop_${service}_1`, ...command);
  }

  sql(statement: string): Promise<string> {
    return this.run("db", "mariadb", "-u", "root", "-B", "-N", "-e", statement);
  }

  configure(interval: string): void {
    Deno.writeTextFileSync(`${this.folder}/prometheus.yml`, `global: {scrape_interval: ${interval}}\n`);
  }

  /** What Prometheus works with, not what its file says. */
  async interval(): Promise<string> {
    const url = "http://127.0.0.1:9090/api/v1/status/config";
    const answer = await this.run("metrics", "wget", "-q", "-O", "-", url);
    return /scrape_interval: (\w+)/.exec(JSON.parse(answer).data.yaml)?.[1] ?? answer;
  }

  async ready(): Promise<void> {
    await until(async () => await this.sql("select 1").catch(String) === "1", () => "no MariaDB");
    await until(async () => /^\d+m?s$/.test(await this.interval().catch(String)), () => "no Prometheus");
  }

  // deno-lint-ignore no-explicit-any -- a report, of which the test looks at some fields
  async json(...args: readonly string[]): Promise<any> {
    const env = { PATH: Deno.env.get("PATH")!, HOME: this.folder, ...this.engine.env };
    const result = await runCli([...args, "--json"], { cwd: this.folder, env });
    assert.equal(result.code, 0, `${args.join(" ")}: ${result.stderr}${result.stdout}`);
    return JSON.parse(result.stdout);
  }
}

testRequiring(
  ["root", "docker", "mariadb", "promtool"],
  "MariaDB gets its tables back, and Prometheus works with its former configuration",
  () =>
    withTempDir(async (root) => {
      await using engine = await startDocker();
      await importMariadb(engine, "mariadb:10");
      await importPrometheus(engine, "prom/prometheus:2");
      const folder = `${root}/shop`;
      Deno.mkdirSync(folder);
      Deno.chmodSync(root, 0o755);
      const services = new Services(engine, folder);
      services.configure("11s");
      Deno.writeTextFileSync(`${folder}/docker-compose.yml`, COMPOSE);
      Deno.writeTextFileSync(`${folder}/backout.yaml`, TARGETS);
      await engine.compose(folder, "up", "-d");
      await services.ready();
      assert.equal(await services.interval(), "11s");
      await services.sql(
        "create database app; create table app.orders (n int); insert into app.orders values (1), (2)",
      );
      await services.json("snapshot", "create", "--id", "good");

      await services.sql("drop table app.orders; create table app.later (n int)");
      services.configure("22s");
      await engine.docker("kill", "-s", "HUP", "shop_metrics_1");
      await until(
        async () => await services.interval() === "22s",
        () => "Prometheus did not take the change",
      );
      const report = await services.json("snapshot", "restore", "latest", "--yes");
      assert.match(
        JSON.stringify(report.steps),
        /put back 1 configuration file, replace 1 volume, stop 2 containers, start 2 containers/,
      );
      assert.equal(await services.sql("select sum(n) from app.orders"), "3");
      assert.equal(await services.sql("show tables from app"), "orders");
      assert.equal(await services.interval(), "11s");
    }),
);
