import type { JobStatus } from '../api/graphql';
import { STATUSES } from './wanted';

/** The state of a job, by its word and its colour. */
export function StatusBadge({ status }: { status: JobStatus }) {
  return (
    <span className={`badge ${status.toLowerCase()}`}>
      {STATUSES.find(({ value }) => value === status)?.text ?? status}
    </span>
  );
}
