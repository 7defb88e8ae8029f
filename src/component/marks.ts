/** What people say of a component's versions: `.meta/marks.yaml`, to be shared with the meta repository. */
import { Document, isMap } from "yaml";
import { join } from "node:path";
import { isJsonObject, type JsonObject } from "#/core/json.ts";
import * as posix from "#/core/posix.ts";
import { parseToEdit, parseYaml, readText, textField, yamlText } from "./document.ts";

export const MARKS_PATH = ".meta/marks.yaml";
const WHAT = "list of marks";

export interface Mark {
  readonly component: string;
  readonly version: string;
  readonly commit: string;
  readonly mark: "good" | "bad";
  readonly reason: string;
  readonly by: string;
  /** RFC 3339. */
  readonly at: string;
}

/** Newest first. Empty where nothing was marked. @throws {RollbackManifestError} 48 */
export function readMarks(root: string, component: string): readonly Mark[] {
  const path = join(root, MARKS_PATH);
  if (posix.lstat(path) === undefined) return [];
  const { value } = parseYaml(readText(path, WHAT, ""), path, WHAT);
  const all = isJsonObject(value["marks"]) ? value["marks"] : {};
  const block = Object.hasOwn(all, component) ? all[component] : undefined;
  if (!isJsonObject(block)) return [];
  const marks = Object.entries(block).flatMap(([version, fields]) => {
    const mark = isJsonObject(fields) ? markOf(component, version, fields) : undefined;
    return mark === undefined ? [] : [mark];
  });
  return marks.toSorted((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0));
}

function markOf(component: string, version: string, fields: JsonObject): Mark | undefined {
  const mark = textField(fields, "mark");
  const commit = textField(fields, "commit");
  if ((mark !== "good" && mark !== "bad") || commit === undefined) return undefined;
  const text = (name: string) => textField(fields, name) ?? "";
  return { component, version, commit, mark, reason: text("reason"), by: text("by"), at: text("at") };
}

/** The document with one more mark, or without it. @param text undefined: there is none yet */
export function withMark(
  text: string | undefined,
  path: string,
  mark: Mark | Pick<Mark, "component" | "version">,
): string {
  const document = text === undefined ? new Document({ marks: {} }) : parseToEdit(text, path, WHAT).document;
  const at = ["marks", mark.component, mark.version];
  if (!("mark" in mark)) {
    document.deleteIn(at);
    return yamlText(document);
  }
  if (!isMap(document.getIn(["marks"], true))) document.setIn(["marks"], document.createNode({}));
  const { commit, mark: said, reason, by, at: time } = mark;
  document.setIn(
    at,
    document.createNode({ mark: said, commit, at: time, by, ...(reason === "" ? {} : { reason }) }),
  );
  return yamlText(document);
}
