import { useRef, useState } from 'react';
import { Link, ProgressBar } from 'react-aria-components';
import { RunRetentionDocument } from '../api/graphql';
import { useServer } from '../server/client';
import { sentence } from '../server/failure';
import { announce } from '../ui/announce';
import { Button } from '../ui/button';
import { Question } from '../ui/dialog';
import { Warning } from '../ui/icons';
import { counted, exactly, number, size } from '../ui/text';
import type { Followed, Run } from './follow';
import { asInput, isOff, outcome, type Rules } from './words';

/** What the dry run showed. */
export interface Due {
  readonly at: string;
  readonly rules: Rules;
  readonly clean: number;
  readonly delete: number;
  readonly bytes: number;
}

/** What cleaning leaves, by the rules that clean. */
function cleaning({ completed, failed, cancelled }: Rules): string {
  const rules = [completed, failed, cancelled].filter(rule => rule.action === 'CLEAN' && !isOff(rule));
  const keeping = rules.filter(rule => rule.keepLogs).length;
  const but = keeping === 0 ? '' : keeping === rules.length ? ', but for their logs' : ', but for the logs that a rule keeps';
  return `Their files are removed${but}. The jobs, their row errors and their predictions stay.`;
}

/** What becomes of the predictions of deleted jobs, by the rules that delete. */
function fate({ completed, failed, cancelled }: Rules): string {
  const deleting = [completed, failed, cancelled].filter(rule => rule.action === 'DELETE' && !isOff(rule));
  const going = deleting.filter(rule => rule.deletePredictions).length;
  if (going === 0) return 'The predictions of deleted jobs are kept and lose their link for good.';
  if (going === deleting.length) return 'The predictions of deleted jobs are deleted with them.';
  return 'The predictions of deleted jobs are deleted with them, or kept without their link, as the list says.';
}

/** How far a run is. */
export function RunProgress({ run, total }: { run: Run; total?: number }) {
  const done = run.cleaned + run.deleted + run.failed;
  const text = total === undefined ? `${counted(done, 'job')} so far` : `${number(Math.min(done, total))} of ${counted(total, 'job')}`;
  const part = (count: number) => (total ? `${Math.min(100, (count / total) * 100)}%` : '0%');
  return (
    <div className="progress">
      <ProgressBar
        aria-label="Progress of the run"
        isIndeterminate={total === undefined}
        value={done}
        maxValue={total || 1}
        valueLabel={text}
        className="progress-bar"
      >
        <span className="progress-good" style={{ width: part(run.cleaned + run.deleted) }} />
        <span className="progress-bad" style={{ width: part(run.failed) }} />
      </ProgressBar>
      <span className="progress-text">{text}</span>
    </div>
  );
}

interface Props {
  due: Due;
  /** The run that this dialog began, as it goes on. */
  followed: Followed;
  onBegun: (run: Run) => void;
  onClose: () => void;
}

/** Asks once more, begins a run of exactly what was shown, and follows it to its end. */
export function RunDialog({ due, followed: { run, problem: lost }, onBegun, onClose }: Props) {
  const { client } = useServer();
  const [isBeginning, setIsBeginning] = useState(false);
  const [problem, setProblem] = useState('');
  const isBusy = useRef(false);
  const total = due.clean + due.delete;

  const begin = async () => {
    if (isBusy.current || run) return;
    isBusy.current = true;
    setIsBeginning(true);
    setProblem('');
    announce('Running...');
    const variables = { at: due.at, policy: asInput(due.rules) };
    const { data, error } = await client.mutation(RunRetentionDocument, variables).toPromise();
    isBusy.current = false;
    setIsBeginning(false);
    const payload = data?.runRetention;
    if (payload?.run) return onBegun(payload.run);
    const [refused] = payload?.userErrors ?? [];
    if (refused) return setProblem(refused.code === 'FORBIDDEN' ? `${refused.message} Ask an operator of the server.` : refused.message);
    setProblem(`${error ? sentence(error) : 'The server did not answer.'} Retry: no job is dealt with twice.`);
  };

  const isOver = run?.finishedAt != null;
  const what = [due.clean && `cleans ${counted(due.clean, 'job')}`, due.delete && `deletes ${counted(due.delete, 'job')}`];
  return (
    <Question
      title={!run ? 'Run Retention?' : isOver ? 'Retention has run' : 'Running...'}
      isBusy={isBeginning}
      onClose={onClose}
      buttons={
        run ? (
          <>
            <Button onPress={onClose}>Close</Button>
            {isOver && (
              <Link className="button primary" href={`/console/retention/runs/${run.id}`}>
                Show What Was Done
              </Link>
            )}
          </>
        ) : (
          <>
            <Button onPress={onClose} isBusy={isBeginning}>
              Cancel
            </Button>
            <Button look="danger" onPress={() => void begin()} isBusy={isBeginning}>
              {isBeginning ? 'Running...' : problem ? 'Retry: Run Retention' : 'Run Retention'}
            </Button>
          </>
        )
      }
    >
      {!run ? (
        <>
          <p>
            This <strong>{what.filter(Boolean).join(' and ')}</strong>, and frees {size(due.bytes)}. This action cannot be undone.
          </p>
          <dl className="facts">
            {due.clean > 0 && (
              <>
                <dt>Cleaned</dt>
                <dd>
                  {counted(due.clean, 'job')}
                  <span className="hint">{cleaning(due.rules)}</span>
                </dd>
              </>
            )}
            {due.delete > 0 && (
              <>
                <dt>Deleted</dt>
                <dd>
                  {counted(due.delete, 'job')}
                  <span className="hint">{fate(due.rules)}</span>
                </dd>
              </>
            )}
            <dt>As shown at</dt>
            <dd>
              {exactly(due.at)}
              <span className="hint">Jobs that have become due since stay, and so do those that were put on hold. One whose hold was lifted since goes by its rule.</span>
            </dd>
          </dl>
          {problem && (
            <p className="problem" role="alert">
              {problem}
            </p>
          )}
        </>
      ) : isOver ? (
        <>
          <p role="status">
            <strong>{outcome(run)}</strong>, {size(run.bytesFreed)} freed.
          </p>
          {run.failed > 0 && (
            <p className="dialog-warning">
              <Warning />
              {counted(run.failed, 'job')} could not be dealt with: what was done says why. The next run tries again.
            </p>
          )}
        </>
      ) : (
        <>
          <RunProgress run={run} total={total} />
          {lost ? (
            <p className="problem" role="alert">
              {lost} The run goes on at the server.
            </p>
          ) : (
            <p className="hint">The run goes on at the server, also when this page is left.</p>
          )}
        </>
      )}
    </Question>
  );
}
