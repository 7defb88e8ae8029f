/** `docs/commands.md` is the help of every command; `BACKOUT_UPDATE_GOLDEN=1` writes it anew. */
import assert from "node:assert/strict";
import { helpPage } from "#/command/help.ts";
import { entriesOf, groups, shownEntries } from "#/command/registry.ts";
import type { RegistryEntry } from "#/command/registry.ts";

const file = new URL("../../docs/commands.md", import.meta.url);
const WIDTH = 100;
const INTRODUCTION = `# Commands

The help of every command, as \`backout help COMMAND\` prints it.

The global options are the same for all and stand at \`release rollback\`. Made by a test; do not edit.
`;

async function reference(): Promise<string> {
  const singles = shownEntries.filter((entry) => entry.path.length === 1);
  const sections = [
    ...groups.map((group) => [`backout ${group.name}`, entriesOf(group.name)] as const),
    ["Others", singles] as const,
  ];
  const parts = await Promise.all(sections.map(async ([title, entries]) => {
    const commands = await Promise.all(entries.map(section));
    return `## ${title}\n\n${commands.join("\n")}`;
  }));
  return [INTRODUCTION, ...parts].join("\n");
}

async function section(entry: RegistryEntry): Promise<string> {
  const page = await helpPage(entry.path, WIDTH);
  // The global options are the same for all; they are shown once.
  const own = entry.path.join(" ") === "release rollback" ? page : withoutGlobals(page);
  return `### backout ${entry.path.join(" ")}\n\n\`\`\`\n${own.trimEnd()}\n\`\`\`\n`;
}

function withoutGlobals(page: string): string {
  return page.replace(/\nGlobal options:\n( {2}.*\n)+/, "");
}

Deno.test("reference: docs/commands.md is what help prints", async () => {
  const text = await reference();
  if (Deno.env.get("BACKOUT_UPDATE_GOLDEN") === "1") {
    await Deno.mkdir(new URL("./", file), { recursive: true });
    await Deno.writeTextFile(file, text);
  }
  assert.equal(text, await Deno.readTextFile(file), "BACKOUT_UPDATE_GOLDEN=1 writes it anew");
});
