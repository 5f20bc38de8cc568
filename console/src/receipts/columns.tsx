import { Link } from 'react-aria-components';
import type { ReceiptRowFragment } from '../api/graphql';
import { KINDS } from '../jobs/wanted';
import { columnsOf } from '../ui/table';
import { counted, number, size } from '../ui/text';
import { Time } from '../ui/time';

const { accessor, columns: listed } = columnsOf<ReceiptRowFragment>();
const nothing = <span className="nothing">–</span>;

type Counts = Pick<ReceiptRowFragment, 'deletedAnnualPredictions' | 'deletedQuarterlyPredictions' | 'releasedPredictions'>;

/** What became of the predictions of a job: "4,210 deleted", "12 kept without a job". */
function predictions({ deletedAnnualPredictions: annual, deletedQuarterlyPredictions: quarterly, releasedPredictions: released }: Counts): string {
  const deleted = annual + quarterly;
  return [deleted && `${number(deleted)} deleted`, released && `${number(released)} kept`].filter(Boolean).join(', ');
}

/** How far the removal of a job's files is. */
function Purge({ artifacts: { total, pending, bytes, lastError, completedAt } }: { artifacts: ReceiptRowFragment['artifacts'] }) {
  return (
    <span className="file">
      {completedAt ? <span className="badge completed">Removed</span> : <span className="badge cancelling">{pending ? `${number(pending)} to remove` : 'To be confirmed'}</span>}
      <span className="hint">{total ? `${counted(total, 'file')}, ${size(bytes)}` : 'no files'}</span>
      {lastError && !completedAt && <span className="job-error">{lastError}</span>}
    </span>
  );
}

/** The columns; `byUser` is the address of what one user deleted. */
export const columnsFor = (byUser: (id: string) => string) =>
  listed([
    accessor('fileName', {
      id: 'file',
      header: 'Job',
      cell: ({ row: { original: receipt } }) => (
        <span className="file">
          <Link className="file-name" href={`/console/receipts/${receipt.jobId}`}>
            {receipt.fileName}
          </Link>
          <span className="hint">{KINDS.find(({ value }) => value === receipt.jobKind)?.text}</span>
        </span>
      ),
    }),
    accessor('artifacts', { id: 'purge', header: 'Files', cell: ({ getValue }) => <Purge artifacts={getValue()} /> }),
    accessor(predictions, { id: 'predictions', header: 'Predictions', cell: ({ getValue }) => getValue() || nothing }),
    accessor('deletedBy', {
      id: 'who',
      header: 'Deleted by',
      cell: ({ row: { original: receipt } }) => (
        <span className="finished">
          {receipt.deletedBy ? <Link href={byUser(receipt.deletedBy.id)}>{receipt.deletedBy.name}</Link> : receipt.trigger === 'REQUEST' && nothing}
          {receipt.trigger === 'RETENTION' && <span className="hint">by retention</span>}
          {receipt.force && <span className="hint">while it was active</span>}
        </span>
      ),
    }),
    accessor('deletedAt', { id: 'created', header: 'Deleted', cell: ({ getValue }) => <Time at={getValue()} /> }),
  ]);
