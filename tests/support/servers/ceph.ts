/**
 * A one-node Ceph with its S3 gateway on loopback, as children of this process. Needs the capability `ceph`
 * (Debian: radosgw ceph-mon ceph-osd ceph-common). Starts in about two seconds; several may run side by side.
 *
 *     await using ceph = await startCeph();
 *     await ceph.createBucket("releases");
 */
import { join } from "node:path";
import { tempDir } from "../temp.ts";
import { clientEnvironment, createBucketAt, type S3Server } from "./s3_server.ts";
import { askFreePorts, type StartedServer, startServer } from "./started_server.ts";

export interface CephServer extends S3Server {
  /** Another user, who may not use the buckets of the first one. */
  createUser(name: string, accessKey: string, secretKey: string): Promise<void>;
}

export interface CephOptions {
  /**
   * `memstore` starts at once and keeps everything in memory, also what was deleted; `bluestore` writes a file and is
   * for throughput.
   * @default "memstore"
   */
  readonly store?: "memstore" | "bluestore";
}

const ACCESS_KEY = "AKBACKOUTTEST";
const SECRET_KEY = "SKbackoutTestOnly";
const ATTEMPTS = 3;
const START_TIMEOUT_MS = 90_000;

/** Starts the cluster and makes its user. Another process may take a port in between, so it is tried again then. */
export async function startCeph(options: CephOptions = {}): Promise<CephServer> {
  for (let attempt = 1;; attempt++) {
    try {
      return await start(options.store ?? "memstore");
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
    }
  }
}

async function start(store: "memstore" | "bluestore"): Promise<CephServer> {
  const stack = new AsyncDisposableStack();
  try {
    const folder = stack.use(tempDir("backout-ceph-")).path;
    const [monitorPort, gatewayPort] = askFreePorts(2) as [number, number];
    const endpoint = `http://127.0.0.1:${gatewayPort}`;
    const cluster = new Cluster(folder, stack);
    await cluster.prepare(configText({ folder, store, monitorPort, gatewayPort }), monitorPort);
    await cluster.run("ceph-mon", ["-i", "a", "-f"]);
    const id = await cluster.createStore();
    await cluster.run("ceph-osd", ["-i", id, "-f"]);
    const gateway = await cluster.run("radosgw", ["-n", "client.rgw", "-f"]);
    await gateway.answers(endpoint, START_TIMEOUT_MS);
    await cluster.createUser("test", ACCESS_KEY, SECRET_KEY);
    return serverAt(endpoint, cluster, stack);
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

function serverAt(endpoint: string, cluster: Cluster, stack: AsyncDisposableStack): CephServer {
  const keys = { endpoint, accessKey: ACCESS_KEY, secretKey: SECRET_KEY };
  return {
    ...keys,
    environment: () => clientEnvironment(keys),
    createBucket: (name, options) => createBucketAt(keys, name, options),
    createUser: (name, accessKey, secretKey) => cluster.createUser(name, accessKey, secretKey),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** The programs of a cluster that lives in one folder. */
class Cluster {
  readonly #folder: string;
  readonly #stack: AsyncDisposableStack;

  constructor(folder: string, stack: AsyncDisposableStack) {
    this.#folder = folder;
    this.#stack = stack;
  }

  async prepare(config: string, monitorPort: number): Promise<void> {
    for (const name of ["mon", "osd", "rgw", "run", "log"]) Deno.mkdirSync(join(this.#folder, name));
    Deno.writeTextFileSync(join(this.#folder, "ceph.conf"), config);
    Deno.writeTextFileSync(join(this.#folder, "keyring"), keyring());
    const fsid = /^fsid = (.*)$/m.exec(config)![1]!;
    const map = join(this.#folder, "monmap");
    const monitor = `[v2:127.0.0.1:${monitorPort}]`;
    await this.#call("monmaptool", ["--create", "--fsid", fsid, "--addv", "a", monitor, map], false);
    const keys = ["--keyring", join(this.#folder, "keyring")];
    await this.#call("ceph-mon", ["-i", "a", "--mkfs", "--monmap", map, ...keys]);
  }

  /** Registers the one OSD (this waits for the monitor) and makes its store. Returns its id. */
  async createStore(): Promise<string> {
    const uuid = crypto.randomUUID();
    const timeout = ["--connect-timeout", String(START_TIMEOUT_MS / 1000)];
    const id = (await this.#call("ceph", [...timeout, "osd", "new", uuid])).trim();
    await this.#call("ceph-osd", ["-i", id, "--mkfs", "--osd-uuid", uuid]);
    return id;
  }

  async createUser(name: string, accessKey: string, secretKey: string): Promise<void> {
    const keys = [`--access-key=${accessKey}`, `--secret-key=${secretKey}`];
    const user = [`--uid=${name}`, `--display-name=${name}`];
    await this.#call("radosgw-admin", ["-n", "client.rgw", "user", "create", ...user, ...keys]);
  }

  /** Starts a daemon that is stopped with the cluster. */
  run(program: string, args: readonly string[]): StartedServer {
    const log = join(this.#folder, "log", `${program}.out`);
    const server = startServer([program, "-c", join(this.#folder, "ceph.conf"), ...args], { log });
    return this.#stack.use(server);
  }

  async #call(program: string, args: readonly string[], withConfig = true): Promise<string> {
    const config = withConfig ? ["-c", join(this.#folder, "ceph.conf")] : [];
    const child = new Deno.Command(program, { args: [...config, ...args], stdin: "null" });
    const { success, stdout, stderr } = await child.output();
    if (!success) {
      throw new Error(`${program} ${args.join(" ")} failed: ${new TextDecoder().decode(stderr)}`);
    }
    return new TextDecoder().decode(stdout);
  }
}

function keyring(): string {
  const all = "allow *";
  return [
    keyringEntry("mon.", { mon: all }),
    keyringEntry("client.admin", { mon: all, osd: all, mgr: all }),
    keyringEntry("client.rgw", { mon: all, osd: all, mgr: all }),
    keyringEntry("osd.0", { mon: "allow profile osd", osd: all, mgr: "allow profile osd" }),
  ].join("");
}

/** A key as `ceph-authtool -g` makes it: type, time, length, and 16 random bytes. */
function keyringEntry(name: string, caps: Readonly<Record<string, string>>): string {
  const key = new Uint8Array(28);
  const view = new DataView(key.buffer);
  view.setUint16(0, 1, true);
  view.setUint32(2, Math.floor(Date.now() / 1000), true);
  view.setUint16(10, 16, true);
  crypto.getRandomValues(key.subarray(12));
  const lines = Object.entries(caps).map(([service, cap]) => `\tcaps ${service} = "${cap}"\n`);
  return `[${name}]\n\tkey = ${btoa(String.fromCharCode(...key))}\n${lines.join("")}`;
}

interface ConfigFacts {
  readonly folder: string;
  readonly store: "memstore" | "bluestore";
  readonly monitorPort: number;
  readonly gatewayPort: number;
}

/** One copy of everything, no checks of messages (they cost CPU and stay on loopback), timers shortened for a quick start. */
function configText({ folder, store, monitorPort, gatewayPort }: ConfigFacts): string {
  return `[global]
fsid = ${crypto.randomUUID()}
mon_initial_members = a
mon_host = [v2:127.0.0.1:${monitorPort}]
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_ipv6 = false
ms_bind_msgr1 = false
ms_cluster_mode = crc
ms_service_mode = crc
ms_client_mode = crc
ms_mon_cluster_mode = crc
ms_mon_service_mode = crc
ms_mon_client_mode = crc
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
osd_pool_default_pgp_num = 8
osd_pool_default_pg_autoscale_mode = off
mon_allow_pool_size_one = true
osd_crush_chooseleaf_type = 0
mon_max_pg_per_osd = 1000
run_dir = ${folder}/run
admin_socket = ${folder}/run/$name.asok
pid_file = ${folder}/run/$name.pid
log_file = ${folder}/log/$name.log
crash_dir = ${folder}/log
mon_data = ${folder}/mon
osd_data = ${folder}/osd
rgw_data = ${folder}/rgw
keyring = ${folder}/keyring
osd_objectstore = ${store}
memstore_device_bytes = 6442450944
bluestore_block_size = 4294967296
bluestore_fsck_on_mount = false
osd_memory_target = 939524096
osd_class_load_list = *
osd_class_default_list = *
mon_osd_prime_pg_temp = false
paxos_propose_interval = 0.01
paxos_min_wait = 0.01
mon_data_avail_crit = 1
mon_data_avail_warn = 2
osd_op_num_shards = 2
objecter_tick_interval = 0.3
mon_client_ping_interval = 1
osd_heartbeat_interval = 1
rgw_frontends = beast endpoint=127.0.0.1:${gatewayPort} tcp_nodelay=1
rgw_enable_usage_log = false
rgw_gc_obj_min_wait = 1
rgw_gc_processor_period = 5
rgw_gc_processor_max_time = 5
rgw_enable_ops_log = false
rgw_thread_pool_size = 64
rgw_run_sync_thread = false
rgw_enable_apis = s3, admin
`;
}
