import { useEffect, useMemo } from 'react';
import { ReceiptsDocument } from '../api/graphql';
import { go, usePlace } from '../place';
import type { Viewer } from '../server/client';
import { useJobEvents } from '../server/events';
import { useList } from '../server/list';
import { ByUser } from '../ui/by-user';
import { Choice } from '../ui/choice';
import { Days } from '../ui/days';
import { active } from '../ui/filter';
import { FilterBar } from '../ui/filter-bar';
import { ListBody, ListHead, type Noun } from '../ui/list';
import { FIRST } from '../ui/paging';
import { SearchText } from '../ui/search-text';
import { Empty } from '../ui/states';
import { ListTable } from '../ui/table';
import { columnsFor } from './columns';
import { address, filterOf, NO_FILTER, PURGES, TRIGGERS, variables, type Wanted, wanted as wantedBy } from './wanted';

const NOUN: Noun = ['receipt', 'receipts'];
/** How often a list with files that are still to be removed is looked at again, in milliseconds. */
const PURGE_LOOKS = 5000;

/** What was deleted, by whom and when, and whether its files are gone. */
export function ReceiptsPage({ viewer }: { viewer: Viewer }) {
  const { query } = usePlace();
  const wanted = useMemo(() => wantedBy(query), [query]);
  const list = useList(ReceiptsDocument, variables(wanted), data => data.deletionReceipts);
  const { soon } = list;
  useJobEvents(type => type === 'DELETED' && soon());
  // Nothing tells when the files of a deleted job are gone.
  const purging = list.page?.nodes.some(({ artifacts }) => artifacts.pending > 0) ?? false;
  useEffect(() => {
    if (!purging) return;
    const looks = window.setInterval(soon, PURGE_LOOKS);
    return () => window.clearInterval(looks);
  }, [purging, soon]);
  useEffect(() => {
    document.title = 'Receipts · Joblink';
  }, []);

  /** Other receipts: from the first page on. */
  const change = (change: Partial<Wanted>) => go(address({ ...wanted, ...change, ...FIRST }), true);
  const filtered = filterOf(wanted) !== undefined;
  const columns = useMemo(() => columnsFor(by => address({ ...wanted, ...FIRST, by })), [wanted]);

  return (
    <div className="page">
      <ListHead title="Receipts" noun={NOUN} total={list.page?.totalCount} />
      <FilterBar
        active={active(wanted, NO_FILTER)}
        onClear={filtered ? () => change(NO_FILTER) : undefined}
        search={
          <SearchText
            label="Search by file name or job id"
            placeholder="File name or job id"
            wanted={wanted.search}
            onChange={search => change({ search })}
          />
        }
      >
        <Choice label="Files" all="All" choices={PURGES} chosen={wanted.purge} onChange={purge => change({ purge })} />
        <Choice label="Deleted" all="All" choices={TRIGGERS} chosen={wanted.trigger} onChange={trigger => change({ trigger })} />
        <ByUser by={wanted.by} viewer={viewer.user} users={list.page?.nodes.map(({ deletedBy }) => deletedBy) ?? []} onChange={by => change({ by })} />
        <Days label="When" from={wanted.from} to={wanted.to} onChange={change} />
      </FilterBar>
      <ListBody
        noun={NOUN}
        list={list}
        paging={wanted}
        onTurn={(paging, replace) => go(address({ ...wanted, ...paging }), replace)}
        onClearFilters={filtered ? () => change(NO_FILTER) : undefined}
        shapes={['long', 'pill', 'short', 'short', 'short']}
        empty={
          <Empty title="No receipts yet">
            <p>A job that is deleted leaves a receipt, which stays for good: what went, by whom, and whether its files are gone.</p>
          </Empty>
        }
      >
        {receipts => (
          <ListTable
            label="Receipts"
            className="receipts-table"
            columns={columns}
            rows={receipts}
            header="file"
            nameOf={({ fileName }) => fileName}
            marks={({ jobId }) => ({ 'data-receipt-of': jobId })}
            isBehind={list.isBehind}
          />
        )}
      </ListBody>
    </div>
  );
}
