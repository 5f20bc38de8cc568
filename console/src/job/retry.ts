import { useCallback } from 'react';
import { type JobRowFragment, RetryJobDocument } from '../api/graphql';
import { go } from '../place';
import { useAct } from '../server/act';
import { useServer } from '../server/client';
import { tell } from '../ui/toasts';
import { pageOf } from './page-of';

/** Runs a job's file once more, and goes to the job that does it. */
export function useRetry() {
  const { client } = useServer();
  const { act, ...state } = useAct();
  const retry = useCallback(
    async (job: JobRowFragment) => {
      const done = await act('Starting a new job...', async () => {
        const { data, error } = await client.mutation(RetryJobDocument, { id: job.id }).toPromise();
        return { payload: data?.retryJob, error };
      });
      if (!done?.job) return;
      tell({ title: 'A new job runs the file again', text: job.fileName });
      go(pageOf(done.job.id));
    },
    [act, client],
  );
  return { retry, ...state };
}
