/** What the executable may do and how it uses memory, fixed when it is compiled. */

/** The environment that it may read; any other name looks unset. */
const ENVIRONMENT = [
  ..."BACKOUT_*,NO_COLOR,FORCE_COLOR,TERM,COLUMNS,CI,USER,LOGNAME,USERNAME,HOME,USERPROFILE,HOSTNAME".split(
    ",",
  ),
  ..."PATH,LANG,TMPDIR,XDG_*,SYSTEMROOT,SSH_AUTH_SOCK,GITHUB_STEP_SUMMARY".split(","),
  // Where S3 and Google Cloud Storage are, and with whose keys: what their SDKs look for.
  ..."AWS_*,GOOGLE_*,GCLOUD_PROJECT,STORAGE_EMULATOR_HOST,CLOUDSDK_*,APPDATA".split(","),
  ..."GCE_METADATA_HOST,GCE_METADATA_IP,METADATA_SERVER_DETECTION,DETECT_GCP_RETRIES".split(","),
  ..."HTTP_PROXY,HTTPS_PROXY,NO_PROXY,http_proxy,https_proxy,no_proxy".split(","),
  // Where container engines, databases and infrastructure are, and as whom to speak to them: what their own tools look for.
  ..."DOCKER_*,CONTAINER_*,CONTAINERS_*,COMPOSE_*".split(","),
  ..."DATABASE_URL,PG*,MYSQL_*,MARIADB_*,REDIS_*,TF_*,DBUS_SESSION_BUS_ADDRESS".split(","),
];

/**
 * Flags of `deno compile` and `deno run`. The network is there for storage that needs it, programs for hooks,
 * foreign functions for targets; the executable gives each up at its start where it does not need it.
 */
export const PERMISSIONS: readonly string[] = [
  "--no-prompt",
  "--allow-read",
  "--allow-write",
  `--allow-env=${ENVIRONMENT.join(",")}`,
  "--ignore-env",
  "--allow-sys=hostname,uid,gid,userInfo,username,homedir,statfs,osRelease,osUptime,cpus,networkInterfaces",
  "--allow-net",
  "--allow-run",
  "--allow-ffi",
];

/**
 * What a thousand requests or files leave behind is garbage within milliseconds: a small nursery collects it as well as a
 * large one (16 MiB by default), and an old generation that may grow by a quarter between two collections (instead of
 * twice that and more) keeps the process some 20 MB smaller each, for a few percent of time. Buffers are freed at once and
 * not by a thread of their own, which falls behind where the processors are busy.
 */
export const V8_FLAGS =
  "--v8-flags=--max-semi-space-size=2,--heap-growing-percent=25,--no-concurrent-array-buffer-sweeping";
