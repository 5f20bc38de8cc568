/** A page of a list. */
interface Page<T> {
  readonly nodes: readonly T[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}

/** The largest page that the server gives, and the most ids that it takes at a time. */
export const LARGEST = 100;

/** All items of a list; each page is fetched when it is reached. */
export async function* items<T>(
  fetchPage: (first: number, after: string | null) => Promise<Page<T>>,
  pageSize: number,
): AsyncGenerator<T, void, undefined> {
  for (let after: string | null = null; ; ) {
    const { nodes, pageInfo } = await fetchPage(pageSize, after);
    yield* nodes;
    if (!pageInfo.hasNextPage) return;
    after = pageInfo.endCursor;
  }
}

/** Ids without repetitions, as many at a time as the server takes. */
export function portions(ids: Iterable<string>): string[][] {
  const all = [...new Set(ids)];
  return Array.from({ length: Math.ceil(all.length / LARGEST) }, (_, page) => all.slice(page * LARGEST, (page + 1) * LARGEST));
}
