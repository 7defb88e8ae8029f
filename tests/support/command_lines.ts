/** Every command line that this process starts while it is in use: for tests that a secret stands on none. */

export interface CommandLines extends Disposable {
  readonly lines: readonly string[];
}

/** For `using`: `Deno.Command` notes what it is given, and works as always. */
export function recordCommandLines(): CommandLines {
  const { Command } = Deno;
  const lines: string[] = [];
  class NotingCommand extends Command {
    constructor(command: string | URL, options?: Deno.CommandOptions) {
      super(command, options);
      lines.push([String(command), ...options?.args ?? []].join(" "));
    }
  }
  Object.defineProperty(Deno, "Command", { value: NotingCommand, configurable: true, writable: true });
  return {
    lines,
    [Symbol.dispose]: () =>
      void Object.defineProperty(Deno, "Command", { value: Command, configurable: true, writable: true }),
  };
}
