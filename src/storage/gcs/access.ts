/** Where a bucket is asked, and with whose credentials: the part of `@google-cloud/storage` that backout uses. */
import { UsageError } from "#/core/errors.ts";

export interface GcsAccess {
  /** Scheme, host and port; no slash at the end. */
  readonly endpoint: string;
  /** It is not Google's own. */
  readonly isCustom: boolean;
  /** Headers of authorization; none for an emulator. Refreshed by the SDK when they are about to expire. */
  authorization(): Promise<readonly (readonly [string, string])[]>;
}

/** The variables that count; see `GcsOptions`. */
export type GcsEnvironment = Readonly<Record<string, string | undefined>>;

/** An emulator where STORAGE_EMULATOR_HOST names one, else Google with the SDK's chain of credentials. */
export async function openAccess(environment: GcsEnvironment | undefined): Promise<GcsAccess> {
  const read = (name: string) => {
    const value = environment === undefined ? Deno.env.get(name) : environment[name];
    return value === "" ? undefined : value;
  };
  const emulator = read("STORAGE_EMULATOR_HOST");
  const keyFile = environment === undefined ? undefined : read("GOOGLE_APPLICATION_CREDENTIALS");
  // An emulator needs no credentials, so nothing is loaded and nobody (no metadata server) is asked for any.
  if (emulator !== undefined && keyFile === undefined) {
    return { endpoint: emulatorEndpoint(emulator), isCustom: true, authorization: () => Promise.resolve([]) };
  }
  return await openSdk(emulator, keyFile);
}

const SCOPE = "https://www.googleapis.com/auth/cloud-platform";

async function openSdk(emulator: string | undefined, keyFile: string | undefined): Promise<GcsAccess> {
  const { Storage } = await import("@google-cloud/storage");
  const storage = new Storage({ retryOptions: { autoRetry: false, maxRetries: 0 } });
  const auth = storage.authClient;
  // What the variable of that name does; the option for it prints a warning.
  const find = () =>
    keyFile === undefined ? auth.getClient() : auth._getApplicationCredentialsFromFilePath(keyFile);
  const endpoint = emulator === undefined
    ? `https://storage.${storage.universeDomain}`
    : emulatorEndpoint(emulator);
  let client: ReturnType<typeof find> | undefined;
  return {
    endpoint,
    isCustom: emulator !== undefined,
    authorization: async () => {
      client ??= find().then(signingItself);
      try {
        return [...await (await client).getRequestHeaders(`${endpoint}/`)];
      } catch (error) {
        client = undefined; // what was missing may be there the next time
        throw error;
      }
    },
  };
}

/**
 * A service account's key signs the token itself, for one scope, as Google's own libraries for other languages do it:
 * one request, and one server to depend on, less. Other credentials stay as they are.
 */
function signingItself<T extends object>(client: T): T {
  if ("useJWTAccessWithScope" in client) {
    Object.assign(client, { useJWTAccessWithScope: true, scopes: [SCOPE] });
  }
  return client;
}

/** As other libraries of Google take it: without a scheme it is plain HTTP; a path of the API may be at the end. */
function emulatorEndpoint(value: string): string {
  const url = URL.parse(/^https?:\/\//i.test(value) ? value : `http://${value}`);
  if (url === null || url.username !== "" || url.password !== "") {
    throw new UsageError("STORAGE_EMULATOR_HOST is not a host or URL", {
      hint: "Write it as http://127.0.0.1:9023, or unset it to use Google Cloud Storage.",
    });
  }
  return `${url.origin}${url.pathname}`.replace(/\/+$/, "").replace(/\/storage\/v1$/, "");
}
