import { Link } from 'react-aria-components';
import type { JobOrderField, JobRowFragment } from '../api/graphql';
import { pageOf } from '../job/page-of';
import { Lock } from '../ui/icons';
import { columnsOf } from '../ui/table';
import { took } from '../ui/text';
import { Time } from '../ui/time';
import { JobActions } from './actions';
import { StatusBadge } from './badge';
import { JobProgress } from './progress';
import { KINDS } from './wanted';

const { accessor, display, columns: listed } = columnsOf<JobRowFragment>();

/** By which of the columns the server sorts. */
export const FIELDS: Readonly<Record<string, JobOrderField>> = {
  file: 'FILE_NAME',
  status: 'STATUS',
  created: 'CREATED_AT',
  finished: 'FINISHED_AT',
};

const nothing = <span className="nothing">–</span>;

export const columns = listed([
  accessor('fileName', {
    id: 'file',
    header: 'File',
    cell: ({ row: { original: job } }) => (
      <span className="file" title={job.fileName}>
        <Link className="file-name" href={pageOf(job.id)}>
          {job.fileName}
        </Link>
        {job.hold && (
          <span className="held" title={`On hold: ${job.hold.reason}`}>
            <Lock />
            On hold
          </span>
        )}
        {job.status === 'FAILED' && job.errorMessage && <span className="job-error">{job.errorMessage}</span>}
      </span>
    ),
  }),
  accessor('status', { id: 'status', header: 'Status', cell: ({ getValue }) => <StatusBadge status={getValue()} /> }),
  accessor('kind', {
    id: 'kind',
    header: 'Kind',
    enableSorting: false,
    cell: ({ getValue }) => KINDS.find(({ value }) => value === getValue())?.text,
  }),
  accessor('progress', {
    id: 'progress',
    header: 'Progress',
    enableSorting: false,
    cell: ({ row }) => <JobProgress job={row.original} />,
  }),
  accessor(job => job.createdBy?.name, {
    id: 'who',
    header: 'Created by',
    enableSorting: false,
    cell: ({ getValue }) => getValue() ?? nothing,
  }),
  accessor('createdAt', {
    id: 'created',
    header: 'Created',
    cell: ({ row: { original: job } }) => (job.createdAt ? <Time at={job.createdAt} /> : nothing),
  }),
  accessor('finishedAt', {
    id: 'finished',
    header: 'Finished',
    cell: ({ row: { original: job } }) => {
      if (!job.finishedAt) return nothing;
      const began = job.startedAt ?? job.createdAt;
      return (
        <span className="finished">
          <Time at={job.finishedAt} />
          {began && <span className="hint">took {took(began, job.finishedAt)}</span>}
        </span>
      );
    },
  }),
  display({
    id: 'actions',
    header: () => <span className="hidden-text">Actions</span>,
    cell: ({ row }) => <JobActions job={row.original} />,
  }),
]);
