/** `--events`: what happens, as it happens, one JSON document per line. */
import type { OperationEvent } from "#/report/model.ts";

/** A listener for operations that writes each event as one line of JSON. */
export function createEventWriter(write: (line: string) => void): (event: OperationEvent) => void {
  return (event) => write(JSON.stringify(event) + "\n");
}
