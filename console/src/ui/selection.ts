// Which rows of a list are selected, over all of its pages, and which are gone though the page has them still.
import { useCallback, useEffect, useMemo, useState } from 'react';
import { type Server, useServer } from '../server/client';
import type { List } from '../server/list';

export interface Selected<Item> {
  readonly selected: ReadonlySet<string>;
  readonly select: (selected: ReadonlySet<string>) => void;
  /** These are gone: they are selected no more, and not shown until the next answer, in which they are not. */
  readonly drop: (ids: readonly string[]) => void;
  /** The list without what is gone. */
  readonly without: (list: List<Item>) => List<Item>;
}

type Ids = ReadonlySet<string>;

const minus = (ids: Ids, gone: readonly string[]): Ids => (gone.some(id => ids.has(id)) ? new Set([...ids].filter(id => !gone.includes(id))) : ids);

/** What is selected of each list by its name: kept while other pages are shown, for as long as the user is the same. */
const kept = new WeakMap<Server, Map<string, Ids>>();

function selectionsOf(server: Server): Map<string, Ids> {
  const found = kept.get(server);
  if (found) return found;
  const made = new Map<string, Ids>();
  kept.set(server, made);
  // Jobs that go while another page is shown are selected no more.
  server.live.heardBy((type, id) => {
    if (type === 'DELETED') made.forEach((ids, list) => made.set(list, minus(ids, [id])));
  });
  return made;
}

/** `list` is the name by which the selection is kept while other pages are shown. */
export function useSelection<Item extends { readonly id: string }>(list: string): Selected<Item> {
  const selections = selectionsOf(useServer());
  const [selected, select] = useState<Ids>(() => selections.get(list) ?? new Set());
  useEffect(() => void selections.set(list, selected), [selections, list, selected]);
  const [gone, setGone] = useState<ReadonlySet<string>>(new Set());
  const drop = useCallback((ids: readonly string[]) => {
    setGone(gone => new Set([...gone, ...ids]));
    select(selected => minus(selected, ids));
  }, []);
  const without = useCallback(
    (list: List<Item>) => {
      const nodes = list.page?.nodes.filter(({ id }) => !gone.has(id));
      if (!list.page || !nodes || nodes.length === list.page.nodes.length) return list;
      const totalCount = list.page.totalCount - (list.page.nodes.length - nodes.length);
      return { ...list, page: { ...list.page, nodes, totalCount } };
    },
    [gone],
  );
  return useMemo(() => ({ selected, select, drop, without }), [selected, drop, without]);
}
