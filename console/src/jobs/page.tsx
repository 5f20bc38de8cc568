import { useCallback, useEffect, useMemo, useState } from 'react';
import { Link } from 'react-aria-components';
import type { JobRowFragment } from '../api/graphql';
import { CancelDialog } from '../cancellation/dialog';
import { DeleteDialog } from '../deletion/dialog';
import { go, usePlace } from '../place';
import { useLiveState, type Viewer } from '../server/client';
import { isSignedOut, sentence } from '../server/failure';
import { announce } from '../ui/announce';
import { Button } from '../ui/button';
import { ChevronLeft, ChevronRight, Warning } from '../ui/icons';
import { Empty, Failed } from '../ui/states';
import { counted, number } from '../ui/text';
import { type Actions, ActionsContext } from './actions';
import { Filters, NO_FILTER } from './filters';
import { useJobs } from './list';
import { useKeptPlace } from './kept-place';
import { JobsSkeleton, JobsTable } from './table';
import { address, filterOf, PAGE, variables, type Wanted, wanted as wantedBy } from './wanted';

export function JobsPage({ viewer }: { viewer: Viewer }) {
  const { query } = usePlace();
  const wanted = wantedBy(query);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [gone, setGone] = useState<ReadonlySet<string>>(new Set());
  const drop = useCallback((...ids: readonly string[]) => {
    setGone(gone => new Set([...gone, ...ids]));
    setSelected(selected => (ids.some(id => selected.has(id)) ? new Set([...selected].filter(id => !ids.includes(id))) : selected));
  }, []);
  const { jobs: page, error, isBehind, fetching, soon, retry } = useJobs(variables(wanted, viewer.user.id), drop);
  // What was deleted is not shown until the next answer, in which it is not.
  const nodes = useMemo(() => page?.nodes.filter(({ id }) => !gone.has(id)), [page, gone]);
  const jobs = page && nodes && { ...page, nodes, totalCount: page.totalCount - (page.nodes.length - nodes.length) };

  const [deleting, setDeleting] = useState<readonly string[] | undefined>(undefined);
  const [cancelling, setCancelling] = useState<JobRowFragment | undefined>(undefined);
  const keepPlace = useKeptPlace(deleting !== undefined || cancelling !== undefined);
  const close = useCallback(() => {
    setDeleting(undefined);
    setCancelling(undefined);
  }, []);
  const onGone = useCallback(
    (ids: readonly string[]) => {
      drop(...ids);
      soon();
    },
    [drop, soon],
  );
  const actions = useMemo<Actions>(() => ({
    onCancel: job => {
      keepPlace(job.id);
      setCancelling(job);
    },
    onDelete: job => {
      keepPlace(job.id);
      setDeleting([job.id]);
    },
  }), [keepPlace]);

  const { standing } = useLiveState();

  useEffect(() => {
    document.title = 'Jobs · Joblink';
  }, []);

  /** Other jobs or another order: from the first page on. */
  const change = (change: Partial<Wanted>) =>
    go(address({ ...wanted, ...change, after: null, before: null, at: 0 }), true);
  const turn = (page: Partial<Wanted>) => go(address({ ...wanted, after: null, before: null, at: 0, ...page }));

  const filtered = filterOf(wanted, viewer.user.id) !== undefined;
  const count = jobs?.nodes.length ?? 0;
  const read = page?.nodes.length ?? 0;
  const total = jobs?.totalCount ?? 0;
  const hasPrevious = wanted.at > 0;
  const hasNext = wanted.at + count < total;
  const hasPages = hasPrevious || hasNext;
  const nowhere = !fetching && !error && page !== undefined && wanted.at > 0 && (read === 0 || wanted.at >= page.totalCount);
  useEffect(() => {
    // The list is shorter than it was when this page was turned to.
    if (nowhere) go(address({ ...wanted, after: null, before: null, at: 0 }), true);
  });
  const settled = jobs !== undefined && !isBehind && !fetching;
  useEffect(() => {
    if (settled) announce(total === 0 ? 'No jobs' : counted(total, 'job'));
  }, [settled, total]);

  return (
    <div className="page">
      <div className="page-head">
        <h1>Jobs</h1>
        {jobs && <span className="page-count">{counted(total, 'job')}</span>}
      </div>
      <Filters wanted={wanted} filtered={filtered} onChange={change} />
      {selected.size > 0 && (
        <div className="selection" role="group" aria-label="Selected jobs">
          <strong>{counted(selected.size, 'job')} selected</strong>
          <Button look="quiet" onPress={() => setSelected(new Set())}>
            Clear selection
          </Button>
          <Button
            look="danger"
            onPress={() => {
              keepPlace([...selected][0] ?? '');
              setDeleting([...selected]);
            }}
          >
            Delete Selected Jobs
          </Button>
        </div>
      )}
      {jobs && error && !isSignedOut(error) && standing !== 'lost' && (
        <div className="notice" role="alert">
          <Warning />
          <span>The list could not be refreshed. {sentence(error)}</span>
          <Button look="quiet" onPress={retry}>
            Retry
          </Button>
        </div>
      )}
      {jobs === undefined ? (
        error ? (
          <Failed title="The jobs could not be loaded" reason={sentence(error)} onRetry={retry} />
        ) : (
          <JobsSkeleton />
        )
      ) : count === 0 ? (
        filtered ? (
          <Empty title="No job matches">
            <p>Other words, or fewer filters, may find what you are looking for.</p>
            <Button onPress={() => change(NO_FILTER)}>Clear filters</Button>
          </Empty>
        ) : (
          <Empty title="No jobs yet">
            <p>A job is made of a file with company figures. It appears here at once.</p>
            <Link className="button primary" href="/console/upload">
              Upload a file
            </Link>
          </Empty>
        )
      ) : (
        <>
          <ActionsContext value={actions}>
            <JobsTable
              jobs={jobs.nodes}
              sort={wanted.sort}
              onSort={sort => change({ sort })}
              selected={selected}
              onSelect={setSelected}
              isBehind={isBehind}
            />
          </ActionsContext>
          <nav className="pages" aria-label="Pages">
            <span className="pages-text">
              {number(wanted.at + 1)}–{number(wanted.at + count)} of {number(total)}
            </span>
            {hasPages && (
              <>
                <Button
                  isDisabled={!hasPrevious}
                  aria-label="Previous page"
                  onPress={() =>
                    turn(wanted.at <= PAGE ? {} : { before: jobs.pageInfo.startCursor ?? null, at: wanted.at - PAGE })
                  }
                >
                  <ChevronLeft />
                  Previous
                </Button>
                <Button
                  isDisabled={!hasNext}
                  aria-label="Next page"
                  onPress={() => turn({ after: jobs.pageInfo.endCursor ?? null, at: wanted.at + count })}
                >
                  Next
                  <ChevronRight />
                </Button>
              </>
            )}
          </nav>
        </>
      )}
      {deleting && <DeleteDialog ids={deleting} onGone={onGone} onClose={close} />}
      {cancelling && <CancelDialog job={cancelling} onClose={close} />}
    </div>
  );
}
