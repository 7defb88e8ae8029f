/** A program of its own that writes one object and reads it again, with whatever keys its environment leads to. */
import { BucketError } from "#/storage/bucket/bucket_error.ts";

export interface ChildReport {
  readonly read?: string;
  readonly failure?: string;
  readonly message?: string;
}

if (import.meta.main) console.log(JSON.stringify(await writeAndRead(Deno.args[0]!)));

async function writeAndRead(bucketName: string): Promise<ChildReport> {
  const { openS3Bucket } = await import("#/storage/s3/open.ts");
  try {
    const bucket = await openS3Bucket({ bucket: bucketName, prefix: "child" }, { jobs: 1 });
    await bucket.put("greeting", new TextEncoder().encode("hello"));
    const found = await bucket.get("greeting", { maxBytes: 100 });
    return found === undefined ? {} : { read: new TextDecoder().decode(found.bytes) };
  } catch (error) {
    if (!(error instanceof BucketError)) throw error;
    return { failure: error.failure, message: error.message };
  }
}
