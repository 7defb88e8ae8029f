import assert from "node:assert/strict";
import * as errors from "#/core/errors.ts";

const CODES: Readonly<Record<string, readonly [number, string]>> = {
  RollbackError: [49, "rollback_error"],
  UsageError: [2, "usage"],
  RollbackVersionNotFoundError: [40, "version_not_found"],
  RollbackPolicyViolationError: [41, "policy_violation"],
  RollbackDependencyError: [42, "dependency"],
  RollbackAtomicError: [43, "taken_back"],
  RollbackIndexError: [44, "index"],
  RollbackBackupError: [45, "backup"],
  RollbackAlreadyRolledBackError: [46, "already_rolled_back"],
  RollbackDryRunError: [47, "dry_run"],
  RollbackManifestError: [48, "manifest"],
  LockedError: [50, "locked"],
  VerificationError: [51, "verification"],
  StorageError: [52, "storage"],
  UnfinishedOperationError: [53, "unfinished_operation"],
  IntegrityError: [54, "integrity"],
  PlanMismatchError: [55, "plan_mismatch"],
  GuardedCommandError: [56, "guarded_command"],
};

Deno.test("each error class has the exit code of the contract", () => {
  const classes = Object.entries(errors).filter(([name]) =>
    name.endsWith("Error") && name !== "InterruptedError"
  );
  assert.deepEqual(classes.map(([name]) => name).sort(), Object.keys(CODES).sort());
  for (const [name, constructor] of classes) {
    const cause = new Error("why");
    const error = new (constructor as typeof errors.RollbackError)("what failed", {
      hint: "do this",
      context: { path: "x" },
      cause,
    });
    assert.deepEqual([error.code, error.kind], CODES[name]);
    assert.ok(error instanceof errors.RollbackError);
    assert.equal(error.name, name);
    assert.equal(error.message, "what failed");
    assert.equal(error.hint, "do this");
    assert.deepEqual(error.context, { path: "x" });
    assert.equal(error.cause, cause);
  }
});

Deno.test("an error without options has no hint, no cause and an empty context", () => {
  const error = new errors.RollbackError("what failed");
  assert.equal(error.hint, undefined);
  assert.equal("cause" in error, false);
  assert.deepEqual(error.context, {});
});

Deno.test("a stop has the exit code of its signal", () => {
  const codes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143, timeout: 43 } as const;
  for (const [signal, code] of Object.entries(codes)) {
    const error = new errors.InterruptedError(signal as errors.StopSignal);
    assert.equal(error.code, code);
    assert.match(error.message, signal === "timeout" ? /--timeout/ : new RegExp(signal));
  }
});

Deno.test("messageOf takes whatever was thrown", () => {
  assert.equal(errors.messageOf(new Error("a")), "a");
  assert.equal(errors.messageOf("b"), "b");
  assert.equal(errors.messageOf(undefined), "undefined");
});
