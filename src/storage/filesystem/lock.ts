/**
 * The lock of a scope in a directory: `.backout/lock`, a JSON `LockHolder`.
 *
 * It is made by linking a finished temporary file to the name, so that it appears whole and for one taker only. The
 * holder keeps the file open with an exclusive flock, which ends with its process whatever happens to it.
 *
 * Taking over from a dead holder: a taker opens the dead lock file and takes *its* flock; then, if the name still leads
 * to that same inode, with the bytes that were judged, it renames its own file over it. Several takers queue for that one
 * inode; whoever comes second finds that the name leads elsewhere and begins anew. At no moment is the name free, so
 * nobody slips in between. Where flock does not work, a dead lock is not taken over; `backout unlock` removes it.
 */
import { LockedError } from "#/core/errors.ts";
import { formatJson } from "#/core/json.ts";
import { pause, throwIfStopped } from "#/core/pace.ts";
import * as posix from "#/core/posix.ts";
import { attempt, lookAt } from "#/core/system_error.ts";
import { AdvisoryProbe, holdNew } from "./advisory_lock.ts";
import { FilesystemTree } from "./tree.ts";
import { dropQuietly, removeIfThere, temporaryPath } from "./write.ts";
import type { HeldLock, HolderState, LockHolder, LockRequest, ScopeLock } from "#/storage/lock.ts";
import { type Judged, judgeHolder, readLock, type Seen, shown } from "./lock_file.ts";
import { type LockIdentity, readIdentity } from "#/storage/lock_identity.ts";
import { describeHolder, lockedError } from "#/storage/lock_messages.ts";

const LOCK = ".backout/lock";
/** A taker that is just taking over is gone after this, in milliseconds. */
const TAKEOVER_MS = 25;
const POLL_MIN_MS = 50;
const POLL_MAX_MS = 250;

export class FilesystemLock implements ScopeLock {
  readonly #tree: FilesystemTree;
  readonly #identity: LockIdentity;

  /** @param identity who takes the lock (tests only; this process by default) */
  constructor(root: string, stateDir?: string, identity: LockIdentity = readIdentity()) {
    this.#tree = new FilesystemTree(root, stateDir);
    this.#identity = identity;
  }

  async acquire(request: LockRequest): Promise<HeldLock> {
    const until = performance.now() + request.timeoutMs;
    using probe = new AdvisoryProbe();
    for (let tries = 0, waits = 0;; tries++) {
      throwIfStopped(request.signal);
      const held = this.#tryCreate(request);
      if (held !== undefined) return held;
      const seen = this.#read();
      if (seen === undefined) {
        await pause(1, request.signal); // released just now
        continue;
      }
      const { state, file } = await this.#judge(seen, probe);
      if (file !== undefined) {
        const taken = this.#takeOver(request, seen, file);
        if (taken !== undefined) return taken;
        continue;
      }
      if (tries === 0) {
        await pause(TAKEOVER_MS, request.signal); // another taker's flock looks like a living holder's
        continue;
      }
      if (performance.now() >= until) throw lockedError(shown(seen), state, request);
      if (waits++ === 0) request.onWait?.(shown(seen));
      await pause(POLL_MIN_MS + Math.random() * (POLL_MAX_MS - POLL_MIN_MS), request.signal);
    }
  }

  async inspect(): Promise<{ readonly holder: LockHolder; readonly state: HolderState } | undefined> {
    using probe = new AdvisoryProbe();
    const seen = this.#read();
    if (seen === undefined) return undefined;
    const { state, file } = await this.#judge(seen, probe);
    file?.close();
    return { holder: shown(seen), state };
  }

  async breakLock(options: { force: boolean }): Promise<LockHolder | undefined> {
    using probe = new AdvisoryProbe();
    const seen = this.#read();
    if (seen === undefined) return undefined;
    const { state, file } = await this.#judge(seen, probe);
    try {
      if (state === "alive" && !options.force) {
        throw new LockedError(`Cannot remove the lock: its holder is alive: ${describeHolder(shown(seen))}`, {
          hint:
            "Wait for it, or stop that process. Only when it can do no more harm: `backout unlock --force`.",
          context: { holder: { ...shown(seen) }, state },
        });
      }
      if (this.#isStill(seen)) this.#remove();
      return shown(seen);
    } finally {
      file?.close();
    }
  }

  get #path(): string {
    return this.#tree.path(LOCK);
  }

  /** Undefined when somebody holds it. */
  #tryCreate(request: LockRequest): HeldLock | undefined {
    this.#tree.guard().resolve(LOCK);
    if (lookAt(this.#path) !== undefined) return undefined;
    const mine = this.#prepare(request);
    if (mine === undefined) return undefined;
    try {
      posix.link(mine.temporary, this.#path);
      dropQuietly(mine.temporary);
      return this.#held(mine, undefined);
    } catch (error) {
      const code = posix.errorCode(error);
      if (code === "EEXIST" || code === "ENOENT") return mine.drop(); // ENOENT: swept away; try again
      if (isUnsupported(code)) return this.#createInPlace(mine);
      mine.drop();
      attempt("create", this.#path, () => {
        throw error;
      });
    }
  }

  /** Without hard links: exclusive creation, which a power loss can leave empty. */
  #createInPlace(mine: Prepared): HeldLock | undefined {
    mine.drop();
    // Between creation and flock it would look abandoned, so it does not promise a flock.
    const holder = { ...mine.holder, advisory: false };
    const text = formatJson(holder);
    try {
      posix.writeNewFile(this.#path, new TextEncoder().encode(text), 0o600, { owner: this.#tree.owner });
    } catch (error) {
      if (posix.errorCode(error) === "EEXIST") return undefined;
      attempt("create", this.#path, () => {
        throw error;
      });
    }
    const file = Deno.openSync(this.#path, { read: true, write: true });
    return this.#held({ ...mine, file, holder, text }, undefined);
  }

  /** A finished lock file under another name, held by an advisory lock where there is one. */
  #prepare(request: LockRequest): Prepared | undefined {
    this.#tree.makeFolder(".backout", true);
    const temporary = temporaryPath(this.#tree, this.#path);
    return attempt("create", this.#path, () => {
      const file = posix.openNewFile(temporary, 0o600);
      const drop = () => {
        file.close();
        dropQuietly(temporary);
        return undefined;
      };
      try {
        const { owner } = this.#tree;
        if (owner !== undefined) posix.chown(temporary, owner.uid, owner.gid);
        const holder = this.#holderFor(request, holdNew(file));
        const text = formatJson(holder);
        posix.writeOpenFile(file, temporary, new TextEncoder().encode(text));
        return { temporary, file, holder, text, drop };
      } catch (error) {
        drop();
        if (posix.errorCode(error) === "ENOENT") return undefined; // swept away by somebody's recovery: try again
        throw error;
      }
    });
  }

  #holderFor(request: LockRequest, advisory: boolean): LockHolder {
    const { id, operation, by, reason, now } = request;
    return { id, operation, by, ...this.#identity, advisory, since: now().toISOString(), reason };
  }

  /** See the head of this file. `dead` is the dead lock file with its flock taken. */
  #takeOver(request: LockRequest, seen: Seen, dead: Deno.FsFile): HeldLock | undefined {
    try {
      const mine = this.#prepare(request);
      if (mine === undefined) return undefined;
      if (dead.statSync().ino !== seen.info.ino || !this.#isStill(seen)) return mine.drop();
      try {
        posix.rename(mine.temporary, this.#path);
      } catch (error) {
        mine.drop();
        if (posix.errorCode(error) === "ENOENT") return undefined;
        attempt("take over", this.#path, () => {
          throw error;
        });
      }
      return this.#held(mine, shown(seen));
    } finally {
      dead.close();
    }
  }

  #held(mine: Prepared, takenFrom: LockHolder | undefined): HeldLock {
    let released = false;
    return {
      holder: mine.holder,
      takenFrom,
      isDeathCertain: true, // a lock is only taken from a process that has ended
      outwait: () => Promise.resolve(),
      [Symbol.asyncDispose]: () => {
        if (released) return Promise.resolve();
        released = true;
        return Promise.resolve().then(() => {
          try {
            // Somebody may have removed it by force, and a third may hold it now.
            if (this.#read()?.text === mine.text) this.#remove();
          } finally {
            mine.file.close();
          }
        });
      },
    };
  }

  #remove(): void {
    removeIfThere(this.#path);
  }

  #read(): Seen | undefined {
    this.#tree.guard().resolve(LOCK);
    return readLock(this.#path);
  }

  #judge(seen: Seen, probe: AdvisoryProbe): Promise<Judged> {
    return judgeHolder(this.#path, seen, this.#identity, probe);
  }

  /** True when the name still leads to the file that was seen, unchanged. */
  #isStill(seen: Seen): boolean {
    const now = this.#read();
    return now !== undefined && now.info.ino === seen.info.ino && now.text === seen.text;
  }
}

interface Prepared {
  readonly temporary: string;
  readonly file: Deno.FsFile;
  readonly holder: LockHolder;
  readonly text: string;
  readonly drop: () => undefined;
}

function isUnsupported(code: string | undefined): boolean {
  return code === "EPERM" || code === "ENOTSUP" || code === "EOPNOTSUPP" || code === "ENOSYS";
}
