/**
 * JSON values, and reading and writing them without changing what we do not understand:
 * a number that JavaScript would round (`1.0`, 2^63) is written back exactly as it was read.
 */

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue | undefined;
}

interface JsonWithSource {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
  ): unknown;
  rawJSON?(text: string): unknown;
  isRawJSON?(value: unknown): boolean;
}

/**
 * Numbers that do not survive `JSON.parse` have a fraction, an exponent, a minus zero or many digits. The quote before
 * the colon keeps times (`12:30:47.198Z`) out; what is matched without need only takes longer.
 */
const LOSSY_NUMBER = /(?:^|"\s*:|[,[])\s*(?:-0\b|-?\d+[.eE]|-?\d{16,})/;

const json = JSON as unknown as JsonWithSource;

/**
 * Parses JSON text. Numbers that JavaScript would write differently are kept as raw JSON.
 * @throws {SyntaxError} when the text is not JSON, or nested thousands of levels deep.
 */
export function parseJson(text: string): unknown {
  try {
    if (json.rawJSON === undefined || !LOSSY_NUMBER.test(text)) return JSON.parse(text);
    return json.parse(text, (_key, value, context) => {
      if (typeof value !== "number" || context.source === undefined) return value;
      return String(value) === context.source ? value : json.rawJSON!(context.source);
    });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // the stack ran out
    throw new SyntaxError("JSON that is nested too deeply", { cause: error });
  }
}

/** JSON for people and for files that people read: two spaces, one newline at the end. */
export function formatJson(value: unknown): string {
  return JSON.stringify(value, undefined, 2) + "\n";
}

/** JSON with sorted keys and no white space: equal values give equal bytes. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner) => {
    if (!isJsonObject(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  });
}

/** True for a plain JSON object (not null, not a list, not a number that was kept as raw JSON). */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !isRawNumber(value);
}

function isRawNumber(value: unknown): boolean {
  return json.isRawJSON?.(value) ?? false;
}
