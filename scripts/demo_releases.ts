/** Three real releases for the demo: a small web site, a packed download and its checksums. */
import { createHash } from "node:crypto";
import { dirname, join, relative } from "node:path";
import { gzipSync } from "node:zlib";

const encoder = new TextEncoder();

/** Builds a release in `folder`. `broken` leaves out what the page needs to work. */
export function buildRelease(folder: string, version: string, options: { broken: boolean }): void {
  const script = options.broken
    ? "document.body.textContent = user.name; // user is not defined\n"
    : "document.querySelector('#greeting').textContent = 'Hello';\n";
  const files: Record<string, Uint8Array> = {
    "index.html": encoder.encode(page(version)),
    "css/style.css": encoder.encode("body { font-family: sans-serif; margin: 4rem; }\n"),
    "js/app.js": encoder.encode(script),
    [`download/app-${version}.tar.gz`]: gzipSync(tarOf(`app-${version}/app.bin`, noise(version, 600_000))),
  };
  const sums = Object.entries(files)
    .map(([path, bytes]) => `${createHash("sha256").update(bytes).digest("hex")}  ${path}\n`);
  files["SHA256SUMS"] = encoder.encode(sums.join(""));
  for (const [path, bytes] of Object.entries(files)) {
    Deno.mkdirSync(dirname(join(folder, path)), { recursive: true });
    Deno.writeFileSync(join(folder, path), bytes);
  }
}

/** The files of a folder with their digests, sorted: equal text means equal trees. */
export function treeDigest(folder: string): string {
  return files(folder)
    .map((path) =>
      `${createHash("sha256").update(Deno.readFileSync(path)).digest("hex")}  ${relative(folder, path)}`
    )
    .sort()
    .join("\n");
}

/** Copies a folder with everything in it. */
export function copyTree(from: string, to: string): void {
  for (const path of files(from)) {
    const target = join(to, relative(from, path));
    Deno.mkdirSync(dirname(target), { recursive: true });
    Deno.copyFileSync(path, target);
  }
}

function files(folder: string): readonly string[] {
  return [...Deno.readDirSync(folder)].flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory ? files(path) : [path];
  });
}

function page(version: string): string {
  return `<!doctype html>
<title>Example ${version}</title>
<link rel="stylesheet" href="css/style.css">
<h1 id="greeting"></h1>
<p>This is ${version}. <a href="download/app-${version}.tar.gz">Download</a></p>
<script src="js/app.js"></script>
`;
}

/** Bytes that look random and are the same in every run. */
function noise(seed: string, size: number): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (let i = 0; i * 32 < size; i++) blocks.push(createHash("sha256").update(`${seed}/${i}`).digest());
  return new Uint8Array(Uint8Array.from(blocks.flatMap((block) => [...block])).subarray(0, size));
}

/** A tar archive (ustar) of one file. */
function tarOf(name: string, bytes: Uint8Array): Uint8Array {
  const header = new Uint8Array(512);
  const write = (text: string, offset: number): void => header.set(encoder.encode(text), offset);
  write(name, 0);
  write("0000755\0" + "0000000\0" + "0000000\0", 100);
  write(bytes.length.toString(8).padStart(11, "0") + "\0" + "00000000000\0", 124);
  write("        0", 148);
  write("ustar\0" + "00", 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  write(sum.toString(8).padStart(6, "0") + "\0 ", 148);
  const archive = new Uint8Array(512 + Math.ceil(bytes.length / 512) * 512 + 1024);
  archive.set(header);
  archive.set(bytes, 512);
  return archive;
}
