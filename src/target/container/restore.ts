/**
 * Brings a stack to a saved state. Every part looks at the world first, so that it can be called again after a crash
 * anywhere inside: images and new contents are made ready while everything runs, then what is affected stops, files and
 * contents change, containers are made again, and services start in the order in which they need each other.
 */
import { setTimeout as wait } from "node:timers/promises";
import { RollbackBackupError, RollbackError } from "#/core/errors.ts";
import { throwIfStopped } from "#/core/pace.ts";
import type { SavedTarget } from "#/store/model.ts";
import type { RestoreContext, Restored, TargetContext } from "../target.ts";
import {
  dropBeside,
  exchange,
  fillBeside,
  isExchanging,
  placeData,
  rememberPutBack,
  settleExchange,
} from "./data.ts";
import { type DataChange, decide, type Decision, isDone, isTag, tagChanges } from "./decide.ts";
import { EngineError } from "./engine_error.ts";
import { loadImages } from "./images.ts";
import { accessTo, knownOf, servicesOf, waitUntilHealthy } from "./know.ts";
import { lookAtStack, type Target, type World } from "./look.ts";
import type { Container, SavedService, SavedStack } from "./model.ts";
import { idsByService, inOrder } from "./order.ts";
import { refuse, warningsOf } from "./plan.ts";
import { waitForOthers } from "./settle.ts";
import { nameOfRecord, readRecords, readStack, type StackRecords } from "./stack.ts";
import { assertReadable, usesVolume } from "./volumes.ts";

/** The engine may still be at work on what an earlier run asked of it. */
const TRIES = 4;
const TRY_AGAIN_MS = 500;

export async function restore(
  target: Target,
  saved: SavedTarget,
  context: RestoreContext,
): Promise<Restored> {
  const run = new RestoreRun(target, readStack(saved), context);
  return await run.go();
}

class RestoreRun {
  readonly #target: Target;
  readonly #stack: SavedStack;
  readonly #context: RestoreContext;
  readonly #touched = new Set<string>();
  readonly #warnings = new Set<string>();
  readonly #putBackNames = new Set<string>();
  #records: StackRecords | undefined;
  #changed = 0;
  #removed = 0;
  #bytes = 0;

  constructor(target: Target, stack: SavedStack, context: RestoreContext) {
    this.#target = target;
    this.#stack = stack;
    this.#context = context;
  }

  async go(): Promise<Restored> {
    const first = await this.#look();
    await waitForOthers(this.#stack.project, first.containers, this.#context);
    await this.#settleVolumes(first);
    for (let tries = 1;; tries++) {
      const world = await this.#look();
      const decision = await decide(this.#target, this.#stack, world, this.#context, this.#putBackNames);
      refuse(this.#target, decision);
      await this.#rememberData(world, decision);
      if (isDone(decision)) return this.#end(world, decision);
      // A container that ends by itself right after its start does so again.
      if (tries > TRIES) throw notAsSaved(this.#target, decision);
      try {
        await this.#bringAbout(world, decision);
      } catch (error) {
        const mayPass = error instanceof EngineError && tries < TRIES &&
          ["name_taken", "no_such_thing", "refused"].includes(error.problem);
        if (!mayPass) throw error;
        await this.#pause();
      }
    }
  }

  /** What is as it was saved, before a service that is started goes on writing. */
  async #rememberData({ engine }: World, { data }: Decision): Promise<void> {
    if (!this.#target.config.include_volumes) return;
    const same = this.#stack.data.filter((it) => !data.some(({ saved }) => saved === it));
    const volumes = await engine.volumes(same.filter((it) => it.kind === "volume").map((it) => it.name));
    for (const it of same) rememberPutBack(volumes.get(it.name)?.mountpoint ?? it.path, it.fingerprint);
  }

  #look(): Promise<World> {
    return lookAtStack(this.#target, this.#context, this.#stack);
  }

  async #pause(): Promise<void> {
    const { signal } = this.#context;
    await wait(TRY_AGAIN_MS, undefined, { signal }).catch(() => throwIfStopped(signal));
  }

  /** What the engine has started meanwhile sees a folder that is not the volume's any more. */
  async #settleVolumes(world: World): Promise<void> {
    if (!this.#target.config.include_volumes) return;
    const names = this.#stack.data.filter((it) => it.kind === "volume").map((it) => it.name);
    for (const { name, mountpoint } of (await world.engine.volumes(names)).values()) {
      if (!isExchanging(mountpoint)) continue;
      await this.#stop(world.containers.filter((it) => usesVolume(it, name)), [], world);
      settleExchange(mountpoint);
    }
  }

  async #bringAbout(world: World, decision: Decision): Promise<void> {
    const { engine } = world;
    this.#records ??= await readRecords(this.#stack, this.#context.store);
    await loadImages(engine, this.#stack, decision.missingImages, this.#context);
    this.#changed += decision.missingImages.length;
    for (const change of decision.data) await this.#prepare(change, world);
    await this.#stop([...decision.stop, ...decision.remove], decision.order, world);
    await this.#placeConfig(decision);
    for (const change of decision.data) await this.#putBack(change, world);
    await engine.remove(decision.remove.map((it) => it.id).toReversed());
    this.#removed += decision.remove.filter((it) => !isReplaced(it, decision)).length;
    await this.#make(world, decision);
    await this.#setTags(world, decision);
    await this.#start(world, decision);
  }

  /** Dependents first. What is paused could not end. */
  async #stop(containers: readonly Container[], order: readonly string[], { engine }: World): Promise<void> {
    const alive = inOrder(containers.filter((it) => it.state !== "stopped"), order).toReversed();
    await engine.unpause(alive.filter((it) => it.state === "paused").map((it) => it.id));
    for (const ids of idsByService(alive)) await engine.stop(ids);
  }

  /** Beside what is there, which goes on being used. */
  async #prepare({ saved, path, inPlace }: DataChange, { engine }: World): Promise<void> {
    if (saved.kind !== "volume") return;
    if (path === undefined) {
      await engine.createVolume(saved.name, this.#records!.volumeLabels.get(saved.name) ?? {});
    }
    const volume = await engine.volume(saved.name);
    if (volume === undefined) {
      throw new RollbackBackupError(`The volume ${saved.name} went while it was restored`);
    }
    await assertReadable(engine, volume);
    if (inPlace) return;
    this.#bytes += await fillBeside(volume.mountpoint, saved, this.#target.config.exclude, this.#context);
  }

  async #putBack({ saved, path, inPlace }: DataChange, { engine }: World): Promise<void> {
    const at = saved.kind === "volume" ? (await engine.volume(saved.name))?.mountpoint ?? path! : saved.path;
    if (!inPlace) exchange(at);
    else {
      const place = {
        tree: saved.tree,
        moves: [{ from: saved.path, to: at }],
        exclude: this.#target.config.exclude,
      };
      this.#bytes += (await placeData(place, this.#context)).bytes;
    }
    rememberPutBack(at, saved.fingerprint);
    this.#putBackNames.add(saved.name);
    this.#changed++;
  }

  async #placeConfig({ config }: Decision): Promise<void> {
    const { changed, removed, bytes } = await placeData(config.place, {
      ...this.#context,
      warn: (message) => this.#warnings.add(message),
    });
    this.#changed += changed;
    this.#removed += removed;
    this.#bytes += bytes;
  }

  /** Networks, volumes and containers that are not there. */
  async #make(world: World, { wanted }: Decision): Promise<void> {
    const { engine } = world;
    const missing = wanted.filter((it) => it.now === undefined);
    if (missing.length === 0) return;
    const records = this.#records!;
    for (const network of records.networks) {
      const name = String(network["Name"] ?? network["name"]);
      const isUsed = this.#stack.networks.includes(name) &&
        missing.some(({ container }) => container.networks.includes(name));
      if (isUsed && await engine.network(name) === undefined) await engine.createNetwork(network);
    }
    for (const name of new Set(missing.flatMap((it) => it.service.volumes))) {
      if (await engine.volume(name) !== undefined) continue;
      await engine.createVolume(name, records.volumeLabels.get(name) ?? {});
      this.#warnings.add(`The volume ${name} was gone; it was made anew, without content`);
    }
    for (const { service, container } of missing) {
      const record = records.containers.get(container.id);
      if (record === undefined || nameOfRecord(record) !== container.name) {
        throw new RollbackBackupError(`The snapshot does not say how ${container.name} is made`);
      }
      const isNamed = isTag(service.image);
      if (isNamed) await engine.tag(container.image_id, service.image);
      await engine.create(record, await this.#renewedIds());
      this.#touched.add(service.name);
      this.#changed++;
    }
  }

  /** Ids that saved containers had, and those that they have now. */
  async #renewedIds(): Promise<ReadonlyMap<string, string>> {
    const { containers } = await this.#look();
    return new Map(this.#stack.services.flatMap((service) =>
      service.containers.flatMap(({ id, number }) => {
        const now = containers.find((it) => it.service === service.name && it.number === number);
        return now === undefined ? [] : [[id, now.id] as const];
      })
    ));
  }

  async #setTags({ engine }: World, decision: Decision): Promise<void> {
    const services = new Set(decision.wanted.map((it) => it.service));
    for (const { reference, id, now } of await tagChanges([...services], engine)) {
      if (id === "") await this.#untag(reference, now, engine);
      else await engine.tag(id, reference);
    }
    this.#changed += decision.tags.length;
  }

  /** An image that has no other name, and that nobody uses, would go with its name. */
  async #untag(reference: string, id: string, engine: World["engine"]): Promise<void> {
    const image = await engine.image(id);
    if ((image?.tags.length ?? 0) <= 1) {
      await engine.tag(id, `backout-kept:${id.slice("sha256:".length, 19)}`);
    }
    await engine.untag(reference);
  }

  /** Services one after the other: each works, if it did, before the next one starts. */
  async #start(world: World, decision: Decision): Promise<void> {
    const { engine } = world;
    const wanted = decision.wanted;
    for (const service of new Set(wanted.map((it) => it.service))) {
      const { containers } = await this.#look();
      const own = (state: "running" | "paused") =>
        service.containers.filter((it) => it.state === state).flatMap((it) =>
          containers.filter((now) => now.service === service.name && now.number === it.number)
        );
      const down = [...own("running"), ...own("paused")].filter((it) => it.state === "stopped");
      await engine.unpause(own("running").filter((it) => it.state === "paused").map((it) => it.id));
      await engine.start(down.map((it) => it.id));
      await engine.pause(
        (await this.#again(own("paused"))).filter((it) => it.state === "running").map((it) => it.id),
      );
      if (down.length === 0) continue;
      this.#changed += down.length;
      this.#touched.add(service.name);
      await this.#untilItWorks(service, world);
    }
  }

  async #again(containers: readonly Container[]): Promise<readonly Container[]> {
    const ids = new Set(containers.map((it) => it.id));
    return ids.size === 0 ? [] : (await this.#look()).containers
      .filter((it) => ids.has(it.id));
  }

  async #untilItWorks(service: SavedService, { engine }: World): Promise<void> {
    const look = async () => (await this.#look()).containers;
    const [facts] = servicesOf((await look()).filter((it) => it.service === service.name));
    if (facts === undefined) return;
    const access = accessTo(engine, this.#context);
    for (const known of knownOf(facts, this.#target.config)) await known.afterStart?.(facts, access);
    const expected = service.verdict === "healthy";
    await waitUntilHealthy(service.name, expected, this.#target.config, engine, look, this.#context);
  }

  #end({ project }: World, decision: Decision): Restored {
    return {
      method: "compose_restore",
      changed: this.#changed,
      removed: this.#removed,
      bytes: this.#bytes,
      details: { project: project.name, services: [...this.#touched].sort() },
      warnings: [...warningsOf(decision), ...this.#warnings],
    };
  }
}

function isReplaced(container: Container, { wanted }: Decision): boolean {
  return wanted.some((it) =>
    it.service.name === container.service && it.container.number === container.number
  );
}

function notAsSaved(target: Target, { wanted, tags, data }: Decision): RollbackError {
  const down = wanted.filter(({ now, container }) => now?.state !== container.state).map((it) =>
    it.container.name
  );
  const odd = [...down, ...tags.map((it) => it.reference), ...data.map((it) => it.saved.name)];
  return new RollbackError(`${target.name} does not become what was saved: ${odd.join(", ")}`, {
    hint:
      "Look at what the containers say (docker logs); something else may be changing them at the same time.",
    context: { remaining: odd },
  });
}

/** Removes the contents that a restore kept beside the volumes. */
export async function finish(target: Target, saved: SavedTarget, context: TargetContext): Promise<void> {
  if (!target.config.include_volumes) return;
  const stack = readStack(saved);
  const { engine } = await lookAtStack(target, context, stack);
  for (const { kind, name } of stack.data) {
    const volume = kind === "volume" ? await engine.volume(name) : undefined;
    if (volume !== undefined) dropBeside(volume.mountpoint);
  }
}
