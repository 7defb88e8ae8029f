/**
 * What Prometheus reads: the numbers of one repository in its text format, for the textfile collector of node_exporter.
 * Every sample carries the repository, so that the files of several repositories can lie in one folder.
 * Totals are counted over the history that is kept; when retention shortens it they fall, which Prometheus takes for
 * a restart of the counter.
 */

/** How often one kind of operation ended in one way. */
export interface OperationCount {
  readonly operation: string;
  readonly status: string;
  readonly exit_code: number;
  readonly count: number;
}

/** The durations of one kind of operation, dry runs and refusals left out. */
export interface OperationDuration {
  readonly operation: string;
  readonly count: number;
  readonly sum_seconds: number;
  readonly last_seconds: number;
}

/** When one kind of operation last ended, and how. */
export interface OperationLast {
  readonly operation: string;
  /** RFC 3339; null where it never happened. */
  readonly finished_at: string | null;
  readonly exit_code: number | null;
  readonly success_at: string | null;
}

/** Plain numbers, from history and `status`. Null is "unknown": then there is no sample at all. */
export interface MetricsInput {
  /** Location of the repository. */
  readonly repository: string;
  /** Version of backout. */
  readonly version: string;
  readonly operations: readonly OperationCount[];
  readonly durations: readonly OperationDuration[];
  readonly last: readonly OperationLast[];
  readonly backups: number | null;
  readonly backup_bytes: number | null;
  readonly largest_backup_bytes: number | null;
  /** Seconds since the lock was taken; 0 when nobody holds it. */
  readonly lock_age_seconds: number | null;
  readonly unfinished_operations: number | null;
  readonly serial: number | null;
  readonly releases: number | null;
  readonly audit_entries: number | null;
  readonly free_bytes: number | null;
}

/** The part of a history record that is counted. */
export interface CountedOperation {
  readonly operation: string;
  readonly status: string;
  readonly exit_code: number;
  readonly started_at: string;
  readonly finished_at: string;
  readonly dry_run: boolean;
}

type Labels = Readonly<Record<string, string | number>>;

interface Sample {
  /** After the metric's name: `_sum`, `_count`, or nothing. */
  readonly suffix?: "_sum" | "_count";
  readonly labels?: Labels;
  readonly value: number | null;
}

interface Metric {
  readonly name: string;
  readonly type: "counter" | "gauge" | "summary";
  readonly help: string;
  readonly samples: readonly Sample[];
}

/** The whole file. Samples are in a fixed order, metrics without a sample are left out. Ends with a newline. */
export function renderMetrics(input: MetricsInput): string {
  return metricsOf(input).map((metric) => renderMetric(metric, { repository: input.repository })).join("");
}

/** Counts history records, in any order; each kind's lists come sorted by name. */
export function summariseOperations(
  records: Iterable<CountedOperation>,
): Pick<MetricsInput, "operations" | "durations" | "last"> {
  const operations = new Map<string, OperationCount>();
  const durations = new Map<string, OperationDuration & { readonly last_at: string }>();
  const last = new Map<string, OperationLast>();
  for (const record of records) {
    const key = [record.operation, record.status, record.exit_code].join("\n");
    const { operation, status, exit_code } = record;
    operations.set(key, { operation, status, exit_code, count: (operations.get(key)?.count ?? 0) + 1 });
    if (record.dry_run) continue;
    last.set(operation, latest(last.get(operation), record));
    addDuration(durations, record);
  }
  return {
    operations: sorted(operations),
    durations: sorted(durations).map(({ last_at: _, ...duration }) => duration),
    last: sorted(last),
  };
}

function latest(before: OperationLast | undefined, record: CountedOperation): OperationLast {
  const { operation, finished_at, exit_code } = record;
  const isNewer = before === undefined || finished_at >= (before.finished_at ?? "");
  const successBefore = before?.success_at ?? null;
  const isSuccess = record.status === "success" && (successBefore === null || finished_at >= successBefore);
  return {
    operation,
    finished_at: isNewer ? finished_at : before.finished_at,
    exit_code: isNewer ? exit_code : before.exit_code,
    success_at: isSuccess ? finished_at : successBefore,
  };
}

/** A refusal takes no time worth knowing: only what ran to an end counts. */
function addDuration(
  durations: Map<string, OperationDuration & { readonly last_at: string }>,
  record: CountedOperation,
): void {
  const took = (Date.parse(record.finished_at) - Date.parse(record.started_at)) / 1000;
  if (!(took >= 0) || (record.status !== "success" && record.status !== "partial")) return;
  const before = durations.get(record.operation);
  const isNewer = before === undefined || record.finished_at >= before.last_at;
  durations.set(record.operation, {
    operation: record.operation,
    count: (before?.count ?? 0) + 1,
    sum_seconds: (before?.sum_seconds ?? 0) + took,
    last_seconds: isNewer ? took : before.last_seconds,
    last_at: isNewer ? record.finished_at : before.last_at,
  });
}

function sorted<T>(entries: ReadonlyMap<string, T>): readonly T[] {
  return [...entries].toSorted(([a], [b]) => a < b ? -1 : a > b ? 1 : 0).map(([, value]) => value);
}

function metricsOf(input: MetricsInput): readonly Metric[] {
  return [
    {
      name: "backout_build_info",
      type: "gauge",
      help: "The version of backout that wrote this file; always 1.",
      samples: [{ labels: { version: input.version }, value: 1 }],
    },
    ...operationMetrics(input),
    gauge("backout_backups", "Backups that are kept.", input.backups),
    gauge("backout_backup_bytes", "Bytes in the backups that are kept.", input.backup_bytes),
    gauge(
      "backout_largest_backup_bytes",
      "Bytes in the largest backup that is kept.",
      input.largest_backup_bytes,
    ),
    gauge(
      "backout_lock_age_seconds",
      "How long the lock has been held when this file was written; 0 when it was free.",
      input.lock_age_seconds,
    ),
    gauge(
      "backout_unfinished_operations",
      "Operations that were interrupted and not recovered yet.",
      input.unfinished_operations,
    ),
    gauge("backout_index_serial", "Serial of the index; it grows with every change.", input.serial),
    gauge("backout_releases", "Releases in the index.", input.releases),
    gauge("backout_audit_entries", "Entries in the audit log.", input.audit_entries),
    gauge("backout_free_bytes", "Bytes that are free where the repository is.", input.free_bytes),
  ];
}

function operationMetrics(input: MetricsInput): readonly Metric[] {
  const each = <T extends { readonly operation: string }>(
    entries: readonly T[],
    value: (entry: T) => number | null,
  ): readonly Sample[] =>
    entries.map((entry) => ({ labels: { operation: entry.operation }, value: value(entry) }));
  return [
    {
      name: "backout_operations_total",
      type: "counter",
      help: "Operations in the history, by kind, status and exit code.",
      samples: input.operations.map(({ operation, status, exit_code, count }) => ({
        labels: { operation, status, exit_code },
        value: count,
      })),
    },
    {
      name: "backout_operation_duration_seconds",
      type: "summary",
      help: "How long operations took that were carried out.",
      samples: input.durations.flatMap(({ operation, sum_seconds, count }): Sample[] => [
        { suffix: "_sum", labels: { operation }, value: sum_seconds },
        { suffix: "_count", labels: { operation }, value: count },
      ]),
    },
    {
      name: "backout_last_duration_seconds",
      type: "gauge",
      help: "How long the newest operation took that was carried out.",
      samples: each(input.durations, (one) => one.last_seconds),
    },
    {
      name: "backout_last_operation_timestamp_seconds",
      type: "gauge",
      help: "When the newest operation ended, whatever came of it.",
      samples: each(input.last, (one) => unixSeconds(one.finished_at)),
    },
    {
      name: "backout_last_exit_code",
      type: "gauge",
      help: "Exit code of the newest operation.",
      samples: each(input.last, (one) => one.exit_code),
    },
    {
      name: "backout_last_success_timestamp_seconds",
      type: "gauge",
      help: "When the newest operation ended that succeeded.",
      samples: each(input.last, (one) => unixSeconds(one.success_at)),
    },
  ];
}

export function gauge(name: string, help: string, value: number | null): Metric {
  return { name, type: "gauge", help, samples: [{ value }] };
}

export function unixSeconds(at: string | null): number | null {
  const time = at === null ? NaN : Date.parse(at);
  return Number.isNaN(time) ? null : time / 1000;
}

/** A metric without a sample is left out. */
export function renderMetric(metric: Metric, common: Labels): string {
  const samples = metric.samples.flatMap(({ suffix, labels, value }) =>
    value === null ? [] : [
      `${metric.name}${suffix ?? ""}{${renderLabels({ ...common, ...labels })}} ${renderNumber(value)}\n`,
    ]
  );
  if (samples.length === 0) return "";
  return `# HELP ${metric.name} ${metric.help}\n# TYPE ${metric.name} ${metric.type}\n${samples.join("")}`;
}

function renderLabels(labels: Labels): string {
  return Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(String(value))}"`).join(",");
}

/** The three characters that the format escapes; half a surrogate pair would not be UTF-8. */
function escapeLabel(value: string): string {
  return value.toWellFormed().replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function renderNumber(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  return String(value);
}
