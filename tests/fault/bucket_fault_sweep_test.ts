/**
 * Broken requests, a service that goes away, and others who interfere, at the requests of operations on object storage.
 * Here a sample; more with `BACKOUT_SWEEP=wide` or `full`.
 */
import { testSweeps } from "./bucket_sweep_tests.ts";

testSweeps("fault sweep", "s3", {
  "faults": [61, 13, 5],
  "outages": [97, 17, 5],
  "stops": [97, 17, 5],
  "takeovers": [131, 29, 7],
  "foreign-writes": [47, 11, 3],
});
testSweeps("fault sweep", "gs", {
  "faults": [97, 23, 7],
  "outages": [151, 37, 13],
  "stops": [173, 41, 13],
  "takeovers": [223, 53, 23],
  "foreign-writes": [97, 23, 7],
});
