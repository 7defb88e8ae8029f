/** Colours for people. Rendering takes a `Styler`, so that the same code writes a terminal, a pipe and a file. */

export interface Styler {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly cyan: (text: string) => string;
}

/** Written out, because `styleText` of node:util reads the environment, which the binary may not do freely. */
export const ansiStyle: Styler = {
  bold: ansi(1, 22),
  dim: ansi(2, 22),
  red: ansi(31, 39),
  green: ansi(32, 39),
  yellow: ansi(33, 39),
  cyan: ansi(36, 39),
};

const same = (text: string): string => text;

export const plainStyle: Styler = {
  bold: same,
  dim: same,
  red: same,
  green: same,
  yellow: same,
  cyan: same,
};

function ansi(open: number, close: number): (text: string) => string {
  return (text) => text === "" ? "" : `\u001b[${open}m${text}\u001b[${close}m`;
}
