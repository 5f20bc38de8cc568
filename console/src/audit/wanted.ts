// Which entries of the audit log are wanted, and which page of them: all of it stands in the address.
import type { AuditAction, AuditFilter, AuditLogQueryVariables, AuditOutcome } from '../api/graphql';
import { addressOf, BASE } from '../place';
import { day, isEmpty, known, midnight } from '../ui/filter';
import { pageArguments, type Paging, paging, said } from '../ui/paging';

export const ACTIONS: readonly { readonly value: AuditAction; readonly text: string }[] = [
  { value: 'CREATE_JOB', text: 'Create job' },
  { value: 'RETRY_JOB', text: 'Retry job' },
  { value: 'CANCEL_JOB', text: 'Cancel job' },
  { value: 'DELETE_JOB', text: 'Delete job' },
  { value: 'CLEAN_JOB', text: 'Clean job' },
  { value: 'HOLD_JOB', text: 'Hold job' },
  { value: 'RELEASE_HOLD', text: 'Release hold' },
  { value: 'DELETE_PREDICTIONS', text: 'Delete prediction' },
  { value: 'RETENTION_RUN', text: 'Retention run' },
  { value: 'BACKFILL_RUN', text: 'Backfill run' },
  { value: 'BACKFILL_UNDO', text: 'Backfill undone' },
  { value: 'SWEEP', text: 'Sweep' },
];

export const OUTCOMES: readonly { readonly value: AuditOutcome; readonly text: string }[] = [
  { value: 'DONE', text: 'Done' },
  { value: 'REFUSED', text: 'Refused' },
  { value: 'FAILED', text: 'Failed' },
];

export interface Wanted extends Paging {
  /** The id of a job, prediction or run. */
  readonly target: string;
  readonly action: AuditAction[];
  readonly outcome: AuditOutcome[];
  /** The id of a user; empty where it does not matter. */
  readonly by: string;
  /** Days, as the browser's zone has them; empty where it does not matter. */
  readonly from: string;
  readonly to: string;
}

export const NO_FILTER: Partial<Wanted> = { target: '', action: [], outcome: [], by: '', from: '', to: '' };

export function wanted(query: URLSearchParams): Wanted {
  return {
    ...paging(query),
    target: query.get('target') ?? '',
    action: known(ACTIONS, query.get('action')),
    outcome: known(OUTCOMES, query.get('outcome')).slice(0, 1),
    by: query.get('by') ?? '',
    from: day(query.get('from')),
    to: day(query.get('to')),
  };
}

/** The address of a list; what is not said there is as it is at first. */
export const address = (wanted: Wanted): string =>
  addressOf(`${BASE}/audit`, {
    target: wanted.target,
    action: wanted.action.join(),
    outcome: wanted.outcome.join(),
    by: wanted.by,
    from: wanted.from,
    to: wanted.to,
    ...said(wanted),
  });

/** The address of the entries about one job, prediction or run. */
export const addressAbout = (target: string): string => addressOf(`${BASE}/audit`, { target });

export function filterOf(wanted: Wanted): AuditFilter | undefined {
  const filter: AuditFilter = {
    targetId: wanted.target.trim() || undefined,
    action: wanted.action.length ? wanted.action : undefined,
    outcome: wanted.outcome[0],
    actorId: wanted.by || undefined,
    after: midnight(wanted.from, 0),
    before: midnight(wanted.to, 1),
  };
  return isEmpty(filter) ? undefined : filter;
}

export const variables = (wanted: Wanted): AuditLogQueryVariables => ({ ...pageArguments(wanted), filter: filterOf(wanted) });
