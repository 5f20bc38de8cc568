import { useEffect } from 'react';
import { Link } from 'react-aria-components';
import { useQuery } from 'urql';
import { type ReceiptQuery, ReceiptDocument } from '../api/graphql';
import { addressAbout } from '../audit/wanted';
import { reasonInWords } from '../audit/words';
import { StatusBadge } from '../jobs/badge';
import { KINDS } from '../jobs/wanted';
import type { Viewer } from '../server/client';
import { sentence } from '../server/failure';
import { ChevronLeft } from '../ui/icons';
import { Empty, Failed } from '../ui/states';
import { counted, dayAndTime, number, size } from '../ui/text';
import { useTitle } from '../ui/title';

type Receipt = NonNullable<ReceiptQuery['deletionReceipt']>;

/** How soon it is asked again whether the files are gone, in milliseconds; each time twice as long, up to the second. */
const SOON = 1000;
const LATEST = 30_000;

function predictions(receipt: Receipt): string {
  const { deletedAnnualPredictions: annual, deletedQuarterlyPredictions: quarterly, releasedPredictions: released } = receipt;
  const parts = [
    annual && `${number(annual)} annual deleted`,
    quarterly && `${number(quarterly)} quarterly deleted`,
    released && `${number(released)} kept without a job`,
  ];
  return parts.filter(Boolean).join(', ') || 'none';
}

function Files({ artifacts: { total, pending, bytes, lastError, completedAt } }: Receipt) {
  return (
    <>
      {total ? `${counted(total, 'file')}, ${size(bytes)}` : 'none'}
      <span className="hint">
        {completedAt
          ? `The store confirmed on ${dayAndTime(completedAt)} that nothing is left.`
          : `${counted(pending, 'file')} still to be removed from the store.${lastError ? ` The last attempt failed: ${lastError}` : ''}`}
      </span>
    </>
  );
}

/** What became of a job that was deleted: the permanent record. */
export function ReceiptPage({ id: jobId, viewer }: { id: string; viewer: Viewer }) {
  const [{ data, error, fetching }, ask] = useQuery({ query: ReceiptDocument, variables: { jobId }, requestPolicy: 'cache-and-network' });
  const receipt = data?.deletionReceipt;
  const isPurged = receipt ? receipt.artifacts.completedAt !== null : true;

  useTitle('Deletion receipt');
  useEffect(() => {
    if (isPurged) return;
    let pause = SOON;
    let timer = window.setTimeout(function look() {
      ask({ requestPolicy: 'network-only' });
      pause = Math.min(pause * 2, LATEST);
      timer = window.setTimeout(look, pause);
    }, pause);
    return () => window.clearTimeout(timer);
  }, [isPurged, ask]);

  if (!receipt) {
    if (error) {
      return <Failed whole title="The receipt could not be loaded" reason={sentence(error)} onRetry={() => ask({ requestPolicy: 'network-only' })} />;
    }
    if (fetching) {
      return (
        <div className="page" role="status">
          <span className="hidden-text">Loading the receipt</span>
          <div className="skeleton" aria-hidden="true">
            {['long', 'long', 'long', 'long'].map((shape, at) => (
              <div key={at} className="skeleton-row">
                <span className="bone short" />
                <span className={`bone ${shape}`} />
              </div>
            ))}
          </div>
        </div>
      );
    }
    return (
      <Empty whole title="No such receipt">
        <p>No job with this id was deleted, or you do not have access to its receipt.</p>
        <Link className="button primary" href="/console/receipts">
          Show the Receipts
        </Link>
      </Empty>
    );
  }
  return (
    <div className="page receipt">
      <Link className="back" href="/console/receipts">
        <ChevronLeft />
        Receipts
      </Link>
      <div className="page-head">
        <h1>Deletion receipt</h1>
      </div>
      <dl className="facts card-facts">
        <dt>File</dt>
        <dd className="refused-name">{receipt.fileName}</dd>
        <dt>Job</dt>
        <dd>
          <code>{receipt.jobId}</code>
          <span className="hint">
            {KINDS.find(({ value }) => value === receipt.jobKind)?.text}
            {receipt.jobCreatedAt && `, created on ${dayAndTime(receipt.jobCreatedAt)}`}
            {receipt.jobCreatedBy && ` by ${receipt.jobCreatedBy.name}`}
          </span>
        </dd>
        <dt>Its state then</dt>
        <dd>
          <StatusBadge status={receipt.jobStatus} />
          {receipt.errorMessage && <span className="hint">{receipt.errorMessage}</span>}
        </dd>
        <dt>Deleted</dt>
        <dd>
          {dayAndTime(receipt.deletedAt)}
          {receipt.deletedBy && ` by ${receipt.deletedBy.name}`}
          <span className="hint">
            {receipt.trigger === 'RETENTION' ? 'By the retention policy' : 'By request'}
            {receipt.force && ', also while it was active'}
          </span>
        </dd>
        {receipt.reason && (
          <>
            <dt>Reason</dt>
            <dd>{reasonInWords(receipt.reason)}</dd>
          </>
        )}
        <dt>Predictions</dt>
        <dd>{predictions(receipt)}</dd>
        <dt>Files</dt>
        <dd>
          <Files {...receipt} />
        </dd>
        <dt>Receipt</dt>
        <dd>
          <code>{receipt.id}</code>
        </dd>
      </dl>
      <p className="receipt-links">
        {viewer.role !== 'MEMBER' && <Link href={addressAbout(receipt.jobId)}>All entries for this job in the audit log</Link>}
      </p>
    </div>
  );
}
