// Deletes what was shown, and says of each job what became of it.
import type { Client, CombinedError } from 'urql';
import { DeleteJobDocument, DeleteJobsDocument } from '../api/graphql';
import { isActive } from '../jobs/status';
import { chunks, type Deletable, linked, type Refused } from './preview';

export interface Outcome {
  readonly deleted: string[];
  /** Deleted before, by somebody else or by an attempt whose answer was lost. */
  readonly gone: string[];
  readonly refused: Refused[];
  /** Why the rest was not even tried, or may or may not have been done. */
  failure: CombinedError | undefined;
}

/** What was shown has to be true still; of a job that is at work it cannot be, and goes with it whatever it is then. */
const expectation = (item: Deletable): number | undefined => (isActive(item.job.status) ? undefined : linked(item));

/** Deletes these jobs as they were shown; a job of which another number is true now is refused. */
export async function execute(client: Client, shown: readonly Deletable[], deletePredictions: boolean, force: boolean): Promise<Outcome> {
  const outcome: Outcome = { deleted: [], gone: [], refused: [], failure: undefined };
  const refuse = (refusal: Refused) => {
    if (refusal.error.code === 'JOB_ALREADY_DELETED') outcome.gone.push(refusal.jobId);
    else outcome.refused.push(refusal);
  };
  const [only] = shown;
  if (only && shown.length === 1) {
    const variables = { id: only.job.id, deletePredictions, force, expectedPredictions: expectation(only) };
    const { data, error } = await client.mutation(DeleteJobDocument, variables).toPromise();
    const payload = data?.deleteJob;
    if (!payload) outcome.failure = error;
    else if (payload.deletedJobId) outcome.deleted.push(payload.deletedJobId);
    else payload.userErrors.forEach(error => refuse({ jobId: only.job.id, error, job: only.job }));
    return outcome;
  }
  for (const page of chunks(shown)) {
    const expected = page.flatMap(item => {
      const predictions = expectation(item);
      return predictions === undefined ? [] : [{ id: item.job.id, predictions }];
    });
    const variables = { ids: page.map(({ job }) => job.id), deletePredictions, force, expected };
    const { data, error } = await client.mutation(DeleteJobsDocument, variables).toPromise();
    const payload = data?.deleteJobs;
    if (!payload) {
      outcome.failure = error;
      break;
    }
    outcome.deleted.push(...payload.deletedJobIds);
    payload.refused.forEach(refuse);
    const [whole] = payload.userErrors;
    if (whole) page.forEach(({ job }) => outcome.refused.push({ jobId: job.id, error: whole, job }));
  }
  return outcome;
}
