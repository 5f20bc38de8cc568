import { useCallback, useEffect, useRef, useState } from 'react';
import type { CombinedError } from 'urql';
import { useServer } from '../server/client';
import { sentence } from '../server/failure';
import { announce } from '../ui/announce';
import { Checkbox } from '../ui/checkbox';
import { Warning } from '../ui/icons';
import { sum } from '../ui/sum';
import { counted } from '../ui/text';
import { tell } from '../ui/toasts';
import { execute } from './execute';
import { Facts, Refusals } from './facts';
import { linked, type Preview, read, type Refused, whatGoes } from './preview';
import { DeletionQuestion, Goes, Names, NOT_TWICE } from './question';
import { isConfirmed, TypedCount } from './typed-count';

/** After this time a deletion is said to take long, in milliseconds. */
const LONG = 10_000;
/** The pauses between looks whether a deletion that takes long has ended, in seconds; the last one goes on. */
const LOOKS = [2, 4, 8, 15, 30];

interface Props {
  ids: readonly string[];
  /** These are gone, whoever deleted them. */
  onGone: (ids: readonly string[]) => void;
  onClose: () => void;
}

type Step =
  | { is: 'reading' }
  | { is: 'unreadable'; why: string }
  | { is: 'asking'; notice?: string }
  | { is: 'deleting'; isLong: boolean }
  | { is: 'stayed'; refused: readonly Refused[] };

/** Shows what deleting jobs would do, and does it once it is confirmed. */
export function DeleteDialog({ ids, onGone, onClose }: Props) {
  const { client } = useServer();
  const single = ids.length === 1;
  const [step, setStep] = useState<Step>({ is: 'reading' });
  const [preview, setPreview] = useState<Preview | undefined>(undefined);
  const [withPredictions, setWithPredictions] = useState(false);
  const [withActive, setWithActive] = useState(false);
  const [typed, setTyped] = useState('');
  const [failure, setFailure] = useState('');
  /** It became active since it was shown. */
  const [isForced, setIsForced] = useState(false);
  const isOpen = useRef(true);
  const isBusy = useRef(false);
  useEffect(() => {
    isOpen.current = true;
    return () => void (isOpen.current = false);
  }, []);

  /** Who shows the dialog may do so anew at each event of the job; what is asked here stays as it was asked. */
  const told = useRef({ onGone, onClose });
  told.current = { onGone, onClose };

  /** Takes away what is gone, and closes where nothing is left. */
  const finish = useCallback(
    (deleted: readonly string[], gone: readonly string[], left: number) => {
      if (deleted.length + gone.length) told.current.onGone([...deleted, ...gone]);
      const [one] = [...deleted, ...gone];
      const count = deleted.length + gone.length;
      if (count) {
        const title = deleted.length === 0 && count === 1 ? 'This job has already been deleted.' : count === 1 ? 'Job deleted successfully' : `${counted(count, 'job')} deleted successfully`;
        const text = deleted.length && gone.length ? `${counted(gone.length, 'job')} of them had been deleted before.` : deleted.length === 0 && count > 1 ? 'All of them had been deleted before.' : undefined;
        // The list of receipts begins with the newest, which are these.
        const link = count === 1 && one ? { href: `/console/receipts/${one}`, text: 'Show the receipt' } : { href: '/console/receipts', text: 'Show the receipts' };
        tell({ title, text, links: [link] });
      }
      if (left === 0 && isOpen.current) told.current.onClose();
    },
    [],
  );

  const look = useCallback(
    async (of: readonly string[], notice?: string) => {
      setStep({ is: 'reading' });
      setTyped('');
      try {
        const found = await read(client, of);
        if (!isOpen.current) return;
        const left = found.ended.length + found.active.length + found.refused.length;
        setPreview(found);
        setStep({ is: 'asking', notice });
        if (found.gone.length) finish([], found.gone, left);
      } catch (error) {
        if (isOpen.current) setStep({ is: 'unreadable', why: sentence(error as CombinedError) });
      }
    },
    [client, finish],
  );
  const all = ids.join();
  useEffect(() => void look(all.split(',')), [all, look]);

  const { ended = [], active = [], refused = [] } = preview ?? {};
  const force = active.length > 0 && (single || withActive);
  const going = force ? [...ended, ...active] : ended;
  const predictions = sum(going, linked);
  const deleted = withPredictions ? predictions : 0;
  const isTyped = isConfirmed(deleted, typed);
  const left = force ? [] : active;

  const run = async () => {
    if (isBusy.current || going.length === 0 || !isTyped) return;
    isBusy.current = true;
    setFailure('');
    setStep({ is: 'deleting', isLong: false });
    announce('Deleting...');
    const gone = new Set<string>();
    let looks = 0;
    let timer = window.setTimeout(function slow() {
      setStep({ is: 'deleting', isLong: true });
      // The answer may be lost where the deletion is not: the server knows what is gone.
      void read(client, going.map(({ job }) => job.id))
        .then(found => {
          found.gone.forEach(id => gone.add(id));
          if (gone.size === going.length) settle();
        })
        .catch(() => {})
        .finally(() => {
          const pause = LOOKS[Math.min(looks++, LOOKS.length - 1)] ?? 30;
          if (isBusy.current) timer = window.setTimeout(slow, pause * 1000);
        });
    }, LONG);
    const settle = () => {
      window.clearTimeout(timer);
      if (!isBusy.current) return;
      isBusy.current = false;
      finish([...gone], [], refused.length + left.length);
      if (refused.length + left.length) void look([...refused.map(({ jobId }) => jobId), ...left.map(({ job }) => job.id)]);
    };
    const outcome = await execute(client, going, withPredictions, force || isForced);
    window.clearTimeout(timer);
    if (!isBusy.current) return;
    isBusy.current = false;

    const { deleted, gone: before, refused: now, failure } = outcome;
    if (failure) {
      finish(deleted, before, 1);
      setFailure(`${sentence(failure)} ${NOT_TWICE}`);
      return setStep({ is: 'asking' });
    }
    finish(deleted, before, now.length);
    const stale = now.filter(({ error }) => error.code === 'PREVIEW_STALE');
    const started = now.filter(({ error }) => error.code === 'JOB_IN_PROGRESS' || error.code === 'INVALID_STATE');
    const again = now.map(({ jobId }) => jobId);
    if (stale.length) {
      return look(again, 'The number of predictions has changed since it was shown. Nothing of it was deleted: look again.');
    }
    if (started.length && single) {
      setIsForced(true);
      return look(again, 'The job became active meanwhile. Deleting it now cancels it.');
    }
    if (now.length) setStep({ is: 'stayed', refused: now });
  };

  const isDeleting = step.is === 'deleting';
  const isLong = step.is === 'deleting' && step.isLong;
  const [one] = [...going, ...active];
  const stays = (count: number) => `${counted(count, 'job stays', 'jobs stay')}:`;

  return (
    <DeletionQuestion
      standing={step.is}
      title={step.is === 'stayed' ? 'Some jobs were not deleted' : single ? 'Delete Job?' : 'Delete Selected Jobs'}
      keep={isLong ? 'Close' : single ? 'Keep Job' : 'Keep Jobs'}
      does={isForced ? 'Force Delete' : force ? 'Cancel & Delete' : 'Delete Permanently'}
      isReady={step.is === 'asking' && going.length > 0 && isTyped}
      isBusy={isDeleting && !isLong}
      why={step.is === 'unreadable' ? step.why : ''}
      failure={failure}
      onLook={() => void look(ids)}
      onConfirm={() => void run()}
      onClose={onClose}
    >
      {step.is === 'stayed' ? (
        <Refusals jobs={step.refused} title={stays(step.refused.length)} />
      ) : (
        <>
          {step.is === 'asking' && step.notice && (
            <p className="dialog-warning" role="alert">
              <Warning />
              {step.notice}
            </p>
          )}
          {going.length > 0 && <Goes what={whatGoes(going.length, deleted)} only={single ? one?.job.fileName : undefined} />}
          {going.length > 0 && !single && <Names names={going.map(({ job }) => job.fileName)} />}
          {force && (
            <p className="dialog-warning">
              <Warning />
              {single
                ? 'The job has not ended: deleting it cancels it. What it stores until then is dealt with in the same way.'
                : `${counted(active.length, 'job has', 'jobs have')} not ended: deleting cancels them. What they store until then is dealt with in the same way.`}
            </p>
          )}
          {going.length > 0 && <Facts items={going} deletePredictions={withPredictions} />}
          {!single && active.length > 0 && (
            <Checkbox isSelected={withActive} isDisabled={isDeleting} onChange={setWithActive}>
              <span>
                Cancel and delete {counted(active.length, 'active job')} too
                <Names names={active.map(({ job }) => job.fileName)} />
              </span>
            </Checkbox>
          )}
          {predictions > 0 && (
            <Checkbox isSelected={withPredictions} isDisabled={isDeleting} onChange={setWithPredictions}>
              Also delete the predictions {single ? 'it' : 'they'} made
            </Checkbox>
          )}
          <TypedCount predictions={deleted} typed={typed} isDisabled={isDeleting} onChange={setTyped} />
          {refused.length > 0 && (
            <Refusals
              jobs={refused}
              title={single || going.length === 0 ? 'This cannot be deleted:' : stays(refused.length)}
            />
          )}
          {isLong && (
            <p className="dialog-warning" role="status">
              Deletion is taking longer than expected. Check back in a few minutes.
            </p>
          )}
        </>
      )}
    </DeletionQuestion>
  );
}
