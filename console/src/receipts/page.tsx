import { useEffect, useMemo } from 'react';
import { ReceiptsDocument } from '../api/graphql';
import type { Viewer } from '../server/client';
import { useJobEvents } from '../server/events';
import { useList } from '../server/list';
import { ByUser } from '../ui/by-user';
import { Choice } from '../ui/choice';
import { Days } from '../ui/days';
import { active } from '../ui/filter';
import type { Noun } from '../ui/list';
import { ListPage, useWanted } from '../ui/list-page';
import { FIRST } from '../ui/paging';
import { SearchText } from '../ui/search-text';
import { Empty } from '../ui/states';
import { ListTable } from '../ui/table';
import { columnsFor } from './columns';
import { address, filterOf, NO_FILTER, PURGES, TRIGGERS, variables, wanted as wantedBy } from './wanted';

const NOUN: Noun = ['receipt', 'receipts'];
/** How often a list with files that are still to be removed is looked at again, in milliseconds. */
const PURGE_LOOKS = 5000;

/** What was deleted, by whom and when, and whether its files are gone. */
export function ReceiptsPage({ viewer }: { viewer: Viewer }) {
  const { wanted, change } = useWanted(wantedBy, address);
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
  const columns = useMemo(() => columnsFor(by => address({ ...wanted, ...FIRST, by })), [wanted]);

  return (
    <ListPage
      title="Receipts"
      noun={NOUN}
      list={list}
      active={active(wanted, NO_FILTER)}
      onClearFilters={filterOf(wanted) && (() => change(NO_FILTER))}
      search={<SearchText by="file name or job id" wanted={wanted.search} onChange={search => change({ search })} />}
      filters={
        <>
          <Choice label="Files" all="All" choices={PURGES} chosen={wanted.purge} onChange={purge => change({ purge })} />
          <Choice label="Deleted" all="All" choices={TRIGGERS} chosen={wanted.trigger} onChange={trigger => change({ trigger })} />
          <ByUser by={wanted.by} viewer={viewer.user} users={list.page?.nodes.map(({ deletedBy }) => deletedBy) ?? []} onChange={by => change({ by })} />
          <Days label="When" from={wanted.from} to={wanted.to} onChange={change} />
        </>
      }
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
    </ListPage>
  );
}
