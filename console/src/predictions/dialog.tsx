import { useCallback, useEffect, useRef, useState } from 'react';
import type { CombinedError } from 'urql';
import { bySource } from '../deletion/preview';
import { isConfirmed, TypedCount } from '../deletion/typed-count';
import { useServer } from '../server/client';
import { sentence } from '../server/failure';
import { announce } from '../ui/announce';
import { Button } from '../ui/button';
import { Question } from '../ui/dialog';
import { counted, number } from '../ui/text';
import { tell } from '../ui/toasts';
import { nameOf, type PredictionRow } from './columns';
import { execute, read, type Refused } from './delete';

interface Props {
  ids: readonly string[];
  /** These are gone, whoever deleted them. */
  onGone: (ids: readonly string[]) => void;
  onClose: () => void;
}

type Step = { is: 'reading' } | { is: 'unreadable'; why: string } | { is: 'asking' } | { is: 'deleting'; done: number } | { is: 'stayed'; refused: readonly Refused[] };

const predictions = (count: number): string => counted(count, 'prediction');

/** Whom to ask, where that is not said. */
const because = ({ code, message: said }: Refused): string => {
  const message = /[.!?]$/.test(said) ? said : `${said}.`;
  return code === 'JOB_ON_HOLD' ? `${message} An administrator can lift the hold.` : message;
};

function Facts({ rows }: { rows: readonly PredictionRow[] }) {
  const annual = rows.filter(({ __typename }) => __typename === 'AnnualPrediction').length;
  const quarterly = rows.length - annual;
  const unlinked = rows.filter(({ linkSource }) => !linkSource).length;
  const sources = bySource([{ byLinkSource: rows.flatMap(({ linkSource }) => (linkSource ? [{ linkSource, count: 1 }] : [])) }]);
  const jobs = new Set(rows.flatMap(({ job }) => (job ? [job.id] : [])));
  const [only] = rows.flatMap(({ job }) => (job ? [job.fileName] : []));
  return (
    <dl className="facts">
      <dt>Predictions</dt>
      <dd>
        {[annual && `${number(annual)} annual`, quarterly && `${number(quarterly)} quarterly`].filter(Boolean).join(', ')}
        <span className="hint">
          {[...sources.map(({ text, count }) => `${number(count)} ${text}`), unlinked && `${number(unlinked)} not linked to a job`].filter(Boolean).join(', ')}
        </span>
      </dd>
      <dt>{jobs.size === 1 ? 'Job' : 'Jobs'}</dt>
      <dd>
        {jobs.size === 0 ? 'none' : jobs.size === 1 ? only : number(jobs.size)}
        {jobs.size > 0 && <span className="hint">{jobs.size === 1 ? 'The job stays.' : 'The jobs stay.'}</span>}
      </dd>
    </dl>
  );
}

/** Shows which predictions would be deleted, and deletes them once it is confirmed. */
export function DeletePredictionsDialog({ ids, onGone, onClose }: Props) {
  const { client } = useServer();
  const [step, setStep] = useState<Step>({ is: 'reading' });
  const [rows, setRows] = useState<readonly PredictionRow[]>([]);
  const [typed, setTyped] = useState('');
  const [failure, setFailure] = useState('');
  const isOpen = useRef(true);
  const isBusy = useRef(false);
  useEffect(() => {
    isOpen.current = true;
    return () => void (isOpen.current = false);
  }, []);

  /** Says what is gone, and closes where nothing is left. */
  const finish = useCallback(
    (deleted: readonly string[], gone: readonly string[], left: number) => {
      if (deleted.length + gone.length) onGone([...deleted, ...gone]);
      const before = gone.length ? `${predictions(gone.length)} had been deleted before.` : undefined;
      if (deleted.length) tell({ title: `${predictions(deleted.length)} deleted successfully`, text: before });
      else if (before) tell({ title: before });
      if (left === 0 && isOpen.current) onClose();
    },
    [onClose, onGone],
  );

  const look = useCallback(async () => {
    setStep({ is: 'reading' });
    try {
      const found = await read(client, ids);
      if (!isOpen.current) return;
      setRows(found.rows);
      setStep({ is: 'asking' });
      if (found.gone.length) finish([], found.gone, found.rows.length);
    } catch (error) {
      if (isOpen.current) setStep({ is: 'unreadable', why: sentence(error as CombinedError) });
    }
  }, [client, finish, ids]);
  useEffect(() => void look(), [look]);

  const isTyped = isConfirmed(rows.length, typed);
  const run = async () => {
    if (isBusy.current || rows.length === 0 || !isTyped) return;
    isBusy.current = true;
    setFailure('');
    setStep({ is: 'deleting', done: 0 });
    announce('Deleting...');
    const { deleted, gone, refused, failure } = await execute(client, rows.map(({ id }) => id), done => setStep({ is: 'deleting', done }));
    isBusy.current = false;
    if (failure) {
      const dealtWith = new Set([...deleted, ...gone]);
      setRows(rows.filter(({ id }) => !dealtWith.has(id)));
      setFailure(`${sentence(failure)} Retry: what was deleted meanwhile is not deleted twice.`);
      setTyped('');
      finish(deleted, gone, 1);
      return setStep({ is: 'asking' });
    }
    finish(deleted, gone, refused.length);
    if (refused.length) setStep({ is: 'stayed', refused });
  };

  const isDeleting = step.is === 'deleting';
  const label = isDeleting ? 'Deleting...' : 'Delete Permanently';
  const names = new Map(rows.map(row => [row.id, nameOf(row)]));
  return (
    <Question
      title={step.is === 'stayed' ? 'Some predictions were not deleted' : ids.length === 1 ? 'Delete Prediction?' : 'Delete Selected Predictions'}
      isBusy={isDeleting}
      onClose={onClose}
      buttons={
        <>
          <Button onPress={onClose} isDisabled={isDeleting}>
            {step.is === 'stayed' ? 'Close' : ids.length === 1 ? 'Keep Prediction' : 'Keep Predictions'}
          </Button>
          {step.is === 'unreadable' ? (
            <Button look="primary" onPress={() => void look()}>
              Retry
            </Button>
          ) : (
            step.is !== 'stayed' && (
              <Button look="danger" isDisabled={step.is !== 'asking' || !isTyped} onPress={() => void run()}>
                {failure && !isDeleting ? `Retry: ${label}` : label}
              </Button>
            )
          )}
        </>
      }
    >
      {step.is === 'reading' ? (
        <div className="dialog-skeleton" role="status">
          <span className="hidden-text">Looking up what would be deleted</span>
          {['long', 'long', 'short'].map((shape, at) => (
            <span key={at} className={`bone ${shape}`} aria-hidden="true" />
          ))}
        </div>
      ) : step.is === 'unreadable' ? (
        <p className="problem" role="alert">
          What would be deleted could not be looked up. {step.why}
        </p>
      ) : step.is === 'stayed' ? (
        <div className="refusals">
          <strong>{counted(step.refused.length, 'prediction stays', 'predictions stay')}:</strong>
          <ul>
            {step.refused.map(refused => (
              <li key={refused.id}>
                <span className="refused-name">{names.get(refused.id) ?? refused.id}</span>
                <span className="hint">{because(refused)}</span>
              </li>
            ))}
          </ul>
        </div>
      ) : (
        <>
          <p>
            This deletes <strong>{predictions(rows.length)}</strong>
            {rows.length === 1 && rows[0] && (
              <>
                : <span className="refused-name">{nameOf(rows[0])}</span>
              </>
            )}
            . This action cannot be undone.
          </p>
          <Facts rows={rows} />
          <TypedCount predictions={rows.length} typed={typed} isDisabled={isDeleting} onChange={setTyped} />
          {step.is === 'deleting' && step.done > 0 && (
            <p role="status">
              {number(step.done)} of {number(rows.length)}
            </p>
          )}
          {failure && !isDeleting && (
            <p className="problem" role="alert">
              {failure}
            </p>
          )}
        </>
      )}
    </Question>
  );
}
