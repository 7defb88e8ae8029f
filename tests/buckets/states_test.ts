/** The table of states in the contract, on object storage. */
import assert from "node:assert/strict";
import { mapLimited } from "#/storage/limit.ts";
import { bringInto, checkCase, dryRunCode, STATE_CASES } from "../cli/states_table.ts";
import { BUCKET_WORLDS, COMMANDS_AT_ONCE } from "../support/bucket_world.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";

const states = [...new Set(STATE_CASES.map(({ state }) => state))];

for (const kind of BUCKET_WORLDS) {
  testRequiring(kind.needs, `the table of states on ${kind.name}`, async (t) => {
    await using world = await kind.start();
    for (const state of states) {
      await t.step(state, async () => {
        const cases = STATE_CASES.filter((it) => it.state === state);
        await mapLimited(cases, COMMANDS_AT_ONCE, (stateCase) =>
          withTempDir(async (cwd) => {
            const repository = world.repository(cwd);
            try {
              await bringInto(repository, stateCase);
              const planned = await dryRunCode(repository, stateCase);
              assert.equal((await checkCase(repository, stateCase)).exit_code, planned);
            } catch (cause) {
              throw new Error(`${stateCase.name}: ${cause instanceof Error ? cause.message : cause}`, {
                cause,
              });
            }
          }));
      });
    }
  });
}
