import { useCallback, useEffect, useRef, useState } from 'react';
import { type JobRowFragment, RetryJobDocument } from '../api/graphql';
import { go } from '../place';
import { useAct } from '../server/act';
import { useServer } from '../server/client';
import { Confirm } from '../ui/dialog';
import { counted } from '../ui/text';
import { tell } from '../ui/toasts';
import { pageOf } from './page-of';

/** What a retry does not do again, where the job has stored a part of its file. */
function RetryDialog({ job, isBusy, problem, onConfirm, onClose }: {
  job: JobRowFragment;
  isBusy: boolean;
  problem: string;
  onConfirm: () => void;
  onClose: () => void;
}) {
  const { succeeded } = job.progress;
  return (
    <Confirm
      title="Retry Job?"
      keep="Go Back"
      does="Retry Job"
      doing="Starting..."
      look="primary"
      isBusy={isBusy}
      problem={problem}
      onConfirm={onConfirm}
      onClose={onClose}
    >
      <p>
        A new job reads <span className="refused-name">{job.fileName}</span> again, from its first row. This job stays as it is.
      </p>
      <p>
        It has stored {counted(succeeded, 'row')} already: as long as their predictions are there, the new job reports these rows as errors
        (Duplicate) and stores the others.
      </p>
      <p className="hint">To store all of them anew, delete this job with its predictions, and upload the file again.</p>
    </Confirm>
  );
}

/** Runs a job's file once more, and goes to the job that does it; first asks where a part of the file is stored already. */
export function useRetry() {
  const { client } = useServer();
  const { act, problem, isBusy, forget } = useAct(undefined, 'A new job may have begun all the same: look for it in the list before you try again.');
  const [asked, setAsked] = useState<JobRowFragment | undefined>(undefined);
  const isHere = useRef(true);
  useEffect(() => {
    isHere.current = true;
    return () => void (isHere.current = false);
  }, []);
  const run = useCallback(
    async (job: JobRowFragment) => {
      const done = await act('Starting a new job...', async () => {
        const { data, error } = await client.mutation(RetryJobDocument, { id: job.id }).toPromise();
        return { payload: data?.retryJob, error };
      });
      if (!done?.job) return;
      setAsked(undefined);
      const links = [
        { href: pageOf(done.job.id), text: 'Show the new job' },
        { href: pageOf(job.id), text: 'Show the job that it repeats' },
      ];
      tell({ title: 'A new job runs the file again', text: job.fileName, links });
      // Who has gone elsewhere meanwhile stays there.
      if (isHere.current) go(pageOf(done.job.id));
    },
    [act, client],
  );
  const retry = useCallback((job: JobRowFragment) => (job.progress.succeeded > 0 ? setAsked(job) : void run(job)), [run]);
  const dialog = asked && (
    <RetryDialog
      job={asked}
      isBusy={isBusy}
      problem={problem}
      onConfirm={() => void run(asked)}
      onClose={() => {
        setAsked(undefined);
        forget();
      }}
    />
  );
  return {
    retry,
    isBusy,
    forget,
    /** Why it was not done, where the question does not say so. */
    problem: asked ? '' : problem,
    isAsking: asked !== undefined,
    /** The question, while it is asked. */
    dialog,
  };
}
