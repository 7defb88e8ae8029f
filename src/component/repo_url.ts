/** Addresses of repositories: what git may be given, and what looks like an option or a program. Pure. */
import { resolve } from "node:path";
import { UsageError } from "#/core/errors.ts";
import { quoteShort } from "#/core/safe_path.ts";

const SCHEMES: ReadonlySet<string> = new Set(["file", "git", "http", "https", "ssh", "git+ssh", "ssh+git"]);

/** Why an address is not given to git; undefined when it may be. */
export function repoProblem(url: string): string | undefined {
  // deno-lint-ignore no-control-regex -- control characters are what is refused
  if (url === "" || /[\u0000-\u0020\u007f]/.test(url)) {
    return "it is empty, or has spaces or control characters";
  }
  if (url.startsWith("-")) return "it looks like an option";
  if (/^[A-Za-z0-9+.-]+::/.test(url)) return "it names a transport helper, which runs programs";
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/(.*)$/.exec(url);
  if (scheme !== null) {
    const [, name = "", rest = ""] = scheme;
    if (!SCHEMES.has(name.toLowerCase())) {
      return `${name}:// is none of ${[...SCHEMES].slice(0, 5).join(", ")}`;
    }
    const host = rest.split("/")[0]!;
    if (host.startsWith("-") || host.split("@").at(-1)!.startsWith("-")) {
      return "its host looks like an option";
    }
    return undefined;
  }
  const host = /^([^/]*?):/.exec(url)?.[1];
  if (host !== undefined && (host.startsWith("-") || host.split("@").at(-1)!.startsWith("-"))) {
    return "its host looks like an option";
  }
  return undefined;
}

/** It holds a password, which a command line would show. */
export function hasPassword(url: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\/[^/?#@]*:[^/?#]*@/i.test(url);
}

/** Without its password, for messages and documents. */
export function shownUrl(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/[^/?#@:]*):[^/?#]*@/i, "$1@");
}

/** @throws {UsageError} the address is not given to git */
export function assertRepo(component: string, url: string): void {
  const problem = repoProblem(url);
  if (problem === undefined) return;
  throw new UsageError(`Refused the repository ${quoteShort(shownUrl(url))} of ${component}: ${problem}`, {
    hint: "Write an address like https://host/path.git, git@host:path.git, or a path.",
    context: { component },
  });
}

/**
 * As git is given it: a relative path starts at the root.
 * @throws {UsageError} it may not be given to git, or has a password in it
 */
export function gitUrl(component: string, url: string, root: string): string {
  assertRepo(component, url);
  if (hasPassword(url)) {
    throw new UsageError(
      `Refused the repository ${quoteShort(shownUrl(url))} of ${component}: it has a password in it`,
      {
        hint:
          "Take it out of the address, which every user of this machine could see, and give it to git's credential helper.",
        context: { component },
      },
    );
  }
  const isAddress = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(url) || /^[^/]*:/.test(url);
  return isAddress ? url : resolve(root, url);
}

/** True where git would need the network for it. */
export function needsNetwork(url: string): boolean {
  if (/^file:\/\//i.test(url)) return false;
  return /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(url) || /^[^/]*:/.test(url);
}
