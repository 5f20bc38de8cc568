import { useContext, useMemo } from 'react';
import { Link } from 'react-aria-components';
import type { RetentionItemRowFragment } from '../api/graphql';
import { StatusBadge } from '../jobs/badge';
import { FileNames, useFileNames } from '../server/names';
import { type Columns, columnsOf, ListTable } from '../ui/table';
import { counted, number, size } from '../ui/text';
import { Time } from '../ui/time';
import { DONE, type Rules, TO_DO, why } from './words';

export type Item = RetentionItemRowFragment;

const nothing = <span className="nothing">–</span>;

/** A job by its file, which its receipt names where it is gone. */
function JobName({ item: { id, job, action, error } }: { item: Item }) {
  const name = useContext(FileNames).get(id);
  if (job) {
    return (
      <Link className="file-name" href={`/console/jobs/${id}`}>
        {job.fileName}
      </Link>
    );
  }
  const shown = name ?? <code className="id">{id}</code>;
  if (action !== 'DELETE' || error) return shown;
  return (
    <Link className="file-name" href={`/console/receipts/${id}`} aria-label={`${name ?? id}, its receipt`}>
      {shown}
    </Link>
  );
}

function predictions({ deletedPredictions, releasedPredictions }: Item): React.ReactNode {
  if (deletedPredictions) return `${number(deletedPredictions)} deleted`;
  return releasedPredictions ? `${number(releasedPredictions)} kept` : nothing;
}

const { accessor, columns: listed } = columnsOf<Item>();

const columns = (rules: Rules, isDone: boolean): Columns<Item> =>
  listed([
    accessor('job', { id: 'file', header: 'Job', cell: ({ row }) => <JobName item={row.original} /> }),
    accessor('jobStatus', { id: 'status', header: 'Status', cell: ({ getValue }) => <StatusBadge status={getValue()} /> }),
    accessor('jobFinishedAt', { id: 'finished', header: 'Ended', cell: ({ getValue }) => <Time at={getValue()} /> }),
    accessor('action', {
      id: 'action',
      header: isDone ? 'What was done' : 'What would be done',
      cell: ({ row: { original: item } }) => (
        <span className="act">
          <strong>{item.error ? 'Failed' : isDone ? DONE[item.action] : TO_DO[item.action]}</strong>
          {item.error ? <span className="job-error">{item.error}</span> : <span className="hint">{why(rules, item.jobStatus)}</span>}
        </span>
      ),
    }),
    accessor('deletedPredictions', { id: 'predictions', header: 'Predictions', cell: ({ row }) => predictions(row.original) }),
    accessor('bytes', {
      id: 'files',
      header: 'Files',
      cell: ({ row: { original: item } }) => (item.artifacts ? `${counted(item.artifacts, 'file')}, ${size(item.bytes)}` : nothing),
    }),
  ]);

/** What is, or was, done to each job. */
export function ItemsTable({ items, rules, isDone, isBehind }: { items: readonly Item[]; rules: Rules; isDone: boolean; isBehind: boolean }) {
  // The same columns as long as the rules are the same: other ones are another table.
  const key = JSON.stringify(rules);
  const names = useFileNames(items.flatMap(({ id, job }) => (job ? [] : [id])));
  const shown = useMemo(() => columns(rules, isDone), [key, isDone]);
  return (
    <FileNames value={names}>
      <ListTable
        label={isDone ? 'What was done' : 'What would be done'}
        className="retention-table"
        columns={shown}
        rows={items}
        header="file"
        nameOf={item => item.job?.fileName ?? names.get(item.id) ?? item.id}
        marks={item => ({ 'data-job-id': item.id })}
        isBehind={isBehind}
      />
    </FileNames>
  );
}
