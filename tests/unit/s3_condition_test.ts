/** How the spelling of a condition is found out, on servers that only exist here. */
import assert from "node:assert/strict";
import { BucketError } from "#/storage/bucket/bucket_error.ts";
import { type ConditionHeaders, Conditions } from "#/storage/s3/condition.ts";

const refused = () => new BucketError({ failure: "precondition", action: "write k", location: "s3://b" });

/** An object with a tag, on a server that understands one spelling (or both). */
function server(understands: (etag: string, tag: string) => boolean) {
  const state = { tag: "a", asked: [] as string[], looked: 0 };
  return {
    state,
    write: ({ IfMatch = "" }: ConditionHeaders) => {
      state.asked.push(IfMatch);
      if (!understands(IfMatch, state.tag)) return Promise.reject(refused());
      state.tag = String.fromCharCode(state.tag.charCodeAt(0) + 1);
      return Promise.resolve(state.tag);
    },
    currentTag: () => {
      state.looked++;
      return Promise.resolve(state.tag);
    },
  };
}

Deno.test("a server that follows the standard is asked once", async () => {
  const { state, write, currentTag } = server((etag, tag) => etag === `"${tag}"`);
  const conditions = new Conditions();
  assert.equal(await conditions.apply({ tag: "a" }, write, currentTag), "b");
  assert.equal(await conditions.apply({ tag: "b" }, write, currentTag), "c");
  assert.deepEqual(state.asked, ['"a"', '"b"']);
  assert.equal(state.looked, 0);
});

Deno.test("a server that wants no quotes is understood once and for all", async () => {
  const { state, write, currentTag } = server((etag, tag) => etag === tag);
  const conditions = new Conditions();
  await conditions.apply({ tag: "a" }, write, currentTag);
  await conditions.apply({ tag: "b" }, write, currentTag);
  await assert.rejects(conditions.apply({ tag: "b" }, write, currentTag), BucketError);
  assert.deepEqual(state.asked, ['"a"', "a", "b", "b"]);
  assert.equal(state.looked, 1);
});

Deno.test("a stale tag is refused in any spelling, and proves nothing", async () => {
  const { state, write, currentTag } = server((etag, tag) => etag === tag);
  const conditions = new Conditions();
  await assert.rejects(conditions.apply({ tag: "z" }, write, currentTag), BucketError);
  assert.deepEqual(state.asked, ['"z"']);
  await conditions.apply({ tag: "a" }, write, currentTag);
  assert.equal(state.tag, "b");
});

Deno.test("a race that is lost between two spellings is lost", async () => {
  const { state, write, currentTag } = server((etag, tag) => etag === tag);
  const overtaken = async () => {
    const tag = await currentTag();
    state.tag = "y"; // somebody else, just now
    return tag;
  };
  await assert.rejects(new Conditions().apply({ tag: "a" }, write, overtaken), BucketError);
  assert.equal(state.tag, "y");
});

Deno.test("other failures and other conditions pass through", async () => {
  const conditions = new Conditions();
  const seen: ConditionHeaders[] = [];
  const note = (headers: ConditionHeaders) => Promise.resolve(seen.push(headers));
  const never = () => assert.fail("nothing to look at");
  await conditions.apply(undefined, note, never);
  await conditions.apply({ absent: true }, note, never);
  assert.deepEqual(seen, [{}, { IfNoneMatch: "*" }]);
  const broken = new BucketError({ failure: "network", action: "write k", location: "s3://b" });
  await assert.rejects(conditions.apply({ tag: "a" }, () => Promise.reject(broken), never), broken);
});
