import { refused } from '../server/failure';
import { sum } from '../ui/sum';
import { number, size } from '../ui/text';
import { bySource, type Deletable, type Refused } from './preview';

const nameOf = ({ job, jobId }: Refused): string => job?.fileName ?? jobId;

/** Jobs that stay, with their reasons. */
export function Refusals({ jobs, title }: { jobs: readonly Refused[]; title: string }) {
  return (
    <div className="refusals">
      <strong>{title}</strong>
      <ul>
        {jobs.map(refusal => (
          <li key={refusal.jobId}>
            <span className="refused-name">{nameOf(refusal)}</span>
            <span className="hint">{refused(refusal.error)}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

interface Props {
  items: readonly Deletable[];
  /** What is asked of the predictions; undefined where nobody has decided yet. */
  deletePredictions?: boolean;
}

const fate = (deletePredictions: boolean | undefined): string =>
  deletePredictions === undefined
    ? 'Deleted with the job, or kept without a link to it, as you choose then.'
    : deletePredictions
      ? 'Deleted for good.'
      : 'Kept. They lose their link to the job for good.';

/** What deleting these jobs takes along. */
export function Facts({ items, deletePredictions }: Props) {
  const annual = sum(items, item => item.annualPredictions);
  const quarterly = sum(items, item => item.quarterlyPredictions);
  const alike = sum(items, item => item.unlinkedLookAlikes);
  const artifacts = sum(items, item => item.artifacts);
  const sources = bySource(items);
  return (
    <dl className="facts">
      <dt>Predictions</dt>
      <dd>
        {annual + quarterly === 0
          ? 'none'
          : [annual && `${number(annual)} annual`, quarterly && `${number(quarterly)} quarterly`].filter(Boolean).join(', ')}
        {sources.length > 0 && (
          <span className="hint">{sources.map(({ text, count }) => `${number(count)} ${text}`).join(', ')}</span>
        )}
        {annual + quarterly > 0 && (
          <span className="hint">{fate(deletePredictions)}</span>
        )}
      </dd>
      {alike > 0 && (
        <>
          <dt>Look-alikes</dt>
          <dd>
            {number(alike)} without a link
            <span className="hint">They look as if the job had made them. They stay; a backfill may still find out whose they are.</span>
          </dd>
        </>
      )}
      <dt>Files</dt>
      <dd>{artifacts ? `${number(artifacts)}, ${size(sum(items, item => item.bytes))}` : 'none'}</dd>
    </dl>
  );
}
