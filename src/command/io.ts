/** What `run` may use of the process; tests give their own. */

export interface OutputStream {
  /** Writes all of `text`; a reader that went away is not an error. */
  readonly write: (text: string) => void;
  readonly isTerminal: boolean;
  /** Columns of the terminal, or what to wrap text at elsewhere. */
  readonly width: number;
}

export interface ProcessIo {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly stdinIsTerminal: boolean;
  /** One line from standard input, undefined at its end or when `signal` aborts. */
  readonly readLine: (signal: AbortSignal) => Promise<string | undefined>;
  /** Standard input, a line at a time, until its end or until `signal` aborts. @default by `readLine` */
  readonly stdinLines?: (signal: AbortSignal) => AsyncIterable<string>;
  /** The value of an environment variable, undefined when it is not set or may not be read. */
  readonly env: (name: string) => string | undefined;
  readonly cwd: string;
  /** Aborted by a signal; the reason is its name. */
  readonly signal: AbortSignal;
}
