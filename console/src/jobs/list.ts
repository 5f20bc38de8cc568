// The list at hand, kept as it is on the server: by events, and by asking again where they may change which jobs are in it.
import { useCallback, useEffect, useMemo, useRef } from 'react';
import { useQuery } from 'urql';
import { JobsDocument, type JobsQuery, type JobsQueryVariables } from '../api/graphql';
import { useJobEvents } from '../server/events';
import { useRefresh, useServer } from '../server/client';
import { isUnreachable } from '../server/failure';
import { useSession } from '../session/session';

/** The least time between two questions for the list that events ask for, in milliseconds. */
const AT_MOST_EVERY = 1500;

/** Calls at once, and then at most once in a time, with the last call never lost. */
function useThrottled(call: () => void): () => void {
  const timer = useRef<number | undefined>(undefined);
  const last = useRef(0);
  const latest = useRef(call);
  latest.current = call;
  useEffect(() => () => window.clearTimeout(timer.current), []);
  return useCallback(() => {
    if (timer.current !== undefined) return;
    const wait = Math.max(0, last.current + AT_MOST_EVERY - Date.now());
    timer.current = window.setTimeout(() => {
      timer.current = undefined;
      last.current = Date.now();
      latest.current();
    }, wait);
  }, []);
}

export function useJobs(wanted: JobsQueryVariables, onDeleted: (id: string) => void) {
  const { client } = useServer();
  const { renewals } = useSession();
  const key = JSON.stringify(wanted);
  const variables = useMemo(() => wanted, [key]);
  const [{ data, error, fetching, stale, operation }, execute] = useQuery({
    query: JobsDocument,
    variables,
    requestPolicy: 'cache-and-network',
  });

  const refresh = useCallback(async () => {
    const { error } = await client.query(JobsDocument, variables, { requestPolicy: 'network-only' }).toPromise();
    return !error || !isUnreachable(error);
  }, [client, variables]);
  useRefresh(refresh);
  useEffect(() => {
    if (renewals) void refresh();
  }, [renewals, refresh]);

  const soon = useThrottled(() => void refresh());
  useJobEvents((type, id) => {
    if (type === 'DELETED') onDeleted(id);
    if (type !== 'PROGRESS') soon();
  });

  // An answer that failed takes nothing away of what was shown before it.
  const last = useRef<{ key: string; jobs: NonNullable<JobsQuery['jobs']> } | undefined>(undefined);
  const isBehind = fetching && !stale && JSON.stringify(operation?.variables) !== key;
  if (data?.jobs && !isBehind) last.current = { key, jobs: data.jobs };
  const kept = last.current?.key === key ? last.current.jobs : undefined;

  return {
    /** The page; while another one is on its way the one before. */
    jobs: data?.jobs ?? kept,
    error,
    /** What is shown is not yet what is wanted. */
    isBehind,
    fetching,
    /** Looks again soon whether the list is as it was. */
    soon,
    retry: () => execute({ requestPolicy: 'network-only' }),
  };
}
