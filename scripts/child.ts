/** Running other programs from scripts. */

/** Runs a command; prints its error output only when it fails. */
export function run(command: readonly string[], cwd: string): boolean {
  const [program, ...args] = command;
  const result = new Deno.Command(program!, { args, cwd, stdin: "null" }).outputSync();
  if (!result.success) console.error(new TextDecoder().decode(result.stderr).trim());
  return result.success;
}

/** What a command prints, trimmed; undefined when it fails or is not there. */
export function output(command: readonly string[], cwd: string): string | undefined {
  const [program, ...args] = command;
  try {
    const result = new Deno.Command(program!, { args, cwd, stdin: "null", stderr: "null" }).outputSync();
    return result.success ? new TextDecoder().decode(result.stdout).trim() : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
