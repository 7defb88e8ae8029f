/** Numbers in the reasons of retention. */

const SIZES: readonly (readonly [string, number])[] = [
  ["TiB", 1024 ** 4],
  ["GiB", 1024 ** 3],
  ["MiB", 1024 ** 2],
  ["KiB", 1024],
];
const SPANS: readonly (readonly [string, number])[] = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
];

/** `1st`, `2nd`, `3rd`, `11th`, `21st`. */
export function ordinal(n: number): string {
  const teen = n % 100 >= 11 && n % 100 <= 13;
  return `${n}${teen ? "th" : ["th", "st", "nd", "rd"][n % 10] ?? "th"}`;
}

/** `20 GiB`, `1.5 KiB`, `512 B`: at most two digits after the point. */
export function sizeWords(bytes: number): string {
  const [unit, factor] = SIZES.find(([, size]) => bytes >= size) ?? ["B", 1];
  return `${Math.round(bytes / factor * 100) / 100} ${unit}`;
}

/** Milliseconds as people write them in a rule: `90d`, `1d12h`, `500ms`. */
export function spanWords(milliseconds: number): string {
  let rest = milliseconds;
  let words = "";
  for (const [unit, size] of SPANS) {
    const amount = Math.floor(rest / size);
    if (amount > 0) words += `${amount}${unit}`;
    rest -= amount * size;
  }
  return rest > 0 || words === "" ? `${words}${rest}ms` : words;
}
