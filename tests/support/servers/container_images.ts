/**
 * Images without a registry: busybox, and the real servers of this machine with the libraries they need.
 *
 *     await importBusybox(engine, "base:1");
 *     await buildOn(engine, "web:1", "base:1", { "www/health": "ok" }, ['CMD ["httpd", "-f", "-h", "/www"]']);
 *     await importRedis(engine, "redis:7");
 */
import { dirname } from "node:path";
import { tempDir } from "../temp.ts";
import { type ContainerEngine, run } from "./container_engine.ts";
import { postgresBin } from "./postgres.ts";

/** The user that servers in the images run as. */
const SERVER_USER = "70:70";

/** An image with busybox and all its applets. */
export async function importBusybox(engine: ContainerEngine, reference: string): Promise<void> {
  await using root = await busyboxRoot();
  await importRoot(engine, reference, root.path, ['CMD ["sh"]']);
}

/** An image from another one with files on top: a layer more. Instructions are those of a Dockerfile. */
export async function buildOn(
  engine: ContainerEngine,
  reference: string,
  base: string,
  files: Readonly<Record<string, string>>,
  instructions: readonly string[] = [],
): Promise<void> {
  await using folder = tempDir("backout-image-");
  for (const [path, text] of Object.entries(files)) {
    Deno.mkdirSync(dirname(`${folder.path}/root/${path}`), { recursive: true });
    Deno.writeTextFileSync(`${folder.path}/root/${path}`, text);
  }
  Deno.mkdirSync(`${folder.path}/root`, { recursive: true });
  const dockerfile = [`FROM ${base}`, "COPY root/ /", ...instructions].join("\n");
  Deno.writeTextFileSync(`${folder.path}/Dockerfile`, dockerfile);
  await run(["docker", "build", "-q", "--network=none", "-t", reference, folder.path], {
    env: { ...engine.env, DOCKER_BUILDKIT: "0" },
  });
}

/** A Redis whose data is in /data; keeps what was saved, saves nothing by itself. */
export async function importRedis(engine: ContainerEngine, reference: string): Promise<void> {
  await using root = await busyboxRoot();
  await addPrograms(root.path, ["/usr/bin/redis-server", "/usr/bin/redis-cli"]);
  await makeOwned(root.path, "data");
  await importRoot(engine, reference, root.path, [
    `USER ${SERVER_USER}`,
    "WORKDIR /data",
    "VOLUME /data",
    "EXPOSE 6379",
    'CMD ["redis-server", "--dir", "/data", "--save", "", "--protected-mode", "no"]',
  ]);
}

/** A PostgreSQL that makes its cluster in /var/lib/postgresql/data on the first start, as Docker's own image does. */
export async function importPostgres(engine: ContainerEngine, reference: string): Promise<void> {
  await using root = await busyboxRoot();
  const bin = postgresBin();
  if (bin === undefined) throw new Error("PostgreSQL is not installed");
  const home = dirname(bin);
  const version = home.split("/").at(-1)!;
  const names = ["postgres", "initdb", "psql", "pg_isready", "pg_ctl"];
  await addPrograms(root.path, names.map((it) => `${bin}/${it}`));
  for (const name of names) Deno.symlinkSync(`${bin}/${name}`, `${root.path}/bin/${name}`);
  await addPrograms(root.path, ["plpgsql.so", "dict_snowball.so"].map((it) => `${home}/lib/${it}`));
  await copyTree(`/usr/share/postgresql/${version}`, root.path);
  Deno.writeTextFileSync(`${root.path}/bin/serve`, POSTGRES_ENTRY);
  Deno.chmodSync(`${root.path}/bin/serve`, 0o755);
  await makeOwned(root.path, "var/lib/postgresql/data");
  await makeOwned(root.path, "run/postgresql");
  await makeOwned(root.path, "var/run/postgresql");
  await importRoot(engine, reference, root.path, [
    `USER ${SERVER_USER}`,
    "ENV PGDATA=/var/lib/postgresql/data",
    "VOLUME /var/lib/postgresql/data",
    "EXPOSE 5432",
    'ENTRYPOINT ["/bin/serve"]',
  ]);
}

const POSTGRES_ENTRY = `#!/bin/sh
set -e
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb -D "$PGDATA" -U "\${POSTGRES_USER:-postgres}" -A trust --no-sync -E UTF8 --locale=C
  echo "host all all all trust" >>"$PGDATA/pg_hba.conf"
fi
exec postgres -D "$PGDATA" -c "listen_addresses=*" -c shared_memory_type=mmap -c dynamic_shared_memory_type=mmap "$@"
`;

/** A MariaDB with its system tables in /var/lib/mysql; root needs no password. */
export async function importMariadb(engine: ContainerEngine, reference: string): Promise<void> {
  await using root = await busyboxRoot();
  await addPrograms(root.path, ["/usr/sbin/mariadbd", "/usr/bin/mariadb"]);
  Deno.symlinkSync("/usr/bin/mariadb", `${root.path}/bin/mariadb`);
  await copyTree("/usr/share/mysql", root.path);
  await makeOwned(root.path, "run/mysqld");
  await makeOwned(root.path, "var/lib");
  const data = `${root.path}/var/lib/mysql`;
  const how = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"];
  await run([
    "mariadb-install-db",
    "--no-defaults",
    `--datadir=${data}`,
    "--innodb-log-file-size=8M",
    ...how,
  ]);
  await run(["chown", "-R", SERVER_USER, data]);
  const serve = [
    "/usr/sbin/mariadbd",
    "--no-defaults",
    "--datadir=/var/lib/mysql",
    "--innodb-buffer-pool-size=16M",
  ];
  await importRoot(engine, reference, root.path, [
    `USER ${SERVER_USER}`,
    "VOLUME /var/lib/mysql",
    "EXPOSE 3306",
    `CMD ${JSON.stringify([...serve, "--socket=/run/mysqld/mysqld.sock", "--pid-file=/run/mysqld/pid"])}`,
  ]);
}

/** A Prometheus that reads /etc/prometheus/prometheus.yml. */
export async function importPrometheus(engine: ContainerEngine, reference: string): Promise<void> {
  await using root = await busyboxRoot();
  await addPrograms(root.path, ["/usr/bin/prometheus"]);
  await makeOwned(root.path, "prometheus");
  const files = ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"];
  await importRoot(engine, reference, root.path, [
    `USER ${SERVER_USER}`,
    "VOLUME /prometheus",
    "EXPOSE 9090",
    `CMD ${JSON.stringify(["/usr/bin/prometheus", ...files])}`,
  ]);
}

/** A folder that holds busybox, for `importRoot`. */
async function busyboxRoot(): Promise<ReturnType<typeof tempDir>> {
  const root = tempDir("backout-root-");
  for (const name of ["bin", "etc", "tmp", "proc", "sys", "dev", "usr/bin"]) {
    Deno.mkdirSync(`${root.path}/${name}`, { recursive: true });
  }
  Deno.chmodSync(root.path, 0o755);
  Deno.chmodSync(`${root.path}/tmp`, 0o1777);
  Deno.copyFileSync("/bin/busybox", `${root.path}/bin/busybox`);
  for (const applet of (await run(["busybox", "--list"])).split("\n")) {
    if (applet !== "busybox") Deno.symlinkSync("busybox", `${root.path}/bin/${applet}`);
  }
  const users = "root:x:0:0:root:/:/bin/sh\nserver:x:70:70:server:/:/bin/sh\n";
  Deno.writeTextFileSync(`${root.path}/etc/passwd`, users);
  Deno.writeTextFileSync(`${root.path}/etc/group`, "root:x:0:\nserver:x:70:\n");
  return root;
}

/** Copies programs and the libraries that they load, each to the path that it has here. */
async function addPrograms(root: string, programs: readonly string[]): Promise<void> {
  const loaded = await run(["ldd", ...programs]);
  const libraries = loaded.matchAll(/^\s+(?:\S+ => )?(\/\S+) \(0x/gm).map((it) => it[1]!);
  for (const path of new Set([...programs, ...libraries])) {
    Deno.mkdirSync(dirname(root + path), { recursive: true });
    Deno.copyFileSync(path, root + path);
  }
}

async function copyTree(folder: string, root: string): Promise<void> {
  Deno.mkdirSync(dirname(root + folder), { recursive: true });
  await run(["cp", "-aL", folder, root + folder]);
}

async function makeOwned(root: string, path: string): Promise<void> {
  Deno.mkdirSync(`${root}/${path}`, { recursive: true });
  await run(["chown", SERVER_USER, `${root}/${path}`]);
}

/** Makes an image of one layer from a folder. */
async function importRoot(
  engine: ContainerEngine,
  reference: string,
  root: string,
  changes: readonly string[],
): Promise<void> {
  const packed = new Deno.Command("tar", {
    args: ["-C", root, "-c", "--numeric-owner", "."],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const instructions = changes.flatMap((it) => ["-c", it]);
  await engine.dockerWith(packed.stdout, "import", ...instructions, "-", reference);
  await packed.status;
}
