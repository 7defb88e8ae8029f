/** The kinds in `docs/checks.md` and `docs/targets.md` are those of the schemas; `BACKOUT_UPDATE_GOLDEN=1` writes them anew. */
import assert from "node:assert/strict";
import { parse } from "yaml";
import { configSchema } from "#/config/commands.ts";
import { readConfig } from "#/config/parse.ts";

interface Property {
  readonly const?: string;
  readonly description?: string;
}

interface Kind {
  readonly properties: Readonly<Record<string, Property>>;
  readonly required: readonly string[];
}

const LINE_WIDTH = 110;
const COMMON = new Set(["type", "after", "timeout", "required", "retries", "interval", "start_delay"]);

/** A section for each kind, with a line for each of its keys. */
function sectionsOf(kinds: readonly Kind[]): string {
  return kinds.map(({ properties, required }) => {
    const own = Object.entries(properties)
      .filter(([key, { description }]) => !COMMON.has(key) && !(description ?? "").startsWith("For people"));
    const keys = own.map(([key, { description = "" }]) => {
      const name = required.includes(key) ? `**\`${key}\`**` : `\`${key}\``;
      return wrapped(description === "" ? `- ${name}` : `- ${name}: ${description.replace(/\.$/, "")}`, "  ");
    });
    const summary = wrapped((properties.type?.description ?? "").replace(/\.?$/, "."), "");
    return `### \`${properties.type?.const}\`\n\n${summary}\n\n${keys.join("\n")}`;
  }).join("\n\n");
}

/** As `deno fmt` leaves it. */
function wrapped(text: string, indent: string): string {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= LINE_WIDTH) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else lines.push(lines.length === 0 ? word : indent + word);
  }
  return lines.join("\n");
}

async function compareSections(name: "checks" | "targets", kinds: readonly Kind[]): Promise<void> {
  const file = new URL(`../../docs/${name}.md`, import.meta.url);
  const text = await Deno.readTextFile(file);
  const begin = `<!-- ${name}: made by a test, do not edit -->\n`;
  const from = text.indexOf(begin) + begin.length;
  const to = text.indexOf(`<!-- end of ${name} -->`);
  assert.ok(from >= begin.length && to >= from, `docs/${name}.md has no place for its kinds`);
  const wanted = `${text.slice(0, from)}\n${sectionsOf(kinds)}\n\n${text.slice(to)}`;
  if (Deno.env.get("BACKOUT_UPDATE_GOLDEN") === "1") await Deno.writeTextFile(file, wanted);
  assert.equal(await Deno.readTextFile(file), wanted, "BACKOUT_UPDATE_GOLDEN=1 writes it anew");
}

Deno.test("docs/checks.md and docs/targets.md have every kind with its keys", async () => {
  const { properties } = await configSchema() as {
    properties: {
      targets: { additionalProperties: { oneOf: readonly Kind[] } };
      checks: { items: { oneOf: readonly Kind[] } };
    };
  };
  await compareSections("targets", properties.targets.additionalProperties.oneOf);
  await compareSections("checks", properties.checks.items.oneOf);
});

Deno.test("the examples of docs/checks.md and docs/targets.md are right", async () => {
  for (const name of ["checks", "targets"]) {
    const text = await Deno.readTextFile(new URL(`../../docs/${name}.md`, import.meta.url));
    const blocks = [...text.matchAll(/(?:^ {4}.*\n(?:\n(?= {4}))?)+/gm)]
      .map(([block]) => block.replaceAll(/^ {4}/gm, ""))
      .filter((block) => /^(targets|checks|store|snapshots):/.test(block));
    assert.ok(blocks.length > 0);
    // Two spellings of one key stand below each other.
    const examples = blocks.flatMap((block) =>
      block.startsWith("store:") ? block.trim().split("\n") : [block]
    );
    for (const example of examples) {
      assert.ok(Object.keys(parse(example) as object).length > 0);
      const env = (variable: string) => variable === "DATABASE_URL" ? "postgresql://u@h/d" : undefined;
      const { problems } = await readConfig({ path: "/w/backout.yaml", text: `version: 1\n${example}`, env });
      assert.deepEqual(problems, [], example);
    }
  }
});
