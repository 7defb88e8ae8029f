/** From what an engine says of a network to the command that makes one like it. */
import { isJsonObject, type JsonObject } from "#/core/json.ts";
import { list, part, text, texts } from "./engine_parse.ts";

export interface NetworkWords {
  readonly name: string;
  readonly words: readonly string[];
  /** Its addresses, as more words. */
  readonly addresses: readonly string[];
}

/** docker writes its keys with capitals, podman does not. */
export function networkWords(record: JsonObject): NetworkWords {
  const labels = Object.entries(texts(record["Labels"] ?? record["labels"]));
  const options = Object.entries(texts(record["Options"] ?? record["options"]));
  const words = [
    "--driver",
    text(record["Driver"]) || text(record["driver"]) || "bridge",
    ...labels.flatMap(([key, value]) => ["--label", `${key}=${value}`]),
    ...options.flatMap(([key, value]) => ["--opt", `${key}=${value}`]),
    ...flagWhen(record["Internal"] ?? record["internal"], "--internal"),
    ...flagWhen(record["EnableIPv6"] ?? record["ipv6_enabled"], "--ipv6"),
    ...flagWhen(record["Attachable"], "--attachable"),
  ];
  const subnets = [...list(part(record, "IPAM")["Config"]), ...list(record["subnets"])];
  const addresses = subnets.filter(isJsonObject).flatMap(subnetWords);
  return { name: text(record["Name"]) || text(record["name"]), words, addresses };
}

function flagWhen(value: unknown, flag: string): readonly string[] {
  return value === true ? [flag] : [];
}

function subnetWords(config: JsonObject): readonly string[] {
  const [subnet, gateway] = [
    text(config["Subnet"]) || text(config["subnet"]),
    text(config["Gateway"]) || text(config["gateway"]),
  ];
  if (subnet === "") return [];
  const range = text(config["IPRange"]);
  return [
    ...["--subnet", subnet],
    ...(range === "" ? [] : ["--ip-range", range]),
    ...(gateway === "" ? [] : ["--gateway", gateway]),
  ];
}
