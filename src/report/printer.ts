/** The one way out to a person: documents on standard output, everything else on standard error. */
import { ansiStyle, plainStyle, type Styler } from "#/report/style.ts";

export interface Printer {
  /** A whole document, to standard output (a newline is added where it lacks one). */
  out(text: string): void;
  /** One or more lines for people, to standard error. Suppressed by `--quiet`. */
  line(text: string): void;
  /** Like `line`, for failures: `--quiet` does not suppress it. */
  error(text: string): void;
  /** A line that the next one replaces (progress), undefined to clear it. Only on a terminal and without `--quiet`. */
  transient(text: string | undefined): void;
  readonly style: Styler;
  /** Whether standard error is a terminal. */
  readonly isTerminal: boolean;
  /** Columns to use; `Infinity` where nothing needs cutting (a pipe, a file). */
  readonly width: number;
  readonly verbose: boolean;
  readonly quiet: boolean;
}

export interface PrinterOptions {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  readonly color: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly isTerminal: boolean;
  readonly width: number;
}

/** To the start of the line, and clear to its end. */
const CLEAR_LINE = "\r\u001b[K";

export function createPrinter(options: PrinterOptions): Printer {
  const { stdout, stderr, quiet, verbose, isTerminal, width } = options;
  const canRedraw = isTerminal && !quiet;
  let shown: string | undefined;

  /** Writes above the transient line, which is drawn again below. */
  const above = (write: () => void): void => {
    if (shown !== undefined) stderr(CLEAR_LINE);
    write();
    if (shown !== undefined) stderr(shown);
  };
  return {
    out: (text) => above(() => stdout(withNewline(text))),
    line: (text) => quiet ? undefined : above(() => stderr(withNewline(text))),
    error: (text) => above(() => stderr(withNewline(text))),
    transient: (text) => {
      if (!canRedraw || (text === undefined && shown === undefined)) return;
      stderr(CLEAR_LINE + (text ?? ""));
      shown = text;
    },
    style: options.color ? ansiStyle : plainStyle,
    isTerminal,
    width,
    verbose,
    quiet,
  };
}

export interface MemoryPrinter extends Printer {
  /** Everything written to standard output so far. */
  readonly stdout: string;
  /** Everything written to standard error so far. */
  readonly stderr: string;
}

/** A printer that keeps what it is given, for tests. No colours, not a terminal, not cut, unless asked. */
export function createMemoryPrinter(
  options: Partial<Omit<PrinterOptions, "stdout" | "stderr">> = {},
): MemoryPrinter {
  const written = { stdout: "", stderr: "" };
  const printer = createPrinter({
    color: false,
    quiet: false,
    verbose: false,
    isTerminal: false,
    width: Infinity,
    ...options,
    stdout: (text) => void (written.stdout += text),
    stderr: (text) => void (written.stderr += text),
  });
  return {
    ...printer,
    get stdout() {
      return written.stdout;
    },
    get stderr() {
      return written.stderr;
    },
  };
}

function withNewline(text: string): string {
  return text === "" || text.endsWith("\n") ? text : text + "\n";
}
