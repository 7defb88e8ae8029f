/**
 * SIGKILL at the requests of operations on object storage, and at those of their recovery. Here a sample; with
 * `BACKOUT_SWEEP=full` (`deno task test:fault`) all of them on S3.
 */
import { testSweeps } from "./bucket_sweep_tests.ts";

testSweeps("crash sweep", "s3", { "crashes": [13, 1], "crashes-twice": [61, 8] });
testSweeps("crash sweep", "gs", { "crashes": [29, 5], "crashes-twice": [101, 23] });
