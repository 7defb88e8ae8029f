/** What an HTTP request asks of an object storage, told from its first line, for S3 and GCS alike. */

export type RequestKind =
  | "head"
  | "get"
  | "list"
  | "put"
  | "copy"
  | "remove"
  /** Begins, ends or gives up an upload in parts (S3), or is a step of a resumable one (GCS). */
  | "upload"
  /** One part of an upload (S3). */
  | "part"
  | "bucket"
  | "other";

export function kindOf(method: string, path: string, headers: Headers): RequestKind {
  const url = new URL(path, "http://localhost");
  return isGcs(path) ? gcsKind(method, url) : s3Kind(method, url, headers);
}

/** The error that the service would answer with. */
export function refusalBody(
  path: string,
  status: number,
  code = status === 503 ? "SlowDown" : "InternalError",
): { readonly type: string; readonly body: string } {
  if (isGcs(path)) {
    const errors = [{ domain: "global", reason: status === 503 ? "backendError" : code, message: code }];
    return {
      type: "application/json",
      body: JSON.stringify({ error: { code: status, message: code, errors } }),
    };
  }
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${code}</Message>` +
    "<RequestId>proxy</RequestId></Error>";
  return { type: "application/xml", body };
}

function isGcs(path: string): boolean {
  return /^\/(?:upload\/|download\/|resumable\/|batch\/)?storage\/v1\b/.test(path) ||
    path.startsWith("/batch");
}

function gcsKind(method: string, url: URL): RequestKind {
  const { pathname, searchParams } = url;
  if (pathname.startsWith("/batch")) return "remove";
  if (searchParams.get("uploadType") === "resumable") return "upload";
  if (pathname.startsWith("/upload/")) return "put";
  if (/\/(?:rewriteTo|copyTo|compose)\b/.test(pathname)) return "copy";
  if (/\/o\/[^/]+$/.test(pathname)) {
    if (method === "DELETE") return "remove";
    if (method !== "GET") return "other";
    return searchParams.get("alt") === "media" ? "get" : "head";
  }
  if (/\/o\/?$/.test(pathname)) return method === "GET" ? "list" : "other";
  return /\/b\/[^/]+$/.test(pathname) ? "bucket" : "other";
}

function s3Kind(method: string, url: URL, headers: Headers): RequestKind {
  const { pathname, searchParams } = url;
  const isBucket = !/^\/[^/]+\/./.test(pathname);
  if (isBucket) return s3BucketKind(method, searchParams);
  if (searchParams.has("partNumber")) return headers.has("x-amz-copy-source") ? "copy" : "part";
  if (searchParams.has("uploads") || searchParams.has("uploadId")) return "upload";
  if (method === "PUT") return headers.has("x-amz-copy-source") ? "copy" : "put";
  if (method === "DELETE") return "remove";
  if (method === "HEAD") return "head";
  return method === "GET" ? "get" : "other";
}

function s3BucketKind(method: string, query: URLSearchParams): RequestKind {
  if (method === "POST" && query.has("delete")) return "remove";
  if (method === "GET" && ["list-type", "versions", "prefix"].some((name) => query.has(name))) return "list";
  return "bucket";
}
