import type { JobDetailsFragment } from '../api/graphql';
import { statusText } from '../jobs/status';
import { counted, exactly, size, took } from '../ui/text';
import { useNow } from '../ui/time';

interface Step {
  key: string;
  title: string;
  at?: string | null;
  /** How long it took to come here, or how long it is at it. */
  before?: string | null;
  note?: string | null;
  /** It has not come to that. */
  isAhead?: boolean;
}

const by = (user: { name: string } | null): string | null => user && `by ${user.name}`;

function steps(job: JobDetailsFragment, now: string): Step[] {
  const { createdAt, startedAt, finishedAt, cancellation, dataCleanedAt, cleanupSummary, createdBy, status } = job;
  const found: Step[] = [{ key: 'created', title: 'Created', at: createdAt, note: by(createdBy) }];
  const queued = createdAt && took(createdAt, startedAt ?? finishedAt ?? now);
  if (startedAt) found.push({ key: 'started', title: 'Started', at: startedAt, before: queued && `queued for ${queued}` });
  else if (!finishedAt) found.push({ key: 'started', title: 'Waiting for a worker', before: queued && `queued for ${queued}`, isAhead: true });
  if (cancellation && (!finishedAt || cancellation.at <= finishedAt)) {
    found.push({ key: 'cancelled', title: 'Cancellation asked for', at: cancellation.at, note: by(cancellation.by) });
  }
  const from = startedAt ?? undefined;
  if (finishedAt) {
    found.push({
      key: 'finished',
      title: statusText(status),
      at: finishedAt,
      before: from ? `ran for ${took(from, finishedAt)}` : queued && `queued for ${queued}`,
    });
  } else if (from) {
    const since = status === 'CANCELLING' && cancellation ? cancellation.at : from;
    found.push({ key: 'finished', title: statusText(status), before: `for ${took(since, now)} so far`, isAhead: true });
  }
  if (dataCleanedAt) {
    const note = cleanupSummary ? `${counted(cleanupSummary.artifacts, 'file')}, ${size(cleanupSummary.bytes)}` : null;
    found.push({ key: 'cleaned', title: 'Files removed', at: dataCleanedAt, note });
  }
  return found;
}

/** What became of a job, and when. */
export function Phases({ job }: { job: JobDetailsFragment }) {
  const now = new Date(useNow()).toISOString();
  return (
    <ol className="phases" aria-label="Phases">
      {steps(job, now).map(({ key, title, at, before, note, isAhead }) => (
        <li key={key} className={isAhead ? 'phase ahead' : 'phase'}>
          <span className="phase-title">{title}</span>
          {at && <time dateTime={at}>{exactly(at)}</time>}
          {before && <span className="hint">{before}</span>}
          {note && <span className="hint">{note}</span>}
        </li>
      ))}
    </ol>
  );
}
