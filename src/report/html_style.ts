/** How the HTML report looks: in light and dark, on paper, on a phone. */

/** Names and colours of one palette. Text colours have a contrast of at least 4.5 on both backgrounds; a test says so. */
export type Palette = Readonly<Record<PaletteColour, string>>;
export type PaletteColour =
  | "page"
  | "panel"
  | "text"
  | "muted"
  | "line"
  | "good"
  | "warn"
  | "bad"
  | "plan"
  | "bar";

export const lightPalette: Palette = {
  page: "#ffffff",
  panel: "#f3f5f8",
  text: "#1a1f26",
  muted: "#4a5563",
  line: "#c3cad3",
  good: "#0f6b2f",
  warn: "#7a4a00",
  bad: "#a8152b",
  plan: "#0b4f9c",
  bar: "#3d6ea8",
};

export const darkPalette: Palette = {
  page: "#12161b",
  panel: "#1c222a",
  text: "#e7eaee",
  muted: "#aeb7c2",
  line: "#3d4753",
  good: "#7fdc9c",
  warn: "#f0c46a",
  bad: "#ff9b9b",
  plan: "#8fc4ff",
  bar: "#6fa3de",
};

function variables(palette: Palette): string {
  return Object.entries(palette).map(([name, colour]) => `--${name}: ${colour};`).join(" ");
}

/** The whole style sheet. It names no other file and no font that would have to be fetched. */
export const styleSheet = `
:root { color-scheme: light dark; ${variables(lightPalette)} }
@media screen and (prefers-color-scheme: dark) { :root { ${variables(darkPalette)} } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem 1.25rem 3rem; background: var(--page); color: var(--text);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .75rem; }
h2 { font-size: 1.2rem; line-height: 1.3; margin: 2.25rem 0 .6rem; padding-bottom: .25rem;
  border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.25rem 0 .4rem; }
p { margin: .4rem 0; }
a:focus-visible, summary:focus-visible, pre:focus-visible { outline: 3px solid var(--plan); outline-offset: 2px; }
.verdict { border: 1px solid var(--line); border-left: .5rem solid var(--tone); border-radius: .4rem;
  background: var(--panel); padding: .8rem 1rem; }
.verdict p { margin: .15rem 0; }
.verdict .words { font-size: 1.25rem; font-weight: 700; color: var(--tone); }
.good { --tone: var(--good); } .warn { --tone: var(--warn); } .bad { --tone: var(--bad); } .plan { --tone: var(--plan); }
.result { color: var(--tone, inherit); font-weight: 600; white-space: nowrap; }
.note { color: var(--muted); }
dl { display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: .3rem 1.25rem; margin: 0; }
dt { color: var(--muted); }
dd { margin: 0; }
ul, ol { margin: .4rem 0; padding-left: 1.4rem; }
li + li { margin-top: .15rem; }
table { border-collapse: collapse; width: 100%; font-size: .95rem; }
caption { text-align: left; color: var(--muted); padding: .3rem 0; }
th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; white-space: nowrap; }
td.result { width: 1%; }
td.text { width: 100%; }
td.name { min-width: 9rem; }
td.number, th.number { text-align: right; white-space: nowrap; padding-right: 0; padding-left: .75rem;
  font-variant-numeric: tabular-nums; }
code, pre, .path { font-family: ui-monospace, "SFMono-Regular", Consolas, "DejaVu Sans Mono", monospace; font-size: .92em; }
pre.command { margin: .5rem 0; padding: .8rem 1rem; background: var(--panel); border: 1px solid var(--line);
  border-radius: .4rem; white-space: pre-wrap; user-select: all; -webkit-user-select: all; }
.message { white-space: pre-line; }
figure { margin: .5rem 0 1rem; }
figcaption { color: var(--muted); margin-bottom: .4rem; }
svg { display: block; width: 100%; }
svg text { fill: var(--text); font-size: 13px; }
svg .amount, svg .axis { fill: var(--muted); font-variant-numeric: tabular-nums; }
svg .track { fill: var(--panel); }
svg .bar { fill: var(--tone, var(--bar)); }
svg .bar.rest { fill: var(--muted); }
svg .narrow { display: none; }
svg .grid { stroke: var(--line); }
details { margin: .5rem 0; }
summary { cursor: pointer; font-weight: 600; padding: .2rem 0; }
footer { margin-top: 2.5rem; padding-top: .6rem; border-top: 1px solid var(--line); color: var(--muted); font-size: .9rem; }
@media screen and (max-width: 48rem) {
  body { padding: 1rem .85rem 2rem; }
  h1 { font-size: 1.35rem; }
  dl { display: block; }
  dt { margin-top: .5rem; font-size: .9rem; }
  th, td { padding-right: .5rem; }
  svg .wide { display: none; }
  svg .narrow { display: inline; }
}
@media print {
  body { max-width: none; padding: 0; font-size: 10pt; }
  h2, h3, figcaption { break-after: avoid; }
  figure, tr, pre, .verdict { break-inside: avoid; }
  .verdict, pre.command, svg { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  details::details-content { content-visibility: visible; display: block; block-size: auto; }
}
@media (forced-colors: active) {
  svg .bar { fill: CanvasText; } svg .track { fill: none; stroke: CanvasText; } svg text { fill: CanvasText; }
}
`;
