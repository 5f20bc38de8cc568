// The subscription to all jobs that the viewer sees: one for all pages.
import { useEffect, useRef } from 'react';
import { JobEventsDocument } from '../api/graphql';
import { useSession } from '../session/session';
import { useServer } from './client';
import type { Hear } from './live';

/** When a subscription that ended by an error is begun again, in milliseconds. */
const AGAIN = 10_000;

/** Watches as long as the console is open. */
export function useWatch(): void {
  const { client, live } = useServer();
  const { renewals } = useSession();
  useEffect(() => {
    let timer: number | undefined;
    let subscription: { unsubscribe: () => void } | undefined;
    const begin = () => {
      subscription?.unsubscribe();
      subscription = client.subscription(JobEventsDocument, {}).subscribe(({ data, error }) => {
        if (data) live.tell(data.jobEvents.type, data.jobEvents.jobId);
        if (!error) return;
        window.clearTimeout(timer);
        timer = window.setTimeout(begin, AGAIN);
      });
    };
    begin();
    return () => {
      window.clearTimeout(timer);
      subscription?.unsubscribe();
    };
  }, [client, live, renewals]);
}

/** Hears of all jobs that the viewer sees. */
export function useJobEvents(hear: Hear): void {
  const { live } = useServer();
  const latest = useRef(hear);
  latest.current = hear;
  useEffect(() => live.heardBy((type, id) => latest.current(type, id)), [live]);
}
