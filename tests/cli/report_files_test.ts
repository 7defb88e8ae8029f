/** The reports that a command writes into files: each format, of a success, a dry run and a refusal. */
import assert from "node:assert/strict";
import { runCli } from "../support/cli.ts";
import { testRepository } from "../support/repository.ts";
import { withTempDir } from "../support/temp.ts";

Deno.test("report files: every format, also of a dry run and of a refusal", async () => {
  await withTempDir(async (cwd) => {
    const { publish, path, state } = testRepository(cwd);
    await publish("v1.0.0", "--channel", "stable");
    await publish("v1.0.1", "--channel", "stable");
    const rollback = async (code: number, folder: string, ...args: readonly string[]) => {
      const files = ["--junit-report", `${folder}/report.xml`, "--html-report", `${folder}/report.html`];
      const result = await runCli(["release", "rollback", ...args, "-r", path, ...files], { cwd });
      assert.equal(result.code, code, result.stderr);
      return {
        xml: Deno.readTextFileSync(`${cwd}/${folder}/report.xml`),
        html: Deno.readTextFileSync(`${cwd}/${folder}/report.html`),
      };
    };

    const dry = await rollback(0, "dry", "v1.0.1", "--dry-run");
    assert.match(dry.xml, /<testsuites [^>]*failures="0" errors="0"/);
    assert.match(dry.xml, /<skipped message="planned: this was a dry run"\/>/);
    assert.match(dry.html, /<p class="words">Dry run: nothing was changed<\/p>/);
    assert.equal(await state("v1.0.1"), "active");

    const done = await rollback(0, "done", "v1.0.1", "--reason", "<b>broken</b> & slow");
    assert.match(done.xml, /<property name="reason" value="&lt;b&gt;broken&lt;\/b&gt; &amp; slow"\/>/);
    assert.match(done.html, /<dt>Why<\/dt><dd>&lt;b&gt;broken&lt;\/b&gt; &amp; slow<\/dd>/);
    assert.match(done.html, /<code>backout release restore [^<]+<\/code>/);

    const refused = await rollback(46, "refused", "v1.0.1");
    assert.match(refused.xml, /<testsuites [^>]*failures="1" errors="0"/);
    assert.match(refused.html, /<p class="words">Refused: nothing was changed<\/p>/);
  });
});

Deno.test("report files: two reports cannot go into one file", async () => {
  await withTempDir(async (cwd) => {
    const args = ["release", "rollback", "v1", "-r", "r", "--junit-report", "x", "--html-report", "./x"];
    const { code, stderr } = await runCli(args, { cwd });
    assert.equal(code, 2);
    assert.match(stderr, /--junit-report and --html-report name the same file/);
  });
});
