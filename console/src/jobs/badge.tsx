import type { JobStatus } from '../api/graphql';
import { statusText } from './status';

/** The state of a job, by its word and its colour. */
export function StatusBadge({ status }: { status: JobStatus }) {
  return <span className={`badge ${status.toLowerCase()}`}>{statusText(status)}</span>;
}
