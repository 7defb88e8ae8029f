/**
 * Broken requests, a service that goes away, and others who interfere, at the requests of operations on object storage.
 * Here a sample; more with `BACKOUT_SWEEP=full` (`deno task test:fault`).
 */
import { testSweeps } from "./bucket_sweep_tests.ts";

testSweeps("fault sweep", "s3", {
  "faults": [19, 3],
  "outages": [29, 4],
  "stops": [29, 4],
  "takeovers": [43, 5],
  "foreign-writes": [13, 2],
});
testSweeps("fault sweep", "gs", {
  "faults": [37, 7],
  "outages": [61, 13],
  "stops": [71, 13],
  "takeovers": [89, 23],
  "foreign-writes": [37, 7],
});
