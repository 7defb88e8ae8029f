/** Which service starts before which. Pure. */

/** Names in the order in which they start; what is not known to be needed keeps its place. A circle is cut anywhere. */
export function startOrder(
  names: readonly string[],
  needs: (name: string) => readonly string[],
): readonly string[] {
  const ordered = new Set<string>();
  const onTheWay = new Set<string>();
  const visit = (name: string) => {
    if (ordered.has(name) || onTheWay.has(name)) return;
    onTheWay.add(name);
    for (const needed of needs(name)) if (names.includes(needed)) visit(needed);
    onTheWay.delete(name);
    ordered.add(name);
  };
  for (const name of [...names].sort()) visit(name);
  return [...ordered];
}

/** Containers in the order of their services. */
export function inOrder<T extends { readonly service: string }>(
  containers: readonly T[],
  order: readonly string[],
): readonly T[] {
  const place = (name: string) => order.indexOf(name) < 0 ? order.length : order.indexOf(name);
  return [...containers].sort((a, b) => place(a.service) - place(b.service));
}

/** The ids of each service's containers; services in the order in which they come. */
export function idsByService(
  containers: readonly { readonly id: string; readonly service: string }[],
): readonly (readonly string[])[] {
  return [...Map.groupBy(containers, (it) => it.service).values()].map((own) => own.map((it) => it.id));
}
