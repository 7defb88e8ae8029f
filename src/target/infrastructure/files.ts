/** The files of a working folder that make up the configuration: all but what the program makes by itself. */
import { join } from "node:path";
import picomatch from "picomatch";
import { RollbackVersionNotFoundError } from "#/core/errors.ts";
import * as posix from "#/core/posix.ts";
import { describeConfigFiles, describeFiles } from "../kept/files.ts";
import type { KeptFile } from "../kept/model.ts";

/** Plugins, states, locks, saved plans, and folders of other tools. */
const MADE_BY_IT =
  /^(?:\.terraform|\.git|\.backout|terraform\.tfstate\.d|.*\.tfstate|.*\.tfstate\..*|.*\.tfplan|crash(?:\..*)?\.log)$/;

export interface FilesOptions {
  /** Absolute. */
  readonly folder: string;
  readonly exclude: readonly string[];
  /** Absolute; those outside of the folder are kept as well. */
  readonly varFiles: readonly string[];
}

export interface Configuration {
  /** Paths below the folder, sorted. */
  readonly inside: readonly KeptFile[];
  /** Variable files elsewhere, absolute. */
  readonly outside: readonly KeptFile[];
}

/** @throws {RollbackVersionNotFoundError} there is no such folder */
export async function readConfiguration(options: FilesOptions, signal: AbortSignal): Promise<Configuration> {
  const { folder, varFiles } = options;
  if (posix.lstat(folder)?.isDirectory !== true) {
    throw new RollbackVersionNotFoundError(`There is no folder ${folder}`, {
      hint: "Mend `path` of the target.",
      context: { path: folder },
    });
  }
  const names = listFiles(folder, "", picomatch([...options.exclude], { dot: true })).sort();
  const outside = varFiles.filter((it) => !it.startsWith(`${folder}/`));
  return {
    inside: await describeFiles(names, folder, signal),
    outside: await describeConfigFiles(outside, signal),
  };
}

function listFiles(folder: string, below: string, isExcluded: (path: string) => boolean): string[] {
  return (posix.readFolder(join(folder, below)) ?? []).flatMap((entry) => {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    if (MADE_BY_IT.test(entry.name) || isExcluded(path)) return [];
    if (entry.isDirectory) return listFiles(folder, path, isExcluded);
    return entry.isFile || entry.isSymlink ? [path] : [];
  });
}

/** True for a path that a snapshot may name: below the folder, and nothing that the program makes. */
export function isConfigurationPath(path: string): boolean {
  const parts = path.split("/");
  return !path.includes("\0") &&
    parts.every((it) => it !== "" && it !== "." && it !== ".." && !MADE_BY_IT.test(it));
}
