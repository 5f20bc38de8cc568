import { useCallback, useEffect, useRef } from 'react';
import { type JobRowFragment, RetryJobDocument } from '../api/graphql';
import { go } from '../place';
import { useAct } from '../server/act';
import { useServer } from '../server/client';
import { tell } from '../ui/toasts';
import { pageOf } from './page-of';

/** Runs a job's file once more, and goes to the job that does it. */
export function useRetry() {
  const { client } = useServer();
  const { act, ...state } = useAct(undefined, 'A new job may have begun all the same: look for it in the list before you try again.');
  const isHere = useRef(true);
  useEffect(() => {
    isHere.current = true;
    return () => void (isHere.current = false);
  }, []);
  const retry = useCallback(
    async (job: JobRowFragment) => {
      const done = await act('Starting a new job...', async () => {
        const { data, error } = await client.mutation(RetryJobDocument, { id: job.id }).toPromise();
        return { payload: data?.retryJob, error };
      });
      if (!done?.job) return;
      tell({ title: 'A new job runs the file again', text: job.fileName });
      // Who has gone elsewhere meanwhile stays there.
      if (isHere.current) go(pageOf(done.job.id));
    },
    [act, client],
  );
  return { retry, ...state };
}
