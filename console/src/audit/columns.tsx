import { Link } from 'react-aria-components';
import type { AuditAction, AuditLogQuery } from '../api/graphql';
import { columnsOf } from '../ui/table';
import { Time } from '../ui/time';
import { ACTIONS, OUTCOMES } from './wanted';

export type Entry = NonNullable<AuditLogQuery['auditLog']>['nodes'][number];

export const actionOf = ({ action }: Entry): string => ACTIONS.find(({ value }) => value === action)?.text ?? action;

/** What these are about is a job, and has a page. */
const OF_JOBS: readonly AuditAction[] = ['CREATE_JOB', 'RETRY_JOB', 'CANCEL_JOB', 'DELETE_JOB', 'CLEAN_JOB', 'HOLD_JOB', 'RELEASE_HOLD'];

const LOOKS = { DONE: 'completed', REFUSED: 'cancelling', FAILED: 'failed' };
const nothing = <span className="nothing">–</span>;

/** What an entry is about: its receipt where it was deleted, the job where it may still be there. */
function Target({ entry: { action, outcome, targetId }, about }: { entry: Entry; about: string | undefined }) {
  if (!targetId) return nothing;
  const page = !OF_JOBS.includes(action) ? undefined : action === 'DELETE_JOB' && outcome === 'DONE' ? 'receipts' : 'jobs';
  return (
    <span className="file">
      {page ? (
        <Link className="target" href={`/console/${page}/${targetId}`}>
          {targetId}
        </Link>
      ) : (
        <span className="target">{targetId}</span>
      )}
      {about && (
        <Link className="hint" href={about}>
          All about it
        </Link>
      )}
    </span>
  );
}

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
      cell: ({ row: { original: entry } }) =>
        entry.code || entry.detail ? (
          <span className="file">
            {entry.code && (
              <span>
                <code>{entry.code}</code>
              </span>
            )}
            {entry.detail && <span className="detail">{entry.detail}</span>}
          </span>
        ) : (
          nothing
        ),
    }),
    accessor('at', { id: 'created', header: 'When', cell: ({ getValue }) => <Time at={getValue()} /> }),
  ]);
