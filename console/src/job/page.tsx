import { useCallback, useEffect, useState } from 'react';
import { Link } from 'react-aria-components';
import type { JobDetailsFragment, JobQuery } from '../api/graphql';
import { reasonInWords } from '../audit/words';
import { CancelDialog } from '../cancellation/dialog';
import { DeleteDialog } from '../deletion/dialog';
import { remark } from '../jobs/actions';
import { StatusBadge } from '../jobs/badge';
import { JobProgress } from '../jobs/progress';
import { isActive as isActiveAt } from '../jobs/status';
import { KINDS, ORIGINS } from '../jobs/wanted';
import type { PageProps } from '../pages';
import { useLiveState } from '../server/client';
import { isSignedOut, sentence } from '../server/failure';
import { announce } from '../ui/announce';
import { Button } from '../ui/button';
import { ChevronLeft, Lock, Warning } from '../ui/icons';
import { useKeptPlace } from '../ui/kept-place';
import { Empty, Failed, Notice } from '../ui/states';
import { sum } from '../ui/sum';
import { counted, dayAndTime, exactly, number, size } from '../ui/text';
import { useTitle } from '../ui/title';
import { Files } from './files';
import { useJob } from './found';
import { HoldDialog, LiftDialog } from './hold';
import { Phases } from './phases';
import { Predictions } from './predictions';
import { useRetry } from './retry';
import { Risks } from './risks';
import { RowErrors } from './row-errors';
import { Would } from './would';

type Asked = 'cancel' | 'delete' | 'hold' | 'lift' | 'clean' | undefined;

/** What says why the job cannot be deleted. */
const WHY = 'why-not';

function JobSkeleton() {
  return (
    <div className="page job" role="status">
      <span className="hidden-text">Loading the job</span>
      <div className="skeleton" aria-hidden="true">
        {['long', 'bar', 'long', 'long', 'long'].map((shape, at) => (
          <div key={at} className="skeleton-row">
            <span className="bone short" />
            <span className={`bone ${shape}`} />
          </div>
        ))}
      </div>
    </div>
  );
}

/** The job is gone, and what remains of it. */
function Deleted({ receipt }: { receipt: NonNullable<JobQuery['deletionReceipt']> }) {
  const { jobId, fileName, deletedAt, deletedBy, trigger } = receipt;
  const who = deletedBy ? ` by ${deletedBy.name}` : trigger === 'RETENTION' ? ' by the retention policy' : '';
  useEffect(() => announce('This job was deleted.'), []);
  return (
    <Empty whole title="This job was deleted">
      <p>
        <span className="refused-name">{fileName}</span> was deleted on {dayAndTime(deletedAt)}
        {who}.
      </p>
      <Link className="button primary" href={`/console/receipts/${jobId}`}>
        Show the Receipt
      </Link>
      <Link className="button quiet" href="/console/jobs">
        Show the Jobs
      </Link>
    </Empty>
  );
}

/** What a cancelled job still takes up, for who may delete it. */
function Storage({ job }: { job: JobDetailsFragment }) {
  const { artifacts } = job;
  const takes = artifacts.length > 0 && ` and left ${counted(artifacts.length, 'file')} of ${size(sum(artifacts, file => file.size))}`;
  return (
    <div className="notice plain">
      <span>
        This job was cancelled{takes}. It can be deleted to free its storage.
      </span>
    </div>
  );
}

function Details({ job }: { job: JobDetailsFragment }) {
  const { id, kind, origin, fileSize, createdBy, organization, cancellation, progress } = job;
  const { total, processed, succeeded, failed } = progress;
  return (
    <dl className="facts card-facts">
      <dt>Job</dt>
      <dd>
        <code>{id}</code>
      </dd>
      <dt>Kind</dt>
      <dd>{KINDS.find(({ value }) => value === kind)?.text}</dd>
      {fileSize !== null && (
        <>
          <dt>File size</dt>
          <dd>{size(fileSize)}</dd>
        </>
      )}
      <dt>Created by</dt>
      <dd>
        {createdBy?.name ?? <span className="nothing">–</span>}
        <span className="hint">{organization ? organization.name : 'In a personal space'}</span>
      </dd>
      {origin === 'ADOPTED' && (
        <>
          <dt>Made by</dt>
          <dd>{ORIGINS.find(({ value }) => value === origin)?.text}</dd>
        </>
      )}
      <dt>Rows</dt>
      <dd>
        {total === null ? 'not counted' : number(total)}
        <span className="hint">
          {number(processed)} read, {number(succeeded)} stored, {number(failed)} not stored
        </span>
      </dd>
      {cancellation && (
        <>
          <dt>Cancellation</dt>
          <dd>
            {reasonInWords(cancellation.reason)}
            {cancellation.notes && <span className="notes">{cancellation.notes}</span>}
            <span className="hint">
              {exactly(cancellation.at)}
              {cancellation.by && `, by ${cancellation.by.name}`}
            </span>
          </dd>
        </>
      )}
    </dl>
  );
}

/** Everything about one job. */
export function JobPage({ id, viewer }: PageProps) {
  const { job, receipt, error, fetching, news, refresh, retry: again } = useJob(id);
  const { retry, problem, isBusy, forget, isAsking, dialog: retrying } = useRetry();
  const { standing } = useLiveState();
  const [asked, setAsked] = useState<Asked>(undefined);
  useKeptPlace(asked !== undefined || isAsking);
  const close = useCallback(() => setAsked(undefined), []);
  const onGone = useCallback(() => void refresh(), [refresh]);

  const name = job?.fileName ?? receipt?.fileName;
  useTitle(name ?? 'Job');
  const status = job?.status;
  useEffect(() => {
    if (status) announce(`${name}: ${status.toLowerCase()}`);
  }, [status, name]);

  // A dialog about the job outlives it: it says what became of the deletion.
  const dialogs = (
    <>
      {asked === 'delete' && <DeleteDialog ids={[id]} onGone={onGone} onClose={close} />}
      {retrying}
      {job && asked === 'cancel' && <CancelDialog job={job} onClose={close} />}
      {job && asked === 'hold' && <HoldDialog job={job} onClose={close} />}
      {job && asked === 'lift' && <LiftDialog job={job} onClose={close} />}
    </>
  );

  const content = () => {
    if (!job) {
      return (
        <>
          {receipt ? (
            <Deleted receipt={receipt} />
          ) : error ? (
            <Failed whole title="The job could not be loaded" reason={sentence(error)} onRetry={again} />
          ) : fetching ? (
            <JobSkeleton />
          ) : (
            <Empty whole title="No such job">
              <p>There is no job by this id, or you do not have access to it.</p>
              <Link className="button primary" href="/console/jobs">
                Show the Jobs
              </Link>
            </Empty>
          )}
        </>
      );
    }

    const isActive = isActiveAt(job.status);
    const { can, hold, progress, errorMessage } = job;
    const mayDelete = can.delete || can.forceDelete;
    const why = remark(job);
    return (
      <div className="page job">
        <Link className="back" href="/console/jobs">
          <ChevronLeft />
          Jobs
        </Link>
        <div className="job-head">
          <h1>{job.fileName}</h1>
          <StatusBadge status={job.status} />
          {hold && (
            <span className="held">
              <Lock />
              On hold
            </span>
          )}
          <div className="job-actions">
            {can.retry && (
              <Button isBusy={isBusy} onPress={() => retry(job)}>
                {isBusy ? 'Starting...' : 'Retry Job'}
              </Button>
            )}
            {can.cancel && <Button onPress={() => setAsked('cancel')}>Cancel Job</Button>}
            {(mayDelete || hold) && (
              <Button look="danger" isDisabled={!mayDelete} aria-describedby={why && WHY} onPress={() => setAsked('delete')}>
                Delete Job
              </Button>
            )}
          </div>
        </div>
        {why && (
          <p id={WHY} className="job-remark">
            {why}
          </p>
        )}
        {problem && <Notice said={`The file was not run again. ${problem}`} does="Close" onPress={forget} />}
        {error && !isSignedOut(error) && standing !== 'lost' && (
          <Notice said={`The job could not be refreshed. ${sentence(error)}`} does="Retry" onPress={again} />
        )}
        {job.status === 'CANCELLED' && mayDelete && <Storage job={job} />}
        {errorMessage && (
          <div className="notice">
            <Warning />
            <span>{errorMessage}</span>
          </div>
        )}
        <div className="job-progress">
          <JobProgress job={job} />
        </div>
        <Phases job={job} />
        <div className="job-overview">
          <Details job={job} />
          <Risks id={job.id} kind={job.kind} news={news} />
        </div>
        {progress.failed > 0 && <RowErrors id={job.id} fileName={job.fileName} first={10} news={news} />}
        <Files job={job} isActive={isActive} isAsking={asked === 'clean'} onAsk={asks => setAsked(asks ? 'clean' : undefined)} />
        <Would
          job={job}
          isActive={isActive}
          isAdministrator={viewer.role !== 'MEMBER'}
          news={news}
          onHold={() => setAsked('hold')}
          onLift={() => setAsked('lift')}
        />
        <Predictions job={job} isActive={isActive} news={news} />
      </div>
    );
  };
  return (
    <>
      {content()}
      {dialogs}
    </>
  );
}
