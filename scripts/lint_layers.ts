/**
 * The project's own lint rules: imports point one way, only `main.ts` ends the process, nothing prints on the way,
 * every call that changes a file goes through `src/core/posix.ts` (where tests can stop it), and files stay short.
 */

/** Commands use the library and what renders; not the parts behind the library. */
const COMMAND_IMPORTS: readonly string[] = ["core", "config", "report", "mod"];

/** A layer may import values from the layers listed for it, and from itself. */
const BELOW: Readonly<Record<string, readonly string[]>> = layers([
  ["core"],
  ["policy"],
  ["storage"],
  ["store", "step"],
  ["repository", "target"],
  ["component"],
  ["operation"],
  ["verify", "audit", "notify", "report"],
  ["config"],
  ["release"],
  ["snapshot"],
  ["meta"],
  ["plugin"],
  ["mod"],
  ["command"],
]);

/** Vocabulary: types that every layer may name. */
const SHARED_TYPES = /^(report\/model|repository\/(index_format|index_change|options|views))\.ts$/;

const MAX_LINES = 320;

const CHANGING_DENO = new RegExp(
  "^(write(Text)?File|remove|rename|mkdir|copyFile|truncate|symlink|link|chmod|chown|utime|makeTemp(Dir|File)|create|umask)(Sync)?$",
);
const CHANGING_NODE = new RegExp(
  "^(write|writev|writeFile|appendFile|rm|rmdir|unlink|rename|mkdir|mkdtemp|copyFile|cp|f?truncate|symlink|link|" +
    "l?f?chmod|l?f?chown|l?f?utimes|f(data)?sync|createWriteStream)(Sync)?$",
);

function layers(order: readonly (readonly string[])[]): Record<string, readonly string[]> {
  const below: Record<string, readonly string[]> = {};
  const seen: string[] = [];
  for (const level of order) {
    for (const name of level) below[name] = [...seen];
    seen.push(...level);
  }
  return { ...below, command: COMMAND_IMPORTS };
}

/** The part of a file's name after `/src/`, undefined outside of it. */
function sourcePath(filename: string): string | undefined {
  const path = filename.replaceAll("\\", "/");
  const at = path.lastIndexOf("/src/");
  return at < 0 ? undefined : path.slice(at + "/src/".length);
}

/** The layer a file of src belongs to: its folder, or its own name at the top. */
function layerOf(path: string): string {
  const slash = path.indexOf("/");
  return slash < 0 ? path.replace(/\.ts$/, "") : path.slice(0, slash);
}

/** Where an import of our own code leads, below src; undefined for others. */
function targetPath(specifier: string, from: string): string | undefined {
  if (specifier.startsWith("#/")) return specifier.slice(2);
  if (!specifier.startsWith(".")) return undefined;
  return new URL(specifier, `file:///src/${from}`).pathname.replace(/^\/src\//, "");
}

interface ImportNode {
  readonly source: { readonly value: unknown } | null;
  readonly importKind?: string;
  readonly exportKind?: string;
  readonly specifiers?: readonly unknown[];
}

function onlyTypes(node: ImportNode): boolean {
  if (node.importKind === "type" || node.exportKind === "type") return true;
  const specifiers = node.specifiers ?? [];
  return specifiers.length > 0 &&
    specifiers.every((it) => {
      const { importKind, exportKind } = it as { importKind?: string; exportKind?: string };
      return importKind === "type" || exportKind === "type";
    });
}

/** Why this import is refused, undefined when it is fine. */
export function importProblem(from: string, specifier: string, typeOnly: boolean): string | undefined {
  const target = targetPath(specifier, from);
  if (target === undefined) return undefined;
  if (typeOnly && SHARED_TYPES.test(target)) return undefined;
  const here = layerOf(from);
  const there = layerOf(target);
  if (here !== there && specifier.startsWith(".")) return `Import another folder as "#/${target}".`;
  if (here === there) return undefined;
  const allowed = BELOW[here];
  if (allowed === undefined) return `"${here}" is not a layer; add it to scripts/lint_layers.ts.`;
  if (allowed.includes(there)) return undefined;
  // A command may name the types of what its context gives it.
  if (here === "command" && typeOnly) return undefined;
  return `${here} must not import ${there}; it may import ${allowed.join(", ") || "nothing"}.`;
}

const plugin: Deno.lint.Plugin = {
  name: "backout",
  rules: {
    "layers": {
      create(context) {
        const from = sourcePath(context.filename);
        if (from === undefined) return {};
        const check = (node: ImportNode, range: Deno.lint.Range) => {
          if (typeof node.source?.value !== "string") return;
          const problem = importProblem(from, node.source.value, onlyTypes(node));
          if (problem !== undefined) context.report({ range, message: problem });
        };
        return {
          ImportDeclaration: (node) => check(node as unknown as ImportNode, node.range),
          ExportNamedDeclaration: (node) => check(node as unknown as ImportNode, node.range),
          ExportAllDeclaration: (node) => check(node as unknown as ImportNode, node.range),
          ImportExpression: (node) => check(node as unknown as ImportNode, node.range),
        };
      },
    },
    "quiet": {
      create(context) {
        if (sourcePath(context.filename) === undefined) return {};
        return {
          MemberExpression(node) {
            const name = memberName(node);
            if (name === undefined) return;
            if (name.startsWith("console.")) {
              context.report({ node, message: "Nothing prints except through the printer." });
            }
            if (/^(Deno|process)\.(exit|exitCode)$/.test(name)) {
              context.report({ node, message: "Only main.ts ends the process; throw an error instead." });
            }
          },
        };
      },
    },
    "changing-call": {
      create(context) {
        const from = sourcePath(context.filename);
        // A command writes only reports, where the user said; nothing that has to survive a crash.
        if (from === undefined || from === "core/posix.ts" || layerOf(from) === "command") return {};
        return {
          MemberExpression(node) {
            const name = memberName(node);
            const [object, property = ""] = name?.split(".") ?? [];
            const changes = (object === "Deno" && CHANGING_DENO.test(property)) ||
              (object === "fs" && CHANGING_NODE.test(property));
            if (!changes) return;
            context.report({ node, message: `${name} changes a file: go through #/core/posix.ts.` });
          },
          ImportDeclaration(node) {
            if (!/^node:fs(\/promises)?$/.test(node.source.value)) return;
            for (const specifier of node.specifiers) {
              if (specifier.type !== "ImportSpecifier" || specifier.imported.type !== "Identifier") continue;
              if (!CHANGING_NODE.test(specifier.imported.name)) continue;
              context.report({
                node: specifier,
                message: `${specifier.imported.name} changes a file: go through #/core/posix.ts.`,
              });
            }
          },
        };
      },
    },
    "file-length": {
      create(context) {
        return {
          Program(node) {
            const lines = context.sourceCode.text.split("\n").length - 1;
            if (lines <= MAX_LINES) return;
            context.report({ node, message: `${lines} lines: a file over ${MAX_LINES} lines is two files.` });
          },
        };
      },
    },
  },
};

/** `object.property` of plain names, undefined for anything else. */
function memberName(node: Deno.lint.MemberExpression): string | undefined {
  if (node.object.type !== "Identifier" || node.property.type !== "Identifier" || node.computed) {
    return undefined;
  }
  return `${node.object.name}.${node.property.name}`;
}

export default plugin;
