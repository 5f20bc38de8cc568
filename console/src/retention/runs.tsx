import { useCallback, useEffect } from 'react';
import { Link } from 'react-aria-components';
import { useQuery } from 'urql';
import {
  RetentionRunDocument,
  RetentionRunItemsDocument,
  type RetentionRunQuery,
  type RetentionRunRowFragment,
  RetentionRunsDocument,
} from '../api/graphql';
import { usePlace } from '../place';
import { useAgain } from '../server/again';
import { sentence } from '../server/failure';
import { useList } from '../server/list';
import { isRefused, ListBody, type Noun } from '../ui/list';
import { pageArguments, paging } from '../ui/paging';
import { Empty, Failed } from '../ui/states';
import { columnsOf, ListSkeleton, ListTable } from '../ui/table';
import { exactly, number, size, took } from '../ui/text';
import { Time } from '../ui/time';
import { useTitle } from '../ui/title';
import { useRun } from './follow';
import { RetentionHead } from './head';
import { ItemsTable } from './items';
import { Policy } from './policy';
import { RunProgress } from './run-dialog';
import { TRIGGERS } from './words';

const RUNS: Noun = ['run', 'runs'];
const JOBS: Noun = ['job', 'jobs'];

const { accessor, columns: listed } = columnsOf<RetentionRunRowFragment>();

/** Who began a run, or what did. */
const startedBy = ({ trigger, by }: RetentionRunRowFragment): string =>
  !by ? TRIGGERS[trigger] : trigger === 'REQUEST' ? by.name : `${by.name} (${TRIGGERS[trigger].toLowerCase()})`;

const columns = listed([
  accessor('startedAt', {
    id: 'began',
    header: 'Began',
    cell: ({ row: { original: run } }) => (
      <Link href={`/console/retention/runs/${run.id}`}>
        <Time at={run.startedAt} />
      </Link>
    ),
  }),
  accessor('finishedAt', {
    id: 'status',
    header: 'Took',
    cell: ({ row: { original: run } }) =>
      run.finishedAt ? took(run.startedAt, run.finishedAt) : <span className="badge running">Under way</span>,
  }),
  accessor('trigger', { id: 'trigger', header: 'Started by', cell: ({ row }) => startedBy(row.original) }),
  accessor('cleaned', { id: 'cleaned', header: 'Cleaned', cell: ({ getValue }) => number(getValue()) }),
  accessor('deleted', { id: 'deleted', header: 'Deleted', cell: ({ getValue }) => number(getValue()) }),
  accessor('failed', {
    id: 'failed',
    header: 'Failed',
    cell: ({ getValue }) => (getValue() ? <span className="progress-failed">{number(getValue())}</span> : '0'),
  }),
  accessor('bytesFreed', { id: 'freed', header: 'Freed', cell: ({ getValue }) => size(getValue()) }),
]);

/** The runs there were, the newest first. */
export function RetentionRunsPage() {
  const { query } = usePlace();
  const page = paging(query);
  const list = useList(RetentionRunsDocument, pageArguments(page), data => data.retentionRuns);
  useTitle('Past runs of retention');
  // The newest may go on; the list says how far it is.
  useRun(page.at === 0 ? list.page?.nodes[0] : undefined);
  return (
    <div className="page">
      <RetentionHead isRefused={isRefused(list)} />
      <ListBody
        noun={RUNS}
        list={list}
        forWhom="OPERATOR"
        shapes={['long', 'short', 'short', 'short', 'short']}
        empty={
          <Empty title="No run yet">
            <p>Runs are started here, by the command line, or by the server’s schedule.</p>
            <Link className="button primary" href="/console/retention">
              Show What Is Due
            </Link>
          </Empty>
        }
      >
        {runs => (
          <ListTable
            label="Runs"
            className="runs-table"
            columns={columns}
            rows={runs}
            header="began"
            nameOf={run => exactly(run.startedAt)}
            isBehind={list.isBehind}
          />
        )}
      </ListBody>
    </div>
  );
}

type Shown = Extract<NonNullable<RetentionRunQuery['node']>, { __typename: 'RetentionRun' }>;

function RunFacts({ run }: { run: Shown }) {
  return (
    <dl className="sums">
      <div>
        <dt>Began</dt>
        <dd>{exactly(run.startedAt)}</dd>
      </div>
      <div>
        <dt>Started by</dt>
        <dd>{startedBy(run)}</dd>
      </div>
      {run.finishedAt ? (
        <div>
          <dt>Took</dt>
          <dd>{took(run.startedAt, run.finishedAt)}</dd>
        </div>
      ) : (
        <div>
          <dt>Progress</dt>
          <dd>
            <RunProgress run={run} />
          </dd>
        </div>
      )}
      <div>
        <dt>Cleaned</dt>
        <dd>{number(run.cleaned)}</dd>
      </div>
      <div>
        <dt>Deleted</dt>
        <dd>{number(run.deleted)}</dd>
      </div>
      <div>
        <dt>Failed</dt>
        <dd>{run.failed ? <span className="progress-failed">{number(run.failed)}; the next run tries again</span> : 0}</dd>
      </div>
      <div>
        <dt>Freed</dt>
        <dd>{size(run.bytesFreed)}</dd>
      </div>
    </dl>
  );
}

/** What one run did to each job. */
export function RetentionRunPage({ id }: { id: string }) {
  const { query } = usePlace();
  const page = paging(query);
  const [{ data, error, fetching }, ask] = useQuery({ query: RetentionRunDocument, variables: { id }, requestPolicy: 'cache-and-network' });
  const shown = data?.node?.__typename === 'RetentionRun' ? data.node : undefined;
  const { problem } = useRun(shown);
  const again = useCallback(() => ask({ requestPolicy: 'network-only' }), [ask]);
  useAgain(error, again);
  const list = useList(RetentionRunItemsDocument, { id, ...pageArguments(page) }, data =>
    data.node?.__typename === 'RetentionRun' ? data.node.items : undefined,
  );
  const { soon } = list;
  const done = shown ? shown.cleaned + shown.deleted + shown.failed : 0;
  useEffect(() => {
    if (done) soon();
  }, [done, soon]);
  useTitle('A run of retention');

  if (!shown) {
    return (
      <div className="page">
        <RetentionHead />
        {error ? (
          <Failed title="The run could not be loaded" reason={sentence(error)} onRetry={again} />
        ) : fetching ? (
          <ListSkeleton of="run" />
        ) : (
          <Empty title="No such run">
            <p>There is no run of retention by this id, or you do not have access to it: only operators do.</p>
            <Link className="button primary" href="/console/retention/runs">
              Show Past Runs
            </Link>
          </Empty>
        )}
      </div>
    );
  }
  return (
    <div className="page">
      <RetentionHead />
      <section aria-labelledby="run">
        <div className="section-head">
          <h2 id="run">{shown.finishedAt ? 'A run' : 'A run under way'}</h2>
        </div>
        <RunFacts run={shown} />
        {problem && (
          <p className="problem" role="alert">
            {problem}
          </p>
        )}
      </section>
      <section aria-labelledby="rules">
        <div className="section-head">
          <h2 id="rules">By these rules</h2>
        </div>
        <Policy rules={shown.policy} />
      </section>
      <section aria-labelledby="jobs">
        <div className="section-head">
          <h2 id="jobs">What it did</h2>
        </div>
        <ListBody
          noun={JOBS}
          list={list}
          empty={
            <Empty title={shown.finishedAt ? 'Nothing was due' : 'Nothing was done yet'}>
              <p>{shown.finishedAt ? 'The run found no job that was due.' : 'Jobs appear here as they are dealt with.'}</p>
            </Empty>
          }
        >
          {items => <ItemsTable items={items} rules={shown.policy} isDone isBehind={list.isBehind} />}
        </ListBody>
      </section>
    </div>
  );
}
