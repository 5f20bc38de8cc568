// How runs of the backfill stand, what they rest on, and why they left a prediction, in words.
import type { BackfillStatus, UnresolvedReason } from '../api/graphql';

export const STATUSES: Record<BackfillStatus, { readonly text: string; readonly look: string; readonly hint?: string }> = {
  RUNNING: { text: 'Running', look: 'running', hint: 'What it comes to is counted at its end.' },
  COMPLETED: { text: 'Completed', look: 'completed' },
  INTERRUPTED: { text: 'Interrupted', look: 'failed', hint: 'It goes on when the same command is given again.' },
  UNDONE: { text: 'Undone', look: 'cancelled', hint: 'Its links were taken back.' },
};

export const REASONS: Record<UnresolvedReason, { readonly text: string; readonly hint: string }> = {
  AMBIGUOUS: { text: 'Ambiguous', hint: 'Two jobs or more could have made it, or a job and a hand.' },
  CONTRADICTED: { text: 'Contradicted', hint: 'Counts, times or files disagree.' },
  BY_HAND: { text: 'By hand', hint: 'No job explains it.' },
  JOB_DELETED: { text: 'Job deleted', hint: 'The job that made it is gone.' },
  NO_CANDIDATE: { text: 'No candidate', hint: 'No evidence names a job.' },
};
