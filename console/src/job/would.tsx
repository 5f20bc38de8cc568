import { useQuery } from 'urql';
import { DeletionPreviewDocument, type JobDetailsFragment } from '../api/graphql';
import { Facts } from '../deletion/facts';
import { refused, sentence } from '../server/failure';
import { useFresh } from '../server/fresh';
import { Button } from '../ui/button';
import { exactly } from '../ui/text';

interface Props {
  job: JobDetailsFragment;
  isActive: boolean;
  /** Whether the viewer is one of those who put jobs on hold. */
  isAdministrator: boolean;
  news: number;
  onHold: () => void;
  onLift: () => void;
}

/** What deleting a job would do, and what forbids it. */
export function Would({ job, isActive, isAdministrator, news, onHold, onLift }: Props) {
  const variables = { ids: [job.id], force: true };
  const [{ data, error, fetching }, ask] = useQuery({ query: DeletionPreviewDocument, variables, requestPolicy: 'cache-and-network' });
  const { hold } = job;
  // Its own hold is known before the event that tells of it.
  useFresh(`${news} ${hold?.at}`, fetching, () => ask({ requestPolicy: 'network-only' }));
  const [refusal] = data?.deletionPreview?.refused ?? [];
  const deletable = data?.deletionPreview?.deletable ?? [];
  return (
    <section className="section" aria-labelledby="would">
      <div className="section-head">
        <h2 id="would">What deleting would do</h2>
        {hold && isAdministrator && <Button onPress={onLift}>Lift Hold</Button>}
        {job.can.hold && <Button onPress={onHold}>Put on Hold</Button>}
      </div>
      {hold ? (
        <dl className="facts">
          <dt>On hold</dt>
          <dd>
            {hold.reason}
            <span className="hint">
              Since {exactly(hold.at)}
              {hold.by && `, by ${hold.by.name}`}. Nobody can delete the job until the hold is lifted.
              {!isAdministrator && ' An administrator can lift it.'}
            </span>
          </dd>
        </dl>
      ) : refusal ? (
        <p>{refused(refusal.error)}</p>
      ) : deletable.length > 0 ? (
        <>
          {isActive && <p>The job has not ended: deleting it cancels it. The numbers are those so far.</p>}
          <Facts items={deletable} />
        </>
      ) : error ? (
        <p className="problem" role="alert">
          What deleting would do could not be looked up. {sentence(error)}{' '}
          <Button look="quiet" onPress={() => ask({ requestPolicy: 'network-only' })}>
            Retry
          </Button>
        </p>
      ) : (
        <div role="status">
          <span className="hidden-text">Looking up what deleting would do</span>
          <span className="bone long" aria-hidden="true" />
        </div>
      )}
    </section>
  );
}
