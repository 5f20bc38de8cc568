import { useState } from 'react';
import { HoldJobDocument, type JobDetailsFragment, ReleaseJobHoldDocument } from '../api/graphql';
import { useAct } from '../server/act';
import { useServer } from '../server/client';
import { CountedText, isTooLong } from '../ui/counted-text';
import { Confirm } from '../ui/dialog';
import { tell } from '../ui/toasts';

interface Props {
  job: JobDetailsFragment;
  onClose: () => void;
}

const WHOM = 'Ask an administrator of your organization.';

/** Asks why a job must not be deleted, and forbids it. */
export function HoldDialog({ job, onClose }: Props) {
  const { client } = useServer();
  const { act, problem, isBusy } = useAct(WHOM);
  const [reason, setReason] = useState('');
  const run = async () => {
    const done = await act('Putting the job on hold...', async () => {
      const { data, error } = await client.mutation(HoldJobDocument, { id: job.id, reason: reason.trim() }).toPromise();
      return { payload: data?.holdJob, error };
    });
    if (!done) return;
    tell({ title: 'Job put on hold', text: job.fileName });
    onClose();
  };
  return (
    <Confirm
      title="Put Job on Hold?"
      keep="Go Back"
      does="Put on Hold"
      doing="Putting on hold..."
      look="primary"
      isBusy={isBusy}
      isIncomplete={!reason.trim() || isTooLong(reason)}
      problem={problem}
      onConfirm={() => void run()}
      onClose={onClose}
    >
      <p>
        Nobody can delete <span className="refused-name">{job.fileName}</span>, its files or its predictions, until an administrator lifts the
        hold.
      </p>
      <CountedText label="Reason" lines={3} value={reason} onChange={setReason} isDisabled={isBusy} isRequired autoFocus>
        {'. It is shown to whoever tries to delete the job.'}
      </CountedText>
    </Confirm>
  );
}

/** Asks whether a job may be deleted again, and allows it. */
export function LiftDialog({ job, onClose }: Props) {
  const { client } = useServer();
  const { act, problem, isBusy } = useAct(WHOM);
  const run = async () => {
    const done = await act('Lifting the hold...', async () => {
      const { data, error } = await client.mutation(ReleaseJobHoldDocument, { id: job.id }).toPromise();
      return { payload: data?.releaseJobHold, error };
    });
    if (!done) return;
    tell({ title: 'Hold lifted', text: job.fileName });
    onClose();
  };
  return (
    <Confirm
      title="Lift Hold?"
      keep="Keep Hold"
      does="Lift Hold"
      doing="Lifting..."
      look="primary"
      isBusy={isBusy}
      problem={problem}
      onConfirm={() => void run()}
      onClose={onClose}
    >
      <p>
        <span className="refused-name">{job.fileName}</span> can then be deleted by its creator, by administrators and by the retention policy.
      </p>
      {job.hold && <p>It is on hold because: {job.hold.reason}</p>}
    </Confirm>
  );
}
