// How the pages ask the server: one client with a normalised cache, and one connection for events.
import { cacheExchange } from '@urql/exchange-graphcache';
import { createContext, useContext, useEffect, useSyncExternalStore } from 'react';
import { Client, type ExecutionResult, fetchExchange, mapExchange, subscriptionExchange } from 'urql';
import { type ViewerQuery, ViewerDocument } from '../api/graphql';
import { authorization, expire } from '../session/session';
import { isSignedOut, sentence } from './failure';
import { Live, type LiveState, type Refresh } from './live';

const url = new URL('/graphql', location.href).href;

/** Values without an id are a part of what they stand in. */
const value = (): null => null;

export interface Server {
  readonly client: Client;
  readonly live: Live;
}

export function connect(): Server {
  const live = new Live(url.replace(/^http/, 'ws'));
  const client = new Client({
    url,
    preferGetMethod: false,
    fetchOptions: () => ({ headers: authorization() }),
    exchanges: [
      mapExchange({ onError: error => isSignedOut(error) && expire() }),
      cacheExchange({
        keys: {
          BackfillDecision: value,
          Cancellation: value,
          CleanupSummary: value,
          DeletionPreview: value,
          Hold: value,
          JobActions: value,
          JobDeletionPreview: value,
          JobEvent: value,
          JobProgress: value,
          JobRefusal: value,
          LinkSourceCount: value,
          PurgeState: value,
          RetentionItem: value,
          RetentionPolicy: value,
          RetentionPreview: value,
          RetentionRule: value,
          UnresolvedPrediction: value,
          UserError: value,
          Viewer: value,
        },
      }),
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query, variables }) => ({
          subscribe: sink => ({
            unsubscribe: live.socket.subscribe(
              { query: query ?? '', variables: variables as Record<string, unknown> },
              { ...sink, next: event => sink.next(event as ExecutionResult) },
            ),
          }),
        }),
      }),
    ],
  });
  return { client, live };
}

export type Viewer = NonNullable<ViewerQuery['viewer']>;

/** Who calls with this token, before anything else is asked. */
export async function whoIs(token: string | null): Promise<Viewer | 'nobody' | { failure: string }> {
  const headers: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
  const client = new Client({ url, preferGetMethod: false, fetchOptions: { headers }, exchanges: [fetchExchange] });
  const { data, error } = await client.query(ViewerDocument, {}).toPromise();
  if (data?.viewer) return data.viewer;
  return error && !isSignedOut(error) ? { failure: sentence(error) } : 'nobody';
}

export const ServerContext = createContext<Server | null>(null);

export function useServer(): Server {
  const server = useContext(ServerContext);
  if (!server) throw new Error('a page outside of the console');
  return server;
}

export function useLiveState(): LiveState {
  const { live } = useServer();
  return useSyncExternalStore(live.subscribe, () => live.state);
}

/** Keeps what is shown fresh while the server tells nothing. */
export function useRefresh(refresh: Refresh): void {
  const { live } = useServer();
  useEffect(() => live.refreshedBy(refresh), [live, refresh]);
}
