/** How checks say what they expected and what they found. */
import type { CheckSight } from "./check.ts";

const LONGEST = 200;

/**
 * One look.
 * @param what it is about: `the status of http://localhost/`
 */
export function sight(passed: boolean, what: string, expected: string, actual: string): CheckSight {
  const [wanted, found] = [short(expected), short(actual)];
  const detail = passed && wanted === found
    ? `${what}: ${found}`
    : `${what}: expected ${wanted}, found ${found}`;
  return { passed, detail, expected: wanted, actual: found };
}

/** Text from outside on one line, cut where it is long. */
export function short(text: string): string {
  // deno-lint-ignore no-control-regex -- control characters are what is replaced
  const line = text.trim().replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ");
  return line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line;
}

/** A URL without user, password, query and fragment: these may be secrets. */
export function plainUrl(text: string): string {
  const url = URL.parse(text);
  return url === null ? "(no URL)" : `${url.protocol}//${url.host}${url.pathname}`;
}
