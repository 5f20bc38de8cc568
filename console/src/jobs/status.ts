// The states of a job, in words, and which of them are not yet an end.
import type { JobStatus } from '../api/graphql';

export const STATUSES: readonly { readonly value: JobStatus; readonly text: string }[] = [
  { value: 'PENDING', text: 'Pending' },
  { value: 'RUNNING', text: 'Running' },
  { value: 'CANCELLING', text: 'Cancelling' },
  { value: 'COMPLETED', text: 'Completed' },
  { value: 'FAILED', text: 'Failed' },
  { value: 'CANCELLED', text: 'Cancelled' },
];

export const statusText = (status: JobStatus): string => STATUSES.find(({ value }) => value === status)?.text ?? status;

/** The job has not ended. */
export const isActive = (status: JobStatus): boolean => status === 'PENDING' || status === 'RUNNING' || status === 'CANCELLING';
