/** What this user may do with a file or folder, as far as its mode tells. */

/** The effective user; undefined where there are no users. */
export function currentUser(): number | undefined {
  try {
    return Deno.uid() ?? undefined;
  } catch {
    return undefined; // not permitted to ask
  }
}

/**
 * False only where it is certain that this user lacks the permission. Supplementary groups and access control lists
 * cannot be seen from here, so a wrong "may" is possible: the call itself then says so.
 * @param bits what is needed, of 0o4 (read), 0o2 (write) and 0o1 (search)
 */
export function mayUse(info: Deno.FileInfo, bits: number): boolean {
  const me = currentUser();
  if (me === undefined || me === 0 || info.mode === null) return true;
  const has = (shift: number) => ((info.mode! >> shift) & bits) === bits;
  if (me === info.uid) return has(6);
  return has(3) || has(0);
}
