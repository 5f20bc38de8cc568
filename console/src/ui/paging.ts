// Which page of a list is shown: it stands in the address, so that it can be kept and passed on.
import { addressOf, go } from '../place';

/** How many items are on a page. */
export const PAGE = 50;

export interface Paging {
  readonly after: string | null;
  readonly before: string | null;
  /** How many items are before this page. */
  readonly at: number;
}

export const FIRST: Paging = { after: null, before: null, at: 0 };

export function paging(query: URLSearchParams): Paging {
  const at = Number(query.get('at') ?? 0);
  return { after: query.get('after'), before: query.get('before'), at: Number.isSafeInteger(at) && at > 0 ? at : 0 };
}

/** What an address says of it; the first page is not said. */
export const said = ({ after, before, at }: Paging) => ({ after, before, at: at ? `${at}` : '' });

/** Turns to another page of the list at hand; `replace` leaves no trace of the one before. */
export const turn = (paging: Paging, replace = false): void =>
  go(addressOf(location.pathname, { ...Object.fromEntries(new URLSearchParams(location.search)), ...said(paging) }), replace);

/** What a query is asked for this page. */
export const pageArguments = ({ after, before }: Paging): { first?: number; after?: string | null; last?: number; before?: string } =>
  before ? { last: PAGE, before } : { first: PAGE, after };
