/** `index.md`: the index for people, kept in step where a repository has one. */
import type { ReleaseEntry, RepositoryIndex } from "#/repository/index_format.ts";
import { stateOfEntry } from "#/repository/version_state.ts";

/** The whole file. Pure: the same index gives the same bytes. */
export function renderMarkdown(index: RepositoryIndex): string {
  const lines = [
    "# Release Index",
    "",
    `**Last updated:** ${index.last_updated ?? "unknown"}`,
    `**Total releases:** ${index.releases.length}`,
    "",
  ];
  const channels = Object.entries(index.channels ?? {});
  if (channels.length > 0) {
    lines.push("| Channel | Version |", "| --- | --- |");
    lines.push(...channels.map(([name, channel]) => `| ${cell(name)} | ${cell(channel.version)} |`), "");
  }
  lines.push(
    "| Version | Published | Status | Artifacts | Bytes | SHA-256 |",
    "| --- | --- | --- | --- | --- | --- |",
  );
  lines.push(...index.releases.map(row), "");
  return lines.join("\n");
}

function row(entry: ReleaseEntry): string {
  const cells = [
    entry.version,
    entry.timestamp ?? "",
    stateOfEntry(entry),
    String(entry.artifacts.length),
    entry.size_bytes === undefined ? "" : String(entry.size_bytes),
    entry.sha256 ?? "",
  ];
  return `| ${cells.map(cell).join(" | ")} |`;
}

/** Text in a table's cell: no line breaks, no column breaks. */
function cell(text: string): string {
  return text.replaceAll(/\s+/g, " ").replaceAll("|", "\\|");
}
