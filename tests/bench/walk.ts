/** The floor of an unchanged snapshot: a bare walk with a look at everything. `walk.ts FOLDER` */
function walk(folder: string): void {
  for (const entry of Deno.readDirSync(folder)) {
    const path = `${folder}/${entry.name}`;
    Deno.lstatSync(path);
    if (entry.isDirectory) walk(path);
  }
}

walk(Deno.args[0]!);
