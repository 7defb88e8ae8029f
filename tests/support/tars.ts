/** Writes a repository byte for byte the way the T.A.R.S. publisher does: no serial, no records, no channels. */
import { createHash } from "node:crypto";
import { dirname } from "node:path";

export interface TarsRelease {
  readonly version: string;
  /** File name below `<version>/` to its content. */
  readonly files: Readonly<Record<string, string | Uint8Array>>;
  /** Further artifacts, by path from the repository's root: folders that several releases share. */
  readonly elsewhere?: Readonly<Record<string, string | Uint8Array>>;
  readonly timestamp?: string;
}

export interface TarsBackup {
  readonly version: string;
  /** `YYYYMMDD_HHMMSS`. @default "20260102_030405" */
  readonly stamp?: string;
  /** @default "0a1b2c3d" */
  readonly id8?: string;
  /** Artifact path (`<version>/…`) to its content. */
  readonly files: Readonly<Record<string, string | Uint8Array>>;
}

export interface TarsOptions {
  /** Oldest first, as they were published. @default v1.0.0, v1.0.1, v1.0.2 */
  readonly releases?: readonly TarsRelease[];
  readonly backups?: readonly TarsBackup[];
  /** @default true */
  readonly indexMd?: boolean;
}

export const TARS_RELEASES: readonly TarsRelease[] = ["v1.0.0", "v1.0.1", "v1.0.2"].map((version, i) => ({
  version,
  timestamp: `2026-01-0${i + 1}T10:00:00.123456+00:00`,
  files: {
    "README.md": `# release ${version}\n`,
    "bin/app": `#!/bin/sh\necho ${version}\n`,
    "checksums.txt": `none yet for ${version}\n`,
  },
}));

/** Writes the repository into `root` (made if needed). @returns the text of `index.json` */
export function writeTarsRepository(root: string, options: TarsOptions = {}): string {
  const releases = options.releases ?? TARS_RELEASES;
  for (const release of releases) {
    for (const [name, content] of Object.entries(release.files)) {
      writeFile(`${root}/${release.version}/${name}`, content);
    }
    for (const [path, content] of Object.entries(release.elsewhere ?? {})) {
      writeFile(`${root}/${path}`, content);
    }
  }
  for (const backup of options.backups ?? []) {
    const folder = tarsBackupName(backup);
    for (const [path, content] of Object.entries(backup.files)) {
      writeFile(`${root}/.rollback-backups/${folder}/${path}`, content);
    }
  }
  const index = tarsIndexText(releases);
  writeFile(`${root}/index.json`, index);
  if (options.indexMd !== false) writeFile(`${root}/index.md`, tarsIndexMarkdown(releases));
  return index;
}

/** The folder's name as T.A.R.S. makes it. */
export function tarsBackupName(backup: TarsBackup): string {
  return `${backup.version}-${backup.stamp ?? "20260102_030405"}-${backup.id8 ?? "0a1b2c3d"}`;
}

function tarsIndexText(releases: readonly TarsRelease[]): string {
  const newestFirst = [...releases].reverse();
  const index = {
    releases: newestFirst.map(tarsEntry),
    total_releases: releases.length,
    last_updated: newestFirst[0]?.timestamp ?? "2026-01-01T00:00:00+00:00",
    publisher: { name: "tars", schema: "@1.0@" },
  };
  // Python's json.dump writes floats with their point; a marker keeps it through JSON.stringify.
  return JSON.stringify(index, undefined, 2).replaceAll(/"@(\d+\.\d+)@"/g, "$1");
}

function tarsEntry(release: TarsRelease): Record<string, unknown> {
  const paths = [
    ...Object.keys(release.files).map((name) => `${release.version}/${name}`),
    ...Object.keys(release.elsewhere ?? {}),
  ];
  const all = createHash("sha256");
  let size = 0;
  for (const content of [...Object.values(release.files), ...Object.values(release.elsewhere ?? {})]) {
    all.update(content);
    size += typeof content === "string" ? new TextEncoder().encode(content).length : content.length;
  }
  return {
    version: release.version,
    timestamp: release.timestamp ?? "2026-01-01T10:00:00.123456+00:00",
    sha256: all.digest("hex"),
    size_bytes: size,
    artifacts: paths,
    sbom_id: `sbom-${release.version}`,
    slsa_id: `slsa-${release.version}`,
    provenance_hash: createHash("sha256").update(release.version).digest("hex"),
    signed: true,
    encrypted: false,
    verification: { status: "passed", score: "@1.0@", checks: { signature: true, sbom: true } },
    validation: { status: "passed", coverage: "@97.50@", total_rules: 12, duration_seconds: "@0.0@" },
  };
}

function tarsIndexMarkdown(releases: readonly TarsRelease[]): string {
  const rows = [...releases].reverse().map((it) =>
    `| ${it.version} | ${it.timestamp ?? ""} | ${Object.keys(it.files).length} |`
  );
  return [
    "# Release Index",
    "",
    "| Version | Date | Artifacts |",
    "|---------|------|-----------|",
    ...rows,
    "",
  ].join("\n");
}

function writeFile(path: string, content: string | Uint8Array): void {
  Deno.mkdirSync(dirname(path), { recursive: true });
  if (typeof content === "string") Deno.writeTextFileSync(path, content);
  else Deno.writeFileSync(path, content);
}
