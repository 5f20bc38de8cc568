// One job, kept as it is on the server: by events, and by asking again for what they do not tell.
import { useCallback, useEffect, useRef, useState } from 'react';
import { useQuery } from 'urql';
import { JobDocument, type JobQuery } from '../api/graphql';
import { isActive } from '../jobs/status';
import { useServer, useRefresh } from '../server/client';
import { useJobEvents } from '../server/events';
import { isUnreachable } from '../server/failure';
import { useThrottled } from '../server/throttled';
import { useSession } from '../session/session';

/** The least time between two questions for what a running job makes, in milliseconds. */
const AT_MOST_EVERY = 3000;

export function useJob(id: string) {
  const { client } = useServer();
  const { renewals } = useSession();
  const [{ data, error, fetching }, ask] = useQuery({ query: JobDocument, variables: { id }, requestPolicy: 'cache-and-network' });
  /** Grows when there may be more rows, files or links than were read. */
  const [news, setNews] = useState(0);

  const refresh = useCallback(async () => {
    setNews(news => news + 1);
    const { error } = await client.query(JobDocument, { id }, { requestPolicy: 'network-only' }).toPromise();
    return !error || !isUnreachable(error);
  }, [client, id]);
  useRefresh(refresh);
  useEffect(() => {
    if (renewals) void refresh();
  }, [renewals, refresh]);

  const soon = useThrottled(() => setNews(news => news + 1), AT_MOST_EVERY);
  useJobEvents((type, of) => {
    if (of !== id) return;
    if (type === 'PROGRESS') soon();
    else void refresh();
  });

  // An answer that failed takes nothing away of what was shown before it.
  const last = useRef<JobQuery | undefined>(undefined);
  if (data) last.current = data;
  const job = last.current?.job ?? undefined;
  return {
    job,
    isActive: job !== undefined && isActive(job.status),
    /** Where it was deleted. */
    receipt: last.current?.deletionReceipt ?? undefined,
    error,
    fetching,
    news,
    refresh,
    retry: () => ask({ requestPolicy: 'network-only' }),
  };
}
