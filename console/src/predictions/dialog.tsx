import { useCallback, useEffect, useRef, useState } from 'react';
import type { CombinedError } from 'urql';
import { bySource } from '../deletion/preview';
import { DeletionQuestion, Goes, Names, NOT_TWICE } from '../deletion/question';
import { isConfirmed, TypedCount } from '../deletion/typed-count';
import { useServer } from '../server/client';
import { refused, sentence } from '../server/failure';
import { announce } from '../ui/announce';
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

/** The refusal of a missing right names them already. */
const because = (error: Refused): string => (error.code === 'FORBIDDEN' ? error.message : refused(error));

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
    const { deleted, gone, refused: stayed, failure } = await execute(client, rows.map(({ id }) => id), done => setStep({ is: 'deleting', done }));
    isBusy.current = false;
    if (failure) {
      const dealtWith = new Set([...deleted, ...gone]);
      setRows(rows.filter(({ id }) => !dealtWith.has(id)));
      setFailure(`${sentence(failure)} ${NOT_TWICE}`);
      setTyped('');
      finish(deleted, gone, 1);
      return setStep({ is: 'asking' });
    }
    finish(deleted, gone, stayed.length);
    if (stayed.length) setStep({ is: 'stayed', refused: stayed });
  };

  const isDeleting = step.is === 'deleting';
  const names = new Map(rows.map(row => [row.id, nameOf(row)]));
  return (
    <DeletionQuestion
      standing={step.is}
      title={step.is === 'stayed' ? 'Some predictions were not deleted' : ids.length === 1 ? 'Delete Prediction?' : 'Delete Selected Predictions'}
      keep={ids.length === 1 ? 'Keep Prediction' : 'Keep Predictions'}
      does="Delete Permanently"
      isReady={step.is === 'asking' && isTyped}
      isBusy={isDeleting}
      why={step.is === 'unreadable' ? step.why : ''}
      failure={failure}
      onLook={() => void look()}
      onConfirm={() => void run()}
      onClose={onClose}
    >
      {step.is === 'stayed' ? (
        <div className="refusals">
          <strong>{counted(step.refused.length, 'prediction stays', 'predictions stay')}:</strong>
          <ul>
            {step.refused.map(refusal => (
              <li key={refusal.id}>
                <span className="refused-name">{names.get(refusal.id) ?? refusal.id}</span>
                <span className="hint">{because(refusal)}</span>
              </li>
            ))}
          </ul>
        </div>
      ) : (
        <>
          <Goes what={predictions(rows.length)} only={rows.length === 1 && rows[0] ? nameOf(rows[0]) : undefined} />
          {rows.length > 1 && <Names names={rows.map(nameOf)} />}
          <Facts rows={rows} />
          <TypedCount predictions={rows.length} typed={typed} isDisabled={isDeleting} onChange={setTyped} />
          {step.is === 'deleting' && step.done > 0 && (
            <p role="status">
              {number(step.done)} of {number(rows.length)}
            </p>
          )}
        </>
      )}
    </DeletionQuestion>
  );
}
