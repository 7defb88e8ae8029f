/** One request to a docker-like engine over `docker system dial-stdio`, which connects wherever the client would. */
import { Buffer } from "node:buffer";
import { isJsonObject, type JsonObject } from "#/core/json.ts";
import { lastLines } from "#/core/child_output.ts";
import { type ProgramRequest, runProgram } from "../run_program.ts";
import { answerError, engineErrorOf } from "./engine_error.ts";
import { text } from "./engine_parse.ts";

export interface EngineCall {
  readonly method: string;
  readonly path: string;
  readonly body: JsonObject;
}

/**
 * @returns the answer, an empty object where it has no body
 * @throws {EngineError} the engine refuses, in its own words
 */
export async function callEngine(
  call: EngineCall,
  doing: string,
  request: ProgramRequest,
): Promise<JsonObject> {
  const body = Buffer.from(JSON.stringify(call.body));
  const head = [
    `${call.method} ${call.path} HTTP/1.1`,
    "Host: engine",
    "Connection: close",
    "Content-Type: application/json",
    `Content-Length: ${body.length}`,
  ];
  const stdin = Buffer.concat([Buffer.from(head.join("\r\n") + "\r\n\r\n"), body]);
  const { stdout } = await runProgram({ ...request, args: ["system", "dial-stdio"], stdin }).catch(
    (error) => {
      throw answerError(error);
    },
  );
  const answer = readAnswer(Buffer.from(stdout));
  if (answer.status >= 200 && answer.status < 300) return answer.body;
  const said = lastLines(text(answer.body["message"])) || `it answered ${answer.status}`;
  throw engineErrorOf(`Cannot ${doing}: ${said}`, said, request.program, undefined);
}

/** The connection is closed after it, so what follows the head is the body, in chunks or whole. */
function readAnswer(bytes: Buffer): { readonly status: number; readonly body: JsonObject } {
  const end = bytes.indexOf("\r\n\r\n");
  const head = bytes.subarray(0, Math.max(end, 0)).toString("latin1");
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1] ?? 0);
  const rest = bytes.subarray(end + 4);
  const whole = /^transfer-encoding:.*chunked/im.test(head) ? unchunk(rest) : rest;
  try {
    const value: unknown = JSON.parse(whole.toString("utf8"));
    return { status, body: isJsonObject(value) ? value : {} };
  } catch {
    return { status, body: {} };
  }
}

function unchunk(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0;;) {
    const line = bytes.indexOf("\r\n", at);
    const size = line < 0 ? 0 : Number.parseInt(bytes.subarray(at, line).toString("latin1"), 16);
    if (!(size > 0)) return Buffer.concat(parts);
    parts.push(bytes.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
}
