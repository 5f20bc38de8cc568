import { useRef, useState } from 'react';
import { Input, Label, Text, TextArea, TextField } from 'react-aria-components';
import { CancelJobDocument, type JobRowFragment } from '../api/graphql';
import { useServer } from '../server/client';
import { sentence } from '../server/failure';
import { announce } from '../ui/announce';
import { Button } from '../ui/button';
import { Question } from '../ui/dialog';
import { tell } from '../ui/toasts';

/** The most characters of a reason and of notes. */
const MOST = 500;

/** Asks why a job is cancelled, and cancels it. */
export function CancelDialog({ job, onClose }: { job: JobRowFragment; onClose: () => void }) {
  const { client } = useServer();
  const [reason, setReason] = useState('');
  const [notes, setNotes] = useState('');
  const [problem, setProblem] = useState('');
  const [isCancelling, setIsCancelling] = useState(false);
  const isBusy = useRef(false);

  const run = async () => {
    if (isBusy.current) return;
    isBusy.current = true;
    setIsCancelling(true);
    setProblem('');
    announce('Cancelling...');
    const variables = { id: job.id, reason: reason.trim() || undefined, notes: notes.trim() || undefined };
    const { data, error } = await client.mutation(CancelJobDocument, variables).toPromise();
    isBusy.current = false;
    setIsCancelling(false);
    const payload = data?.cancelJob;
    if (!payload) return setProblem(`${error ? sentence(error) : 'The server did not answer.'} Try again.`);
    const [refused] = payload.userErrors;
    if (refused) {
      const ask = refused.code === 'FORBIDDEN' ? ' Ask its creator, or an administrator of your organization.' : '';
      return setProblem(`${refused.message}${ask}`);
    }
    tell({ title: 'Job cancelled successfully', text: job.fileName });
    onClose();
  };

  // What is counted are characters as people see them on the server: code points.
  const length = [...notes].length;
  const tooLong = length > MOST || [...reason].length > MOST;
  return (
    <Question
      title="Cancel Job?"
      isBusy={isCancelling}
      onClose={onClose}
      buttons={
        <>
          <Button onPress={onClose} isDisabled={isCancelling}>
            Go Back
          </Button>
          <Button look="danger" onPress={() => void run()} isDisabled={isCancelling || tooLong}>
            {isCancelling ? 'Cancelling...' : 'Confirm Cancellation'}
          </Button>
        </>
      }
    >
      <p>
        <span className="refused-name">{job.fileName}</span> stops at its next batch. What it has stored stays, linked to the job.
      </p>
      <TextField className="field" value={reason} onChange={setReason} isDisabled={isCancelling} maxLength={MOST}>
        <Label>Reason (optional)</Label>
        <Input className="input" />
      </TextField>
      <TextField className="field" value={notes} onChange={setNotes} isDisabled={isCancelling} isInvalid={length > MOST}>
        <Label>Notes (optional)</Label>
        <TextArea className="input" rows={3} />
        <Text slot="description" className={length > MOST ? 'hint problem' : 'hint'}>
          {length} of {MOST} characters
        </Text>
      </TextField>
      {problem && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
    </Question>
  );
}
