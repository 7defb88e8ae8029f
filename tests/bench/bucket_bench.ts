/** What a rollback in a bucket costs beside `aws s3 cp` and `aws s3 rm`, and how many requests it makes. */
import { join } from "node:path";
import { startCeph } from "../support/servers/ceph.ts";
import { type LoggedRequest, startFaultProxy } from "../support/servers/fault_proxy.ts";
import { startGcsProcess } from "../support/servers/gcs_process.ts";
import { compare, megabytes, milliseconds, type Row, timed } from "./measure.ts";
import { root, type Subject } from "./subject.ts";

const OBJECTS = 1000;
const BYTES = 64 * 1024;
const VERSION = "v1.0.1";
const MEMORY_GOAL = 150e6;
const KEYS = 100_000;

export interface BucketBench {
  readonly subject: Subject;
  readonly folder: string;
  readonly rounds: number;
  readonly quick: boolean;
}

/** Empty where the servers or the AWS command line are not to be had. */
export async function benchBucket(bench: BucketBench): Promise<readonly Row[]> {
  if (!hasPrograms("radosgw", "ceph-osd", "aws")) {
    console.log("No Ceph or no aws here: the bucket is not measured.");
    return [];
  }
  return [...await benchRollback(bench), ...await benchListing(bench)];
}

async function benchRollback({ subject, folder, rounds }: BucketBench): Promise<readonly Row[]> {
  await using ceph = await startCeph({ store: "bluestore" });
  await ceph.createBucket("bench");
  const env = ceph.environment();
  const aws = (...words: readonly string[]) =>
    timed(["aws", "--endpoint-url", ceph.endpoint, "s3", ...words, "--quiet"], { env });
  const backout = (extra: Readonly<Record<string, string>>, ...words: readonly string[]) =>
    timed([...subject.command, ...words, "-r", "s3://bench/repository"], {
      env: { ...env, ...extra },
      peak: true,
    });
  const source = writeSource(folder);
  const rollback = ["release", "rollback", VERSION, "--reason", "measured"];
  backout({}, "release", "publish", "v1.0.0", source.small);
  backout({}, "release", "publish", VERSION, source.large);
  aws("cp", "--recursive", source.large, "s3://bench/hand/v");
  let peak = 0;
  const times = compare([
    { name: "backout", run: () => peak = Math.max(peak, backout({}, ...rollback).peakBytes ?? 0) },
    { name: "back", run: () => backout({}, "release", "restore", VERSION) },
    {
      name: "aws",
      run: () => {
        aws("cp", "--recursive", "s3://bench/hand/v", "s3://bench/hand/backup");
        aws("rm", "--recursive", "s3://bench/hand/v");
      },
    },
    {
      name: "reset",
      run: () => {
        aws("cp", "--recursive", source.large, "s3://bench/hand/v");
        aws("rm", "--recursive", "s3://bench/hand/backup");
      },
    },
  ], rounds);
  const log = await countRequests(ceph.endpoint, async (endpoint) => {
    const command = [...subject.command, ...rollback, "-r", "s3://bench/repository"];
    await runAsync(command, { ...env, AWS_ENDPOINT_URL: endpoint });
  });
  const what = `full rollback of ${OBJECTS.toLocaleString("en-US")} objects of 64 KiB on Ceph`;
  const [ours, theirs] = [times.get("backout")!, times.get("aws")!];
  return [
    {
      what,
      measured: milliseconds(ours),
      against: `\`aws s3 cp --recursive\` and \`aws s3 rm --recursive\`: ${milliseconds(theirs)}`,
      result: `${(theirs / ours).toFixed(2)} times as fast`,
      goal: "at least as fast",
      met: ours <= theirs,
    },
    requestRow(what, log),
    memoryRow(`peak memory of it`, peak),
  ];
}

/** One copy an object, one delete a thousand, and so few others, however many objects there are. */
const OTHER_REQUESTS = 100;

function requestRow(what: string, log: readonly LoggedRequest[]): Row {
  const of = (kind: string) => log.filter(({ request }) => request.kind === kind).length;
  const [copies, deletes] = [of("copy"), log.filter(({ request }) => isBatchDelete(request)).length];
  const others = log.length - copies - deletes;
  return {
    what: `requests of a ${what}`,
    measured: `${copies} copies, ${deletes} batch deletes, ${others} others`,
    against: "",
    result: `${log.length} requests`,
    goal: `at most ${OBJECTS} copies, ${OBJECTS / 1000 + 1} batch deletes, ${OTHER_REQUESTS} others`,
    met: copies <= OBJECTS && deletes <= OBJECTS / 1000 + 1 && others <= OTHER_REQUESTS,
  };
}

function isBatchDelete({ method, path }: LoggedRequest["request"]): boolean {
  return method === "POST" && /[?&]delete\b/.test(path);
}

async function countRequests(
  endpoint: string,
  run: (endpoint: string) => Promise<void>,
): Promise<readonly LoggedRequest[]> {
  await using proxy = startFaultProxy(new URL(endpoint));
  await run(proxy.endpoint);
  return [...proxy.log];
}

/** The same listing of a few and of many keys, each in a process of its own. */
async function benchListing({ quick }: BucketBench): Promise<readonly Row[]> {
  const many = quick ? KEYS / 10 : KEYS;
  await using gcs = await startGcsProcess();
  await gcs.createBucket("bench");
  await fill(gcs.endpoint, "few", 1000);
  await fill(gcs.endpoint, "many", many);
  const list = (prefix: string) =>
    timed([
      ...[
        Deno.execPath(),
        "run",
        "-A",
        "--no-check",
        "--v8-flags=--expose-gc",
        "--config",
        join(root, "deno.json"),
      ],
      ...[join(root, "tests", "bench", "list_keys.ts"), "gs://bench", prefix],
    ], { env: gcs.environment() }).stdout.trim().split(" ").map(Number);
  const [, few = 0] = list("few");
  const [listed = 0, peak = 0] = list("many");
  return [{
    what: `live heap while ${listed.toLocaleString("en-US")} keys are listed`,
    measured: megabytes(peak),
    against: `1,000 keys: ${megabytes(few)}`,
    result: `${megabytes(peak - few)} more`,
    goal: "at most 5 MB more",
    met: listed === many && peak - few <= 5e6,
  }];
}

async function fill(endpoint: string, prefix: string, count: number): Promise<void> {
  let next = 0;
  const put = async () => {
    while (next < count) {
      const name = encodeURIComponent(`${prefix}/${String(next++).padStart(7, "0")}`);
      const url = `${endpoint}/upload/storage/v1/b/bench/o?uploadType=media&name=${name}`;
      const reply = await fetch(url, { method: "POST", body: "x" });
      await reply.body?.cancel();
      if (!reply.ok) throw new Error(`${url}: ${reply.status}`);
    }
  };
  await Promise.all(Array.from({ length: 16 }, put));
}

function memoryRow(what: string, bytes: number): Row {
  return {
    what,
    measured: megabytes(bytes),
    against: "",
    result: "",
    goal: `under ${megabytes(MEMORY_GOAL)}`,
    met: bytes > 0 && bytes < MEMORY_GOAL,
  };
}

function writeSource(folder: string): { readonly small: string; readonly large: string } {
  const [small, large] = [join(folder, "bucket-small"), join(folder, "bucket-large")];
  Deno.mkdirSync(small, { recursive: true });
  Deno.mkdirSync(large, { recursive: true });
  Deno.writeTextFileSync(join(small, "readme"), "small\n");
  const bytes = new Uint8Array(BYTES);
  for (let i = 0; i < OBJECTS; i++) {
    crypto.getRandomValues(bytes);
    Deno.writeFileSync(join(large, `${String(i).padStart(4, "0")}.bin`), bytes);
  }
  return { small, large };
}

async function runAsync(command: readonly string[], env: Readonly<Record<string, string>>): Promise<void> {
  const [program, ...args] = command;
  const { success, stdout, stderr } = await new Deno.Command(program!, { args, env, stdin: "null" }).output();
  if (!success) throw new Error(new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr));
}

function hasPrograms(...names: readonly string[]): boolean {
  return names.every((name) =>
    new Deno.Command("sh", { args: ["-c", `command -v ${name}`], stdout: "null", stderr: "null" })
      .outputSync().success
  );
}
