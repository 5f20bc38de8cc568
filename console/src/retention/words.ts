// The rules of retention in words.
import type { JobStatus, RetentionAction, RetentionPolicyInput, RetentionRulesFragment, RetentionTrigger } from '../api/graphql';
import { capital, counted } from '../ui/text';

export type Rules = RetentionRulesFragment;
export type Rule = Rules['completed'];

const UNITS: Readonly<Record<string, string>> = { s: 'second', m: 'minute', h: 'hour', d: 'day' };

/** "7 days" of "7d"; "never" of "never". */
export function age(after: string): string {
  const unit = UNITS[after.slice(-1)];
  const count = Number(after.slice(0, -1));
  return unit && Number.isSafeInteger(count) ? counted(count, unit) : after;
}

export const isOff = ({ after, action }: Rule): boolean => after === 'never' || action === 'KEEP';

/** The states that have a rule, in the order in which they are shown. */
export const STATES = ['completed', 'failed', 'cancelled'] as const;

const STATE_OF: Partial<Record<JobStatus, (typeof STATES)[number]>> = { COMPLETED: 'completed', FAILED: 'failed', CANCELLED: 'cancelled' };

export const titleOf = (state: (typeof STATES)[number]): string => `${capital(state)} jobs`;

/** When something is done to the jobs of a state, and what. */
export function when(rule: Rule): string {
  if (isOff(rule)) return 'Kept for ever';
  return `${rule.action === 'CLEAN' ? 'Cleaned' : 'Deleted'} ${age(rule.after)} after their end`;
}

/** What becomes of what belongs to them. */
export function consequence(rule: Rule): string {
  if (isOff(rule)) return 'Nothing is done to them.';
  if (rule.action === 'CLEAN') {
    return rule.keepLogs
      ? 'Their input and results are removed. The job, its log, its row errors and its predictions stay.'
      : 'Their input, results and log are removed. The job, its row errors and its predictions stay.';
  }
  return rule.deletePredictions
    ? 'They go with their files and the predictions linked to them. A receipt stays.'
    : 'They go with their files. Their predictions stay and lose their link; a receipt stays.';
}

/** By which rule something is done to a job that ended so. */
export function why(rules: Rules, status: JobStatus): string {
  const state = STATE_OF[status];
  return state ? `${titleOf(state)} are ${when(rules[state]).toLowerCase()}` : '';
}

/** The same rules as an argument: what was shown is what is done, also by a server that is set otherwise. */
export const asInput = ({ completed, failed, cancelled, includeAdopted }: Rules): RetentionPolicyInput => {
  const rule = ({ after, action, deletePredictions, keepLogs }: Rule) => ({ after, action, deletePredictions, keepLogs });
  return { completed: rule(completed), failed: rule(failed), cancelled: rule(cancelled), includeAdopted };
};

export const TRIGGERS: Record<RetentionTrigger, string> = {
  SCHEDULE: 'Schedule',
  COMMAND: 'Command line',
  REQUEST: 'Request',
};

export const DONE: Record<RetentionAction, string> = { KEEP: 'Kept', CLEAN: 'Cleaned', DELETE: 'Deleted' };
export const TO_DO: Record<RetentionAction, string> = { KEEP: 'Keep', CLEAN: 'Clean', DELETE: 'Delete' };

interface Counts {
  readonly cleaned: number;
  readonly deleted: number;
  readonly failed: number;
}

/** "2 jobs cleaned, 5 jobs deleted, 1 job failed". */
export function outcome({ cleaned, deleted, failed }: Counts): string {
  const parts = [
    cleaned && `${counted(cleaned, 'job')} cleaned`,
    deleted && `${counted(deleted, 'job')} deleted`,
    failed && `${counted(failed, 'job')} failed`,
  ];
  return parts.filter(Boolean).join(', ') || 'nothing was due';
}
