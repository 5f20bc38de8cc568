import { useMemo } from 'react';
import { AuditLogDocument } from '../api/graphql';
import type { Viewer } from '../server/client';
import { useJobEvents } from '../server/events';
import { useList } from '../server/list';
import { FileNames, useFileNames } from '../server/names';
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
import { actionOf, columnsFor, jobOf, repeatedJob } from './columns';
import { ACTIONS, address, filterOf, NO_FILTER, OUTCOMES, variables, wanted as wantedBy } from './wanted';

const NOUN: Noun = ['entry', 'entries'];

/** What was done and tried, by whom, and how it ended. */
export function AuditPage({ viewer }: { viewer: Viewer }) {
  const { wanted, change } = useWanted(wantedBy, address);
  const list = useList(AuditLogDocument, variables(wanted), data => data.auditLog);
  const { soon } = list;
  useJobEvents(type => type !== 'PROGRESS' && soon());
  const names = useFileNames(list.page?.nodes.flatMap(entry => [jobOf(entry) ?? [], repeatedJob(entry.detail) ?? []].flat()) ?? []);
  const columns = useMemo(() => columnsFor(wanted.target !== '', to => address({ ...wanted, ...FIRST, ...to })), [wanted]);

  return (
    <ListPage
      title="Audit log"
      noun={NOUN}
      list={list}
      active={active(wanted, NO_FILTER, 'target')}
      onClearFilters={filterOf(wanted) && (() => change(NO_FILTER))}
      search={<SearchText by="id of a job, prediction or run" wanted={wanted.target} onChange={target => change({ target })} />}
      filters={
        <>
          <Choice label="Action" all="All" multiple choices={ACTIONS} chosen={wanted.action} onChange={action => change({ action })} />
          <Choice label="Outcome" all="All" choices={OUTCOMES} chosen={wanted.outcome} onChange={outcome => change({ outcome })} />
          <ByUser by={wanted.by} viewer={viewer.user} users={list.page?.nodes.map(({ actor }) => actor) ?? []} onChange={by => change({ by })} />
          <Days label="When" from={wanted.from} to={wanted.to} onChange={change} />
        </>
      }
      shapes={['short', 'pill', 'long', 'short', 'long', 'short']}
      forWhom="ORG_ADMIN"
      empty={
        <Empty title="No entries yet">
          <p>What is created, cancelled, held and deleted is written down here, also what was refused.</p>
        </Empty>
      }
    >
      {entries => (
        <FileNames value={names}>
          <ListTable
            label="Audit log"
            className="audit-table"
            columns={columns}
            rows={entries}
            header="action"
            nameOf={actionOf}
            marks={({ targetId }) => ({ 'data-target-id': targetId ?? '' })}
            isBehind={list.isBehind}
          />
        </FileNames>
      )}
    </ListPage>
  );
}
