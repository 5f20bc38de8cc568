import { ProgressBar } from 'react-aria-components';
import type { JobRowFragment } from '../api/graphql';
import { counted, number } from '../ui/text';

/** How far a job is: a bar whose end in red is the rows that were not stored, and the numbers. */
export function JobProgress({ job }: { job: JobRowFragment }) {
  const { total, processed, succeeded, failed } = job.progress;
  const of = total ?? processed;
  const part = (count: number) => (of ? `${Math.min(100, (count / of) * 100)}%` : '0%');
  const text = total === null || total === undefined ? counted(processed, 'row') : `${number(processed)} of ${counted(total, 'row')}`;
  return (
    <div className="progress">
      <ProgressBar
        aria-label={`Progress of ${job.fileName}`}
        value={processed}
        maxValue={of || 1}
        valueLabel={text}
        className="progress-bar"
      >
        <span className="progress-good" style={{ width: part(succeeded) }} />
        <span className="progress-bad" style={{ width: part(failed) }} />
      </ProgressBar>
      <span className="progress-text">
        {text}
        {failed > 0 && <span className="progress-failed"> · {number(failed)} not stored</span>}
      </span>
    </div>
  );
}
