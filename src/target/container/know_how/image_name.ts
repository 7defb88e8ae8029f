/** The name of an image without where it is from and which of it: `library/redis:7@sha256:…` → `redis`. */
export function imageName(reference: string): string {
  const withoutDigest = reference.split("@")[0]!;
  const last = withoutDigest.slice(withoutDigest.lastIndexOf("/") + 1);
  return last.split(":")[0]!.toLowerCase();
}
