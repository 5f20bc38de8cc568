// A list that is shown page by page, kept as it is on the server.
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { useCallback, useEffect, useMemo, useRef } from 'react';
import { type AnyVariables, type CombinedError, createRequest, useQuery } from 'urql';
import { useSession } from '../session/session';
import { useRefresh, useServer } from './client';
import { isUnreachable } from './failure';
import { useThrottled } from './throttled';

/** A page of a list, as the server gives it. */
export interface Page<Item> {
  readonly totalCount: number;
  readonly nodes: readonly Item[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly startCursor?: string | null; readonly endCursor?: string | null };
}

export interface List<Item> {
  /** The page; while another one is on its way the one before. */
  readonly page: Page<Item> | undefined;
  readonly error: CombinedError | undefined;
  /** What is shown is not yet what is wanted. */
  readonly isBehind: boolean;
  readonly fetching: boolean;
  /** Looks again soon whether the list is as it was. */
  readonly soon: () => void;
  readonly retry: () => void;
}

/** The least time between two questions for a list that events ask for, in milliseconds. */
const AT_MOST_EVERY = 1500;

/**
 * The page of a list that these variables want; `of` says where in the answer it is. It is asked for again after a lost
 * connection, after a new sign-in, and by `soon`. `answer` has what else was asked for with it.
 */
export function useList<Data, Variables extends AnyVariables, Item>(
  document: TypedDocumentNode<Data, Variables>,
  wanted: Variables,
  of: (data: Data) => Page<Item> | null | undefined,
): List<Item> & { readonly answer: Data | undefined } {
  const { client } = useServer();
  const { renewals } = useSession();
  const { key } = createRequest<Data, AnyVariables>(document, wanted);
  const variables = useMemo(() => wanted, [key]);
  const [{ data, error, fetching, stale, operation }, execute] = useQuery<Data, AnyVariables>({
    query: document,
    variables,
    requestPolicy: 'cache-and-network',
  });

  const refresh = useCallback(async () => {
    const { error } = await client.query<Data, AnyVariables>(document, variables, { requestPolicy: 'network-only' }).toPromise();
    return !error || !isUnreachable(error);
  }, [client, document, variables]);
  useRefresh(refresh);
  useEffect(() => {
    if (renewals) void refresh();
  }, [renewals, refresh]);
  const soon = useThrottled(() => void refresh(), AT_MOST_EVERY);

  // An answer that failed takes nothing away of what was shown before it.
  const last = useRef<{ key: number; page: Page<Item>; answer: Data } | undefined>(undefined);
  const page = (data && of(data)) ?? undefined;
  const isBehind = fetching && !stale && operation?.key !== key;
  if (data && page && !isBehind) last.current = { key, page, answer: data };
  const kept = last.current?.key === key ? last.current : undefined;
  const retry = useCallback(() => execute({ requestPolicy: 'network-only' }), [execute]);
  return { page: page ?? kept?.page, answer: data ?? kept?.answer, error, isBehind, fetching, soon, retry };
}
