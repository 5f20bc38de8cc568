// The pages whose list can be narrowed: what is wanted of it stands in the address, and they look and behave alike.
import { useMemo } from 'react';
import { go, usePlace } from '../place';
import { FilterBar } from './filter-bar';
import { isRefused, ListBody, ListHead, type ListProps } from './list';
import { FIRST, type Paging } from './paging';
import { useTitle } from './title';

/** What is wanted of a list, as `read` finds it in the address, and how to want something else. */
export function useWanted<Wanted extends Paging>(read: (query: URLSearchParams) => Wanted, address: (wanted: Wanted) => string) {
  const { query } = usePlace();
  const wanted = useMemo(() => read(query), [read, query]);
  /** Other rows, or another order: from the first page on. */
  const change = (change: Partial<Wanted>) => go(address({ ...wanted, ...change, ...FIRST }), true);
  return { wanted, change };
}

interface Props<Item> extends ListProps<Item> {
  title: string;
  /** The field that the list is searched by. */
  search?: React.ReactNode;
  /** The other filters, and how many of them are set. */
  filters: React.ReactNode;
  active: number;
  /** How the list is ordered where its columns have no heads. */
  order?: React.ReactNode;
  /** What stands above the filters, and what above the list. */
  above?: React.ReactNode;
  notice?: React.ReactNode;
}

/** A page of a list that can be narrowed: its title and count, its filters, and the list. */
export function ListPage<Item>({ title, search, filters, active, order, above, notice, ...rest }: Props<Item>) {
  const { list, noun, onClearFilters } = rest;
  useTitle(title);
  return (
    <div className="page">
      <ListHead title={title} noun={noun} total={list.page?.totalCount} />
      {above}
      {!isRefused(list) && (
        <FilterBar search={search} active={active} order={order} onClear={onClearFilters}>
          {filters}
        </FilterBar>
      )}
      {notice}
      <ListBody {...rest} />
    </div>
  );
}
