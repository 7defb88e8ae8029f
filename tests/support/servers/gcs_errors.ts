/** Failures as Google's JSON API words them. */

/** Thrown by a handler; becomes the reply. */
export class GcsFault extends Error {
  constructor(
    readonly status: number,
    readonly reason: string,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

export const badRequest = (message: string, reason = "invalid"): GcsFault =>
  new GcsFault(400, reason, message);

export const noSuchObject = (bucket: string, name: string): GcsFault =>
  new GcsFault(404, "notFound", `No such object: ${bucket}/${name}`);

export const noSuchBucket = (): GcsFault =>
  new GcsFault(404, "notFound", "The specified bucket does not exist.");

export const conditionNotMet = (): GcsFault =>
  new GcsFault(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.");

/** The reply to a failed request: JSON, or the bare sentence where a download failed. */
export function faultResponse(fault: GcsFault, plain = false): Response {
  if (fault.status === 304) return new Response(null, { status: 304 });
  if (plain) {
    return new Response(fault.message, {
      status: fault.status,
      headers: { "content-type": "text/html; charset=UTF-8", ...fault.headers },
    });
  }
  const detail = { message: fault.message, domain: "global", reason: fault.reason };
  const located = fault.status === 412 ? { ...detail, locationType: "header", location: "If-Match" } : detail;
  return Response.json(
    { error: { code: fault.status, message: fault.message, errors: [located] } },
    {
      status: fault.status,
      headers: { "content-type": "application/json; charset=UTF-8", ...fault.headers },
    },
  );
}
