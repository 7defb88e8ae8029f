/** A shop of three services with data: Redis, PostgreSQL, and a small web server that says its version. */
import assert from "node:assert/strict";
import { type CliResult, runCli } from "../support/cli.ts";
import { type ContainerEngine, until } from "../support/servers/container_engine.ts";
import { buildOn, importBusybox, importPostgres, importRedis } from "../support/servers/container_images.ts";
import { startDocker } from "../support/servers/docker.ts";
import { startPodman } from "../support/servers/podman.ts";
import { tempDir } from "../support/temp.ts";

const SERVE = 'CMD ["httpd", "-f", "-p", "8080", "-h", "/www"]';

export interface ShopOptions {
  /** Without it the shop has two services, and starts sooner. @default true */
  readonly database?: boolean;
}

/** What counts of it, seen by its own clients. */
export interface ShopState {
  readonly containers: readonly string[];
  readonly page: string;
  readonly redis: string;
  readonly rows: string;
  readonly files: readonly string[];
}

export class Shop implements AsyncDisposable {
  private constructor(
    readonly engine: ContainerEngine,
    readonly folder: string,
    readonly hasDatabase: boolean,
    readonly stack: AsyncDisposableStack,
  ) {}

  /** Starts an engine, makes the images, and brings version 1 up with its data. */
  static async open(kind: "docker" | "podman", { database = true }: ShopOptions = {}): Promise<Shop> {
    const stack = new AsyncDisposableStack();
    try {
      const root = stack.use(tempDir("backout-shop-")).path;
      const engine = stack.use(kind === "docker" ? await startDocker() : await startPodman());
      const shop = new Shop(engine, `${root}/shop`, database, stack);
      await shop.#makeImages();
      Deno.mkdirSync(shop.folder);
      shop.writeFiles("web:1", "one");
      await shop.up();
      await shop.run("cache", "redis-cli", "set", "price", "10");
      await shop.run("cache", "redis-cli", "save");
      await shop.sql("create table orders (n int); insert into orders values (1), (2)");
      return shop;
    } catch (error) {
      await stack.disposeAsync();
      throw error;
    }
  }

  async #makeImages(): Promise<void> {
    await importBusybox(this.engine, "base:1");
    await buildOn(this.engine, "web:1", "base:1", { "www/index.html": "one\n", "www/health": "ok\n" }, [
      SERVE,
    ]);
    // Has no /health.
    await buildOn(this.engine, "web:2", "base:1", { "www/index.html": "two\n" }, ["ENV TWO=2", SERVE]);
    await importRedis(this.engine, "redis:7");
    if (this.hasDatabase) await importPostgres(this.engine, "postgres:15");
  }

  writeFiles(image: string, mode: string): void {
    Deno.writeTextFileSync(`${this.folder}/docker-compose.yml`, composeFile(image, this.hasDatabase));
    Deno.writeTextFileSync(`${this.folder}/.env`, `MODE=${mode}\n`);
  }

  async up(): Promise<void> {
    await this.engine.compose(this.folder, "up", "-d");
    await this.ready();
  }

  /** Waits until the servers with data answer. */
  async ready(): Promise<void> {
    await until(
      async () => await this.run("cache", "redis-cli", "ping").catch(String) === "PONG",
      () => "no Redis",
    );
    if (!this.hasDatabase) return;
    await until(async () => await this.sql("select 1").catch(String) === "1", () => "no PostgreSQL");
  }

  /** A version that changes configuration, image and data, and does not work. */
  async deployBroken(): Promise<void> {
    this.writeFiles("web:2", "two");
    await this.spoilData();
    await this.up();
  }

  async spoilData(): Promise<void> {
    await this.run("cache", "redis-cli", "set", "price", "99");
    await this.run("cache", "redis-cli", "save");
    await this.sql("drop table orders; create table later (n int)");
  }

  /** Runs a program in a service's container. */
  run(service: string, ...command: readonly string[]): Promise<string> {
    return this.engine.docker("exec", `shop_${service}_1`, ...command);
  }

  async sql(statement: string): Promise<string> {
    if (!this.hasDatabase) return "";
    return await this.run(
      "db",
      "psql",
      "-h",
      "127.0.0.1",
      "-U",
      "postgres",
      "-X",
      "-q",
      "-A",
      "-t",
      "-c",
      statement,
    );
  }

  async look(): Promise<ShopState> {
    await this.ready();
    const format = "{{.Names}} {{.Image}} {{.State}}";
    const containers = (await this.engine.docker("ps", "-a", "--no-trunc", "--format", format)).split("\n")
      .sort();
    const files = ["docker-compose.yml", ".env"].map((it) => Deno.readTextFileSync(`${this.folder}/${it}`));
    return {
      containers: containers.map((it) => it.replace("localhost/", "").replace("docker.io/library/", "")),
      page: await this.run("web", "wget", "-q", "-O", "-", "http://127.0.0.1:8080/").catch(() => "no answer"),
      redis: await this.run("cache", "redis-cli", "get", "price"),
      rows: this.hasDatabase
        ? await this.sql(
          "select string_agg(relname, ' ' order by relname) from pg_class " +
            "where relkind = 'r' and relnamespace = 'public'::regnamespace",
        ) + await this.#orders()
        : "",
      files,
    };
  }

  async #orders(): Promise<string> {
    return await this.sql("select count(*) from orders").then((it) => ` ${it}`, () => "");
  }

  /** Runs `backout ARGS` in its folder. */
  async cli(...args: readonly string[]): Promise<CliResult> {
    return await runCli(args, { cwd: this.folder, env: this.environment() });
  }

  /** The same, which must end with this code: its JSON. */
  // deno-lint-ignore no-explicit-any -- documents of many shapes, whose fields the tests look at
  async json(code: number, ...args: readonly string[]): Promise<any> {
    const result = await this.cli(...args, "--json");
    assert.equal(result.code, code, `${args.join(" ")}: ${result.stderr}${result.stdout}`);
    return JSON.parse(result.stdout);
  }

  environment(): Readonly<Record<string, string>> {
    return { PATH: Deno.env.get("PATH")!, HOME: this.folder, ...this.engine.env };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stack.disposeAsync();
  }
}

function composeFile(image: string, database: boolean): string {
  return `version: "3.8"
services:
  cache:
    image: redis:7
    init: true
    restart: always
    volumes: [cache:/data]
${
    database
      ? `  db:
    image: postgres:15
    init: true
    restart: always
    volumes: [db:/var/lib/postgresql/data]
`
      : ""
  }  web:
    image: ${image}
    init: true
    restart: always
    depends_on: [cache]
    environment: {MODE: "\${MODE}"}
    labels: {backout.know_how: http, backout.know_how.port: "8080"}
volumes: {cache: {}${database ? ", db: {}" : ""}}
`;
}
