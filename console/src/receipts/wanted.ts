// Which receipts are wanted, and which page of them: all of it stands in the address.
import type { DeletionReceiptFilter, DeletionTrigger, ReceiptsQueryVariables } from '../api/graphql';
import { addressOf, BASE } from '../place';
import { day, isEmpty, known, midnight } from '../ui/filter';
import { pageArguments, type Paging, paging, said } from '../ui/paging';

export const TRIGGERS: readonly { readonly value: DeletionTrigger; readonly text: string }[] = [
  { value: 'REQUEST', text: 'By request' },
  { value: 'RETENTION', text: 'By retention' },
];

export const PURGES = [
  { value: 'pending', text: 'Still to be removed' },
  { value: 'done', text: 'Nothing is left' },
] as const;
export type Purge = (typeof PURGES)[number]['value'];

export interface Wanted extends Paging {
  readonly search: string;
  readonly trigger: DeletionTrigger[];
  readonly purge: Purge[];
  /** The id of a user; empty where it does not matter. */
  readonly by: string;
  /** Days, as the browser's zone has them; empty where it does not matter. */
  readonly from: string;
  readonly to: string;
}

export const NO_FILTER: Partial<Wanted> = { search: '', trigger: [], purge: [], by: '', from: '', to: '' };

export function wanted(query: URLSearchParams): Wanted {
  return {
    ...paging(query),
    search: query.get('q') ?? '',
    trigger: known(TRIGGERS, query.get('trigger')).slice(0, 1),
    purge: known(PURGES, query.get('purge')).slice(0, 1),
    by: query.get('by') ?? '',
    from: day(query.get('from')),
    to: day(query.get('to')),
  };
}

/** The address of a list; what is not said there is as it is at first. */
export const address = (wanted: Wanted): string =>
  addressOf(`${BASE}/receipts`, {
    q: wanted.search,
    trigger: wanted.trigger.join(),
    purge: wanted.purge.join(),
    by: wanted.by,
    from: wanted.from,
    to: wanted.to,
    ...said(wanted),
  });

export function filterOf(wanted: Wanted): DeletionReceiptFilter | undefined {
  const [purge] = wanted.purge;
  const filter: DeletionReceiptFilter = {
    search: wanted.search.trim() || undefined,
    trigger: wanted.trigger[0],
    purgePending: purge && purge === 'pending',
    deletedBy: wanted.by || undefined,
    deletedAfter: midnight(wanted.from, 0),
    deletedBefore: midnight(wanted.to, 1),
  };
  return isEmpty(filter) ? undefined : filter;
}

export const variables = (wanted: Wanted): ReceiptsQueryVariables => ({ ...pageArguments(wanted), filter: filterOf(wanted) });
