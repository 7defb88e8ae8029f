/**
 * Broken requests, a service that goes away, and others who interfere, at the requests of operations on object storage.
 * Here a sample; more with `BACKOUT_SWEEP=full` (`deno task test:fault`).
 */
import { testSweeps } from "./bucket_sweep_tests.ts";

testSweeps("fault sweep", "s3", {
  "faults": [23, 5],
  "outages": [37, 5],
  "stops": [37, 5],
  "takeovers": [53, 7],
  "foreign-writes": [19, 3],
});
testSweeps("fault sweep", "gs", {
  "faults": [37, 7],
  "outages": [61, 13],
  "stops": [71, 13],
  "takeovers": [89, 23],
  "foreign-writes": [37, 7],
});
