/** What the S3 servers of the tests have in common. */
import { CreateBucketCommand, PutBucketVersioningCommand, S3Client } from "@aws-sdk/client-s3";
import { FetchHttpHandler } from "@smithy/fetch-http-handler";

export interface BucketSettings {
  readonly versioned?: boolean;
  /** Objects can be locked; it is versioned then. */
  readonly objectLock?: boolean;
}

export interface S3Keys {
  /** `http://127.0.0.1:PORT` */
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
}

export interface S3Server extends S3Keys, AsyncDisposable {
  /** The variables that a program needs to talk to this server. */
  environment(): Record<string, string>;
  createBucket(name: string, options?: BucketSettings): Promise<void>;
}

/** Nothing of the person's own account: no profile, no shared files, no metadata service. */
export function clientEnvironment({ endpoint, accessKey, secretKey }: S3Keys): Record<string, string> {
  return {
    AWS_ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: accessKey,
    AWS_SECRET_ACCESS_KEY: secretKey,
    AWS_REGION: "us-east-1",
    AWS_CONFIG_FILE: "/dev/null",
    AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
    AWS_EC2_METADATA_DISABLED: "true",
  };
}

/** A client for what the driver does not do: buckets, locks, other users' writes. */
export function plainClient({ endpoint, accessKey, secretKey }: S3Keys): S3Client {
  return new S3Client({
    endpoint,
    region: "us-east-1",
    credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
    forcePathStyle: true,
    requestHandler: new FetchHttpHandler(), // leaves no open socket behind
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  });
}

export async function createBucketAt(
  keys: S3Keys,
  name: string,
  options: BucketSettings = {},
): Promise<void> {
  const client = plainClient(keys);
  try {
    const lock = options.objectLock === true ? { ObjectLockEnabledForBucket: true } : {};
    await client.send(new CreateBucketCommand({ Bucket: name, ...lock }));
    if (options.versioned !== true) return;
    const enabled = { Status: "Enabled" } as const;
    await client.send(new PutBucketVersioningCommand({ Bucket: name, VersioningConfiguration: enabled }));
  } finally {
    client.destroy();
  }
}
