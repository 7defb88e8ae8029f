/** The table of states in the contract, on folders. */
import assert from "node:assert/strict";
import { testRepository } from "../support/repository.ts";
import { withTempDir } from "../support/temp.ts";
import { bringInto, checkCase, dryRunCode, STATE_CASES } from "./states_table.ts";

for (const stateCase of STATE_CASES) {
  Deno.test(`states: ${stateCase.name}`, async () => {
    await withTempDir(async (cwd) => {
      const repository = testRepository(cwd);
      await bringInto(repository, stateCase);
      const report = await checkCase(repository, stateCase);

      Deno.mkdirSync(`${cwd}/dry`);
      const again = testRepository(`${cwd}/dry`);
      await bringInto(again, stateCase);
      assert.equal(await dryRunCode(again, stateCase), report.exit_code);
    });
  });
}
