import { useCallback, useMemo, useState } from 'react';
import { Link } from 'react-aria-components';
import type { JobRowFragment } from '../api/graphql';
import { CancelDialog } from '../cancellation/dialog';
import { DeleteDialog } from '../deletion/dialog';
import { useRetry } from '../job/retry';
import type { Viewer } from '../server/client';
import { Choice } from '../ui/choice';
import { active } from '../ui/filter';
import { useKeptPlace } from '../ui/kept-place';
import { type Noun, SelectionBar } from '../ui/list';
import { ListPage, useWanted } from '../ui/list-page';
import { SearchText } from '../ui/search-text';
import { useSelection } from '../ui/selection';
import { Empty, Notice } from '../ui/states';
import { ListTable, type Sort } from '../ui/table';
import { type Actions, ActionsContext } from './actions';
import { columns, FIELDS } from './columns';
import { Filters } from './filters';
import { useJobs } from './list';
import { address, filterOf, NO_FILTER, orderOf, ORDERS, sortOf, variables, wanted as wantedBy } from './wanted';

const NOUN: Noun = ['job', 'jobs'];

/** The column that the list is sorted by. */
function sortBy(sort: string): Sort {
  const { field, direction } = orderOf(sort);
  return { by: Object.keys(FIELDS).find(id => FIELDS[id] === field) ?? 'created', ascending: direction === 'ASC' };
}

export function JobsPage({ viewer }: { viewer: Viewer }) {
  const { wanted, change } = useWanted(wantedBy, address);
  const { selected, select, drop, without } = useSelection<JobRowFragment>('jobs');
  const dropOne = useCallback((id: string) => drop([id]), [drop]);
  const list = without(useJobs(variables(wanted, viewer.user.id), dropOne));
  const { soon } = list;

  const { retry: runAgain, problem, forget, isAsking: isRetrying, dialog: retrying } = useRetry();
  const [deleting, setDeleting] = useState<readonly string[] | undefined>(undefined);
  const [cancelling, setCancelling] = useState<JobRowFragment | undefined>(undefined);
  const keepPlace = useKeptPlace(deleting !== undefined || cancelling !== undefined || isRetrying);
  const close = useCallback(() => {
    setDeleting(undefined);
    setCancelling(undefined);
  }, []);
  const onGone = useCallback(
    (ids: readonly string[]) => {
      drop(ids);
      soon();
    },
    [drop, soon],
  );
  const askToDelete = useCallback(
    (ids: readonly string[]) => {
      keepPlace(ids[0] ?? '');
      setDeleting(ids);
    },
    [keepPlace],
  );
  const actions = useMemo<Actions>(() => ({
    onCancel: job => {
      keepPlace(job.id);
      setCancelling(job);
    },
    onDelete: job => askToDelete([job.id]),
    onRetry: job => {
      keepPlace(job.id);
      runAgain(job);
    },
  }), [askToDelete, keepPlace, runAgain]);

  return (
    <>
      <ListPage
        title="Jobs"
        noun={NOUN}
        list={list}
        active={active(wanted, NO_FILTER)}
        onClearFilters={filterOf(wanted, viewer.user.id) && (() => change(NO_FILTER))}
        search={<SearchText by="file name or job id" wanted={wanted.search} onChange={search => change({ search })} />}
        filters={<Filters wanted={wanted} onChange={change} />}
        order={<Choice label="Sort" all="" required choices={ORDERS} chosen={[wanted.sort]} onChange={([sort]) => change({ sort })} />}
        notice={problem && <Notice said={`The file was not run again. ${problem}`} does="Close" onPress={forget} />}
        selection={<SelectionBar noun={NOUN} selected={selected} onClear={() => select(new Set())} onDelete={askToDelete} />}
        shapes={['box', 'long', 'pill', 'short', 'bar', 'short', 'short']}
        empty={
          <Empty title="No jobs yet">
            <p>A job is made of a file with company figures. It appears here at once.</p>
            <Link className="button primary" href="/console/upload">
              Upload a File
            </Link>
          </Empty>
        }
      >
        {jobs => (
          <ActionsContext value={actions}>
            <ListTable
              label="Jobs"
              className="jobs-table"
              columns={columns}
              rows={jobs}
              header="file"
              nameOf={job => job.fileName}
              marks={job => ({ 'data-job-id': job.id })}
              sort={sortBy(wanted.sort)}
              onSort={({ by, ascending }) => {
                const field = FIELDS[by];
                if (field) change({ sort: sortOf(field, ascending) });
              }}
              selected={selected}
              onSelect={select}
              isBehind={list.isBehind}
            />
          </ActionsContext>
        )}
      </ListPage>
      {deleting && <DeleteDialog ids={deleting} onGone={onGone} onClose={close} />}
      {retrying}
      {cancelling && <CancelDialog job={cancelling} onClose={close} />}
    </>
  );
}
