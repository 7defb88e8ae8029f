/**
 * Property tests try the same values in every run, so that a failure is the change's and not the day's.
 * `BACKOUT_PROPERTY_SEED=random` looks elsewhere; a number repeats what a failure printed.
 */
import fc from "fast-check";

const FIXED = 20261121;
const given = Deno.env.get("BACKOUT_PROPERTY_SEED");

if (given !== "random") fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(given ?? FIXED) });
