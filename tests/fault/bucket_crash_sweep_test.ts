/**
 * SIGKILL at the requests of operations on object storage, and at those of their recovery. Here a sample; with
 * `BACKOUT_SWEEP=full` all of them on S3.
 */
import { testSweeps } from "./bucket_sweep_tests.ts";

testSweeps("crash sweep", "s3", { "crashes": [41, 3, 1], "crashes-twice": [211, 43, 12] });
testSweeps("crash sweep", "gs", { "crashes": [89, 17, 5], "crashes-twice": [251, 67, 23] });
