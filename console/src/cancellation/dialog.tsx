import { useState } from 'react';
import { CancelJobDocument, type JobRowFragment } from '../api/graphql';
import { useAct } from '../server/act';
import { useServer } from '../server/client';
import { CountedText, isTooLong } from '../ui/counted-text';
import { Confirm } from '../ui/dialog';
import { tell } from '../ui/toasts';

/** Asks why a job is cancelled, and cancels it. */
export function CancelDialog({ job, onClose }: { job: JobRowFragment; onClose: () => void }) {
  const { client } = useServer();
  const { act, problem, isBusy } = useAct();
  const [reason, setReason] = useState('');
  const [notes, setNotes] = useState('');

  const run = async () => {
    const variables = { id: job.id, reason: reason.trim() || undefined, notes: notes.trim() || undefined };
    const done = await act('Cancelling...', async () => {
      const { data, error } = await client.mutation(CancelJobDocument, variables).toPromise();
      return { payload: data?.cancelJob, error };
    });
    if (!done) return;
    tell({ title: 'Job cancelled successfully', text: job.fileName });
    onClose();
  };

  return (
    <Confirm
      title="Cancel Job?"
      keep="Go Back"
      does="Confirm Cancellation"
      doing="Cancelling..."
      isBusy={isBusy}
      isIncomplete={isTooLong(reason) || isTooLong(notes)}
      problem={problem}
      onConfirm={() => void run()}
      onClose={onClose}
    >
      <p>
        <span className="refused-name">{job.fileName}</span> stops at its next batch. What it has stored stays, linked to the job.
      </p>
      <CountedText label="Reason (optional)" value={reason} onChange={setReason} isDisabled={isBusy} />
      <CountedText label="Notes (optional)" lines={3} value={notes} onChange={setNotes} isDisabled={isBusy} />
    </Confirm>
  );
}
