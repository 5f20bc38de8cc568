import { useContext } from 'react';
import { Link } from 'react-aria-components';
import type { AuditAction, AuditLogQuery } from '../api/graphql';
import { FileNames } from '../server/names';
import { columnsOf } from '../ui/table';
import { Time } from '../ui/time';
import { ACTIONS, OUTCOMES } from './wanted';
import { detailInWords } from './words';

export type Entry = NonNullable<AuditLogQuery['auditLog']>['nodes'][number];

export const actionOf = ({ action }: Entry): string => ACTIONS.find(({ value }) => value === action)?.text ?? action;

/** What these are about is a job, and has a page. */
const OF_JOBS: readonly AuditAction[] = ['CREATE_JOB', 'RETRY_JOB', 'CANCEL_JOB', 'DELETE_JOB', 'CLEAN_JOB', 'HOLD_JOB', 'RELEASE_HOLD'];

/** The job that an entry is about, where it is about one. */
export const jobOf = ({ action, targetId }: Entry): string | undefined => (OF_JOBS.includes(action) && targetId ? targetId : undefined);

const ONE: Partial<Record<AuditAction, string>> = { DELETE_PREDICTIONS: 'prediction', RETENTION_RUN: 'run', BACKFILL_RUN: 'run', BACKFILL_UNDO: 'run' };

const LOOKS = { DONE: 'completed', REFUSED: 'cancelling', FAILED: 'failed' };
const nothing = <span className="nothing">–</span>;

/** Where more is told of what an entry is about: the receipt where it was deleted, the job where it may still be there. */
function pageOf({ action, outcome, code, targetId }: Entry): string | undefined {
  switch (action) {
    case 'RETENTION_RUN':
      return `/console/retention/runs/${targetId}`;
    case 'BACKFILL_RUN':
    case 'BACKFILL_UNDO':
      return `/console/backfill/${targetId}`;
    case 'DELETE_JOB':
      return `/console/${outcome === 'DONE' || code === 'JOB_ALREADY_DELETED' ? 'receipts' : 'jobs'}/${targetId}`;
    default:
      return OF_JOBS.includes(action) ? `/console/jobs/${targetId}` : undefined;
  }
}

/** What an entry is about: a job by the name of its file where that is known, all else by its id. */
function Target({ entry, about }: { entry: Entry; about: string | undefined }) {
  const names = useContext(FileNames);
  const { action, targetId } = entry;
  if (!targetId) return nothing;
  const name = names.get(targetId);
  const page = pageOf(entry);
  const shown = name ? <span className="target-name">{name}</span> : <span className="target">{targetId}</span>;
  return (
    <span className="file">
      {page ? <Link href={page}>{shown}</Link> : shown}
      {about && (
        <Link className="hint" href={about}>
          All entries for this {ONE[action] ?? 'job'}
        </Link>
      )}
    </span>
  );
}

/** Why, or how much, in words; a job that is named in it leads to its page. */
function Detail({ entry: { action, code, detail } }: { entry: Entry }) {
  const names = useContext(FileNames);
  if (!detail && !code) return nothing;
  const repeated = action === 'RETRY_JOB' ? repeatedJob(detail) : undefined;
  return (
    <span className="file">
      {repeated ? (
        <span className="detail">
          Repeats the job <Link href={`/console/jobs/${repeated}`}>{names.get(repeated) ?? repeated}</Link>
        </span>
      ) : (
        detail && <span className="detail">{detailInWords(detail)}</span>
      )}
      {code && (
        <span className="hint">
          <code>{code}</code>
        </span>
      )}
    </span>
  );
}

/** The job whose file a retry runs again. */
export const repeatedJob = (detail: string | null): string | undefined => /^the file of job ([\da-f-]{36})$/.exec(detail ?? '')?.[1];

const { accessor, columns: listed } = columnsOf<Entry>();

/** The columns; `narrowed` gives the address of the entries about one target, where they are not of one, or by one user. */
export const columnsFor = (isOfOne: boolean, narrowed: (to: { target: string } | { by: string }) => string) =>
  listed([
    accessor(actionOf, { id: 'action', header: 'Action' }),
    accessor('outcome', {
      id: 'status',
      header: 'Outcome',
      cell: ({ getValue }) => (
        <span className={`badge ${LOOKS[getValue()]}`}>{OUTCOMES.find(({ value }) => value === getValue())?.text ?? getValue()}</span>
      ),
    }),
    accessor('targetId', {
      id: 'target',
      header: 'Target',
      cell: ({ row: { original: entry } }) => <Target entry={entry} about={isOfOne ? undefined : narrowed({ target: entry.targetId ?? '' })} />,
    }),
    accessor(entry => entry.actor?.name, {
      id: 'who',
      header: 'By',
      cell: ({ row: { original: entry } }) => (entry.actor ? <Link href={narrowed({ by: entry.actor.id })}>{entry.actor.name}</Link> : nothing),
    }),
    accessor('detail', {
      id: 'detail',
      header: 'Detail',
      cell: ({ row }) => <Detail entry={row.original} />,
    }),
    accessor('at', { id: 'created', header: 'When', cell: ({ getValue }) => <Time at={getValue()} /> }),
  ]);
