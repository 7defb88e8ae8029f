/** What of a target's configuration may be kept: as it was written, without the passwords that were written out. */
import type { JsonObject, JsonValue } from "#/core/json.ts";
import { isBlock } from "#/policy/problem.ts";

const HIDDEN = "***";

/** Keys whose value is a secret itself; not those that say where it is (`password_env`, `key_file`). */
const SECRET_KEY =
  /(password|passwd|pwd|passphrase|secret|token|credentials?|(api|access|secret|private|signing|encryption)_?key)$/i;
const REFERENCE = /^\$\{[^}]*\}$/;
/** The password of a URL: up to the last @, as it may hold anything. */
const IN_URL = /([a-z][a-z0-9+.-]*:\/\/[^\s/?#@:]*:)(\S*)(?=@)/gi;
const IN_WORDS = /\b((?:password|passwd|pwd|secret|token)\s*=\s*)('[^']*'|"[^"]*"|[^\s&;]+)/gi;

/** References to the environment stay; passwords that stand there in clear become `***`. */
export function withoutPasswords(value: Readonly<Record<string, unknown>>): JsonObject {
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, it]) => {
      const safe = hide(it, SECRET_KEY.test(key));
      return safe === undefined ? [] : [[key, safe]];
    }),
  );
}

function hide(value: unknown, secret: boolean): JsonValue | undefined {
  if (typeof value === "string") {
    if (REFERENCE.test(value)) return value;
    return secret && value !== "" ? HIDDEN : hideInText(value);
  }
  if (Array.isArray(value)) return value.map((it: unknown) => hide(it, secret) ?? null);
  if (isBlock(value)) {
    return Object.fromEntries(
      Object.entries(value).flatMap(([key, it]) => {
        const safe = hide(it, secret || SECRET_KEY.test(key));
        return safe === undefined ? [] : [[key, safe]];
      }),
    );
  }
  if (typeof value === "number") return secret ? HIDDEN : value;
  return typeof value === "boolean" || value === null ? value : undefined;
}

function hideInText(text: string): string {
  const cover = (_: string, before: string, password: string) =>
    password === "" || REFERENCE.test(password) ? `${before}${password}` : `${before}${HIDDEN}`;
  return text.replace(IN_URL, cover).replace(IN_WORDS, cover);
}
