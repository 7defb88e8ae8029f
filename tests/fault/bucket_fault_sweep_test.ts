/**
 * Broken requests, a service that goes away, and others who interfere, at the requests of operations on object storage.
 * Here a sample; more with `BACKOUT_SWEEP=wide` or `full`.
 */
import { testSweeps } from "./bucket_sweep_tests.ts";

testSweeps("fault sweep", "s3", {
  "faults": [23, 13, 5],
  "outages": [37, 17, 5],
  "stops": [37, 17, 5],
  "takeovers": [53, 29, 7],
  "foreign-writes": [19, 11, 3],
});
testSweeps("fault sweep", "gs", {
  "faults": [37, 23, 7],
  "outages": [61, 37, 13],
  "stops": [71, 41, 13],
  "takeovers": [89, 53, 23],
  "foreign-writes": [37, 23, 7],
});
