import { Link } from 'react-aria-components';
import { type BackfillRunRowFragment, BackfillRunsDocument } from '../api/graphql';
import { usePlace } from '../place';
import { useList } from '../server/list';
import { isRefused, ListBody, ListHead, type Noun } from '../ui/list';
import { pageArguments, paging } from '../ui/paging';
import { Empty } from '../ui/states';
import { columnsOf, ListTable } from '../ui/table';
import { exactly, number, took } from '../ui/text';
import { Time } from '../ui/time';
import { useTitle } from '../ui/title';
import { useWatchedRuns } from './watch';
import { STATUSES } from './words';

const NOUN: Noun = ['run', 'runs'];

const nothing = <span className="nothing">–</span>;

/** How a run stands, by its word and its colour. */
export function RunBadge({ status }: { status: BackfillRunRowFragment['status'] }) {
  const { text, look } = STATUSES[status];
  return <span className={`badge ${look}`}>{text}</span>;
}

const { accessor, columns: listed } = columnsOf<BackfillRunRowFragment>();

/** What is counted at the end of a run. */
const atItsEnd = (run: BackfillRunRowFragment, count: number): React.ReactNode => (run.finishedAt ? number(count) : nothing);

const columns = listed([
  accessor('startedAt', {
    id: 'began',
    header: 'Began',
    cell: ({ row: { original: run } }) => (
      <Link href={`/console/backfill/${run.id}`}>
        <Time at={run.startedAt} />
      </Link>
    ),
  }),
  accessor('status', { id: 'status', header: 'Status', cell: ({ getValue }) => <RunBadge status={getValue()} /> }),
  accessor('finishedAt', {
    id: 'took',
    header: 'Took',
    cell: ({ row: { original: run } }) => (run.finishedAt ? took(run.startedAt, run.finishedAt) : nothing),
  }),
  accessor('linked', { id: 'linked', header: 'Linked', cell: ({ row: { original: run } }) => atItsEnd(run, run.linked) }),
  accessor('unresolved', {
    id: 'unresolved',
    header: 'Left without a link',
    cell: ({ row: { original: run } }) => atItsEnd(run, run.unresolved),
  }),
  accessor('undone', { id: 'undone', header: 'Taken back', cell: ({ getValue }) => (getValue() ? number(getValue()) : nothing) }),
]);

/** The runs of the backfill, the newest first. */
export function BackfillPage() {
  const { query } = usePlace();
  const page = paging(query);
  const list = useList(BackfillRunsDocument, pageArguments(page), data => data.backfillRuns);
  useWatchedRuns(list.page?.nodes ?? [], list.soon);
  useTitle('Backfill');
  return (
    <div className="page">
      <ListHead title="Backfill" noun={NOUN} total={list.page?.totalCount} />
      {!isRefused(list) && (
        <p className="page-note">
          The backfill finds out which job made each prediction of an existing installation. It is run by the command{' '}
          <code>migration backfill run</code>; here is what it decided and what it left.
        </p>
      )}
      <ListBody
        noun={NOUN}
        list={list}
        forWhom="OPERATOR"
        shapes={['long', 'pill', 'short', 'short', 'short']}
        empty={
          <Empty title="No run yet">
            <p>
              <code>migration backfill plan</code> shows what a run would link, and changes nothing. A run appears here when it has begun.
            </p>
          </Empty>
        }
      >
        {runs => (
          <ListTable
            label="Runs"
            className="backfill-table"
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
