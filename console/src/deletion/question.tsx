// What the questions before jobs and before predictions are deleted have in common.
import { Button } from '../ui/button';
import { Question } from '../ui/dialog';
import { number } from '../ui/text';

/** How far such a question is: what goes is looked up, could not be, is shown, is being deleted, or some of it stays. */
type Standing = 'reading' | 'unreadable' | 'asking' | 'deleting' | 'stayed';

/** What is said behind the reason why a deletion failed. */
export const NOT_TWICE = 'Retry: what was deleted meanwhile is not deleted twice.';

/** How many names are listed before the rest is counted. */
const NAMED = 5;

/** What goes, by its names: the first few of them, and how many more there are. */
export function Names({ names }: { names: readonly string[] }) {
  const left = names.length - NAMED;
  // One more name takes no more room than to say that there is one.
  const shown = left > 1 ? names.slice(0, NAMED) : names;
  return (
    <ul className="going">
      {shown.map((name, at) => (
        <li key={at} className="refused-name">
          {name}
        </li>
      ))}
      {left > 1 && <li>and {number(left)} more</li>}
    </ul>
  );
}

/** What is deleted, in words; `only` is what it is called where it is one. */
export function Goes({ what, only }: { what: string; only: string | undefined }) {
  return (
    <p>
      This deletes <strong>{what}</strong>
      {only !== undefined && (
        <>
          : <span className="refused-name">{only}</span>
        </>
      )}
      . This action cannot be undone.
    </p>
  );
}

interface Props {
  standing: Standing;
  title: string;
  /** What answers no. */
  keep: string;
  /** What deletes it, and whether it can be pressed. */
  does: string;
  isReady: boolean;
  /** Something is under way that closing would hide. */
  isBusy: boolean;
  /** Why what goes could not be looked up. */
  why: string;
  /** Why it was not deleted. */
  failure: string;
  onLook: () => void;
  onConfirm: () => void;
  onClose: () => void;
  children: React.ReactNode;
}

/** A question before something is deleted for good; `children` say what goes, or what stays. */
export function DeletionQuestion(props: Props) {
  const { standing, title, keep, does, isReady, isBusy, why, failure, onLook, onConfirm, onClose, children } = props;
  const isDeleting = standing === 'deleting';
  return (
    <Question
      title={title}
      isBusy={isBusy}
      onClose={onClose}
      buttons={
        <>
          <Button onPress={onClose} isBusy={isBusy}>
            {standing === 'stayed' ? 'Close' : keep}
          </Button>
          {standing === 'unreadable' ? (
            <Button look="primary" onPress={onLook}>
              Retry
            </Button>
          ) : (
            standing !== 'stayed' && (
              <Button look="danger" isBusy={isDeleting} isDisabled={!isReady && !isDeleting} onPress={onConfirm}>
                {isDeleting ? 'Deleting...' : failure ? `Retry: ${does}` : does}
              </Button>
            )
          )}
        </>
      }
    >
      {standing === 'reading' ? (
        <div className="dialog-skeleton" role="status">
          <span className="hidden-text">Looking up what would be deleted</span>
          {['long', 'long', 'short'].map((shape, at) => (
            <span key={at} className={`bone ${shape}`} aria-hidden="true" />
          ))}
        </div>
      ) : standing === 'unreadable' ? (
        <p className="problem" role="alert">
          What would be deleted could not be looked up. {why}
        </p>
      ) : (
        <>
          {children}
          {failure && standing === 'asking' && (
            <p className="problem" role="alert">
              {failure}
            </p>
          )}
        </>
      )}
    </Question>
  );
}
