/** What a git checkout refuses: states, owners, made-up snapshots. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { testRequiring } from "../support/require.ts";
import { fixture, repo } from "./git_fixture.ts";
import { commit, filesOf, git, gitTry, makeRepository, put } from "./git_support.ts";
import { inWorld } from "./target_contract.ts";

const plain = fixture("plain", {});

testRequiring(
  ["posix", "git"],
  "git_commit: what cannot be captured is refused with what to do",
  async () => {
    const refusals: readonly (readonly [string, number, RegExp, RegExp, (it: string) => void])[] = [
      ["no such path", 40, /no folder/, /repo_path/, (it) => Deno.removeSync(it, { recursive: true })],
      ["a file", 40, /is a file/, /repo_path/, (it) => {
        Deno.removeSync(it, { recursive: true });
        Deno.writeTextFileSync(it, "");
      }],
      [
        "no repository",
        40,
        /not a git repository/,
        /file_system/,
        (it) => Deno.removeSync(`${it}/.git`, { recursive: true }),
      ],
      [
        "index.lock",
        49,
        /index\.lock exists/,
        /rm /,
        (it) => Deno.writeTextFileSync(`${it}/.git/index.lock`, ""),
      ],
      ["a merge", 49, /a merge is under way/, /merge --abort/, (it) => {
        git(it, "checkout", "-q", "other");
        put(it, "app.ts", "other\n");
        commit(it, "other");
        gitTry(it, "merge", "main");
      }],
      ["a rebase", 49, /a rebase is under way/, /rebase --abort/, (it) => {
        put(it, "app.ts", "x\n");
        commit(it, "x");
        gitTry(it, "rebase", "--onto", "other", "HEAD~1");
      }],
      ["a cherry-pick", 49, /a cherry-pick is under way/, /cherry-pick/, (it) => {
        git(it, "checkout", "-q", "other");
        put(it, "app.ts", "other\n");
        commit(it, "other");
        gitTry(it, "cherry-pick", "main~1");
      }],
      [
        "a bisection",
        49,
        /a bisection is under way/,
        /bisect reset/,
        (it) => void git(it, "bisect", "start"),
      ],
      ["a bare one", 49, /bare/, /file_system/, (it) => {
        Deno.removeSync(it, { recursive: true });
        Deno.mkdirSync(it);
        git(it, "init", "-q", "--bare");
      }],
    ];
    for (const [what, code, message, hint, spoil] of refusals) {
      await inWorld(plain, async ({ folder, capture }) => {
        spoil(repo(folder));
        await assert.rejects(capture(), (error: Error & { code?: number; hint?: string }) => {
          assert.match(error.message, message, what);
          assert.match(error.hint ?? "", hint, what);
          assert.equal(error.code, code, what);
          return true;
        });
      });
    }
  },
);

testRequiring(
  ["posix", "git"],
  "git_commit: a folder inside of a repository is not the repository",
  async () => {
    const inner = fixture("inner", {
      setUp: (world) => {
        makeRepository(repo(world));
        return { repo_path: join(repo(world), "src") };
      },
    });
    await inWorld(inner, async ({ capture }) => {
      await assert.rejects(capture(), /is a folder inside the repository/);
    });
  },
);

testRequiring(
  ["posix", "git"],
  "git_commit: a made-up snapshot cannot reach outside, nor into .git",
  async () => {
    for (const path of ["../out", "/etc/x", ".git/hooks/post-commit", "a/.GIT/config", "a//b", "a/../../b"]) {
      await inWorld(plain, async ({ folder, driver, target, context, capture, store }) => {
        put(repo(folder), "untracked", "x\n");
        const saved = await capture();
        const listing = saved.state["listing"] as unknown as Parameters<typeof store.readBytes>[0];
        const text = new TextDecoder().decode(await store.readBytes(listing, { maxBytes: 1e9 }));
        const evil = text.replaceAll('"path":"untracked"', `"path":${JSON.stringify(path)}`);
        assert.notEqual(evil, text);
        const content = await store.addBytes(new TextEncoder().encode(evil));
        const before = filesOf(folder);
        const made = { ...saved, state: { listing: { ...content } } };
        await assert.rejects(driver.restore(target, made, context()), { name: "IntegrityError" });
        await assert.rejects(driver.exportTo(made, join(folder, "out"), context()), {
          name: "IntegrityError",
        });
        assert.deepEqual(filesOf(folder), before);
      });
    }
  },
);

testRequiring(["posix", "git"], "git_commit: a missing git is named with its package", async () => {
  await inWorld(plain, async ({ driver, target, context }) => {
    const nowhere = { ...context(), env: (name: string) => name === "PATH" ? "/nowhere" : undefined };
    await assert.rejects(
      driver.capture(target, { ...nowhere, writer: nowhere.store, previous: undefined }),
      (error: Error & { hint?: string; code?: number }) =>
        /git was not found/.test(error.message) && /apt-get install git/.test(error.hint!) &&
        error.code === 45,
    );
  });
});

testRequiring(
  ["root", "git"],
  "git_commit: a repository of another owner is refused, as git does",
  async () => {
    await inWorld(plain, async ({ folder, capture }) => {
      Deno.chownSync(repo(folder), 65534, 65534);
      Deno.chownSync(join(repo(folder), ".git"), 65534, 65534);
      await assert.rejects(
        capture(),
        (error: Error & { hint?: string }) =>
          /belongs to another user/.test(error.message) && /safe\.directory/.test(error.hint!),
      );
    });
  },
);

testRequiring(["posix", "git"], "git_commit: a store among the files is refused", async () => {
  await inWorld(plain, async ({ folder, driver, target, context }) => {
    const { store, ...rest } = context();
    const inside = Object.assign(Object.create(store), { location: join(repo(folder), "store") });
    const capture = () =>
      driver.capture(target, { ...rest, store: inside, writer: store, previous: undefined });
    await assert.rejects(capture(), /lies among the files of the repository/);
    put(repo(folder), ".gitignore", "/store\n");
    assert.equal((await capture()).method, "git_commit");
    Deno.mkdirSync(join(repo(folder), "other"));
    Deno.symlinkSync(join(repo(folder), "other"), join(folder, "elsewhere"));
    const behind = Object.assign(Object.create(store), { location: join(folder, "elsewhere/store") });
    const given = { ...rest, writer: store, previous: undefined };
    const refusal = /lies among the files of the repository/;
    await assert.rejects(driver.capture(target, { ...given, store: behind }), refusal);
    await assert.rejects(
      driver.capture(target, { ...given, store, own: [join(repo(folder), "fallback")] }),
      refusal,
    );
  });
});
