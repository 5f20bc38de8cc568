// Which jobs are wanted, in which order and which page of them: all of it stands in the address, so that it can be kept
// and passed on.
import type { JobFilter, JobOrder, JobOrderField, JobOrigin, JobsQueryVariables, JobStatus, PredictionKind } from '../api/graphql';
import { addressOf, BASE } from '../place';
import { day, isEmpty, known, midnight } from '../ui/filter';
import { pageArguments, type Paging, paging, said } from '../ui/paging';
import { STATUSES } from './status';

export const KINDS: readonly { readonly value: PredictionKind; readonly text: string }[] = [
  { value: 'ANNUAL', text: 'Annual' },
  { value: 'QUARTERLY', text: 'Quarterly' },
];

export const ORIGINS: readonly { readonly value: JobOrigin; readonly text: string }[] = [
  { value: 'JOBLINK', text: 'Joblink' },
  { value: 'ADOPTED', text: 'Earlier program' },
];

export const ORDERS: readonly { readonly value: string; readonly text: string; readonly order: JobOrder }[] = [
  { value: 'created', text: 'Newest first', order: { field: 'CREATED_AT', direction: 'DESC' } },
  { value: 'created.up', text: 'Oldest first', order: { field: 'CREATED_AT', direction: 'ASC' } },
  { value: 'finished', text: 'Last finished first', order: { field: 'FINISHED_AT', direction: 'DESC' } },
  { value: 'finished.up', text: 'First finished first', order: { field: 'FINISHED_AT', direction: 'ASC' } },
  { value: 'file.up', text: 'File, A to Z', order: { field: 'FILE_NAME', direction: 'ASC' } },
  { value: 'file', text: 'File, Z to A', order: { field: 'FILE_NAME', direction: 'DESC' } },
  { value: 'status.up', text: 'Status, A to Z', order: { field: 'STATUS', direction: 'ASC' } },
  { value: 'status', text: 'Status, Z to A', order: { field: 'STATUS', direction: 'DESC' } },
];

export interface Wanted extends Paging {
  readonly search: string;
  readonly status: JobStatus[];
  readonly kind: PredictionKind[];
  readonly origin: JobOrigin[];
  readonly mine: boolean;
  /** Days, as the browser's zone has them; empty where it does not matter. */
  readonly createdFrom: string;
  readonly createdTo: string;
  readonly finishedFrom: string;
  readonly finishedTo: string;
  readonly sort: string;
}

export const NO_FILTER: Partial<Wanted> = {
  search: '',
  status: [],
  kind: [],
  origin: [],
  mine: false,
  createdFrom: '',
  createdTo: '',
  finishedFrom: '',
  finishedTo: '',
};

export function wanted(query: URLSearchParams): Wanted {
  return {
    ...paging(query),
    search: query.get('q') ?? '',
    status: known(STATUSES, query.get('status')),
    kind: known(KINDS, query.get('kind')).slice(0, 1),
    origin: known(ORIGINS, query.get('origin')).slice(0, 1),
    mine: query.get('mine') === '1',
    createdFrom: day(query.get('created-from')),
    createdTo: day(query.get('created-to')),
    finishedFrom: day(query.get('finished-from')),
    finishedTo: day(query.get('finished-to')),
    sort: known(ORDERS, query.get('sort'))[0] ?? 'created',
  };
}

/** The address of a list; what is not said there is as it is at first. */
export const address = (wanted: Wanted): string =>
  addressOf(`${BASE}/jobs`, {
    q: wanted.search,
    status: wanted.status.join(),
    kind: wanted.kind.join(),
    origin: wanted.origin.join(),
    mine: wanted.mine ? '1' : '',
    'created-from': wanted.createdFrom,
    'created-to': wanted.createdTo,
    'finished-from': wanted.finishedFrom,
    'finished-to': wanted.finishedTo,
    sort: wanted.sort === 'created' ? '' : wanted.sort,
    ...said(wanted),
  });

export function filterOf(wanted: Wanted, viewer: string): JobFilter | undefined {
  const filter: JobFilter = {
    search: wanted.search.trim() || undefined,
    status: wanted.status.length ? wanted.status : undefined,
    kind: wanted.kind[0],
    origin: wanted.origin[0],
    createdBy: wanted.mine ? viewer : undefined,
    createdAfter: midnight(wanted.createdFrom, 0),
    createdBefore: midnight(wanted.createdTo, 1),
    finishedAfter: midnight(wanted.finishedFrom, 0),
    finishedBefore: midnight(wanted.finishedTo, 1),
  };
  return isEmpty(filter) ? undefined : filter;
}

export const orderOf = (sort: string): JobOrder => (ORDERS.find(({ value }) => value === sort) ?? ORDERS[0]!).order;

/** The name of an order in the address. */
export const sortOf = (field: JobOrderField, ascending: boolean): string =>
  ORDERS.find(({ order }) => order.field === field && (order.direction === 'ASC') === ascending)?.value ?? 'created';

export function variables(wanted: Wanted, viewer: string): JobsQueryVariables {
  return { ...pageArguments(wanted), filter: filterOf(wanted, viewer), orderBy: orderOf(wanted.sort) };
}
