// Which rows of a list are selected, over all of its pages, and which are gone though the page has them still.
import { useCallback, useMemo, useState } from 'react';
import type { List } from '../server/list';

export interface Selected<Item> {
  readonly selected: ReadonlySet<string>;
  readonly select: (selected: ReadonlySet<string>) => void;
  /** These are gone: they are selected no more, and not shown until the next answer, in which they are not. */
  readonly drop: (ids: readonly string[]) => void;
  /** The list without what is gone. */
  readonly without: (list: List<Item>) => List<Item>;
}

export function useSelection<Item extends { readonly id: string }>(): Selected<Item> {
  const [selected, select] = useState<ReadonlySet<string>>(new Set());
  const [gone, setGone] = useState<ReadonlySet<string>>(new Set());
  const drop = useCallback((ids: readonly string[]) => {
    setGone(gone => new Set([...gone, ...ids]));
    select(selected => (ids.some(id => selected.has(id)) ? new Set([...selected].filter(id => !ids.includes(id))) : selected));
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
