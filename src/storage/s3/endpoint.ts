/** Which server and which region, by the SDK's own rules: variables, profiles, defaults. */
import { ListBucketsCommand, S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";

export type Environment = Readonly<Record<string, string | undefined>>;

const DEFAULT_REGION = "us-east-1";

/** What variables say, where they stand in for those of the process. An empty one is not set. */
export function fromEnvironment(env: Environment): S3ClientConfig {
  const region = env.AWS_REGION || env.AWS_DEFAULT_REGION;
  const endpoint = env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL;
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = env;
  const token = env.AWS_SESSION_TOKEN ? { sessionToken: env.AWS_SESSION_TOKEN } : {};
  return {
    ...(region ? { region } : {}),
    ...(endpoint ? { endpoint } : {}),
    ...(accessKeyId && secretAccessKey ? { credentials: { accessKeyId, secretAccessKey, ...token } } : {}),
  };
}

/** AWS_REGION, AWS_DEFAULT_REGION (which this SDK does not know), the profile's, else the service's first one. */
export async function regionOf(config: S3ClientConfig): Promise<string> {
  const given = config.region ?? (variable("AWS_REGION") || variable("AWS_DEFAULT_REGION"));
  const client = new S3Client({ ...config, ...(given ? { region: given } : {}) });
  try {
    return await client.config.region();
  } catch (error) {
    if (error instanceof Error && error.message === "Region is missing") return DEFAULT_REGION;
    throw error;
  } finally {
    client.destroy();
  }
}

/** The server that the SDK would ask: found out by making a request that is not sent. */
export async function endpointOf(config: S3ClientConfig): Promise<URL> {
  // Keys are looked for when they are needed, so that their lack is told with the request that lacks them.
  const client = new S3Client({ ...config, credentials: { accessKeyId: "none", secretAccessKey: "none" } });
  let url: URL | undefined;
  client.middlewareStack.add(() => (args) => {
    const { protocol, hostname, port, path } = args.request as UnsentRequest;
    url = new URL(`${protocol}//${hostname}${port === undefined ? "" : `:${port}`}${path}`);
    return Promise.resolve({ response: {}, output: { $metadata: {} } });
  }, { step: "build", name: "backoutEndpointOf" });
  try {
    await client.send(new ListBucketsCommand({}));
  } finally {
    client.destroy();
  }
  if (url === undefined) throw new Error("the SDK made no request");
  return url;
}

interface UnsentRequest {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
}

/** Amazon's own, by its name: there the bucket stands in the host's name, and checksums are known. */
export function isAmazon(url: URL): boolean {
  return /(^|\.)(amazonaws\.com(\.cn)?|api\.aws|api\.amazonwebservices\.com\.cn)$/.test(url.hostname);
}

/** The compiled executable may read known names only; to it all others are not set. */
function variable(name: string): string | undefined {
  try {
    return Deno.env.get(name);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}
