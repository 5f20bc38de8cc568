// Which page is at which address. All but the first one are fetched when they are gone to.
import type { ComponentType } from 'react';
import { Link } from 'react-aria-components';
import { JobsPage } from './jobs/page';
import { BASE, usePlace } from './place';
import type { Viewer } from './server/client';
import { lazily } from './ui/lazily';
import { Empty } from './ui/states';

export interface PageProps {
  readonly viewer: Viewer;
  /** What the address names, as in `/receipts/{jobId}`; empty where it names nothing. */
  readonly id: string;
}

/** A page is shown afresh where the address names something else. */
const PAGES: readonly { readonly at: RegExp; readonly Page: ComponentType<PageProps> }[] = [
  { at: /^\/(?:jobs)?$/, Page: JobsPage },
  { at: /^\/jobs\/([^/]+)$/, Page: lazily(() => import('./job/page').then(({ JobPage }) => JobPage)) },
  { at: /^\/upload$/, Page: lazily(() => import('./upload/page').then(({ UploadPage }) => UploadPage)) },
  { at: /^\/predictions$/, Page: lazily(() => import('./predictions/page').then(({ PredictionsPage }) => PredictionsPage)) },
  { at: /^\/receipts$/, Page: lazily(() => import('./receipts/page').then(({ ReceiptsPage }) => ReceiptsPage)) },
  { at: /^\/receipts\/([^/]+)$/, Page: lazily(() => import('./receipts/receipt').then(({ ReceiptPage }) => ReceiptPage)) },
  { at: /^\/retention$/, Page: lazily(() => import('./retention/page').then(({ RetentionPage }) => RetentionPage)) },
  { at: /^\/retention\/runs$/, Page: lazily(() => import('./retention/runs').then(({ RetentionRunsPage }) => RetentionRunsPage)) },
  { at: /^\/retention\/runs\/([^/]+)$/, Page: lazily(() => import('./retention/runs').then(({ RetentionRunPage }) => RetentionRunPage)) },
  { at: /^\/backfill$/, Page: lazily(() => import('./backfill/page').then(({ BackfillPage }) => BackfillPage)) },
  { at: /^\/backfill\/([^/]+)$/, Page: lazily(() => import('./backfill/run').then(({ DecisionsPage }) => DecisionsPage)) },
  { at: /^\/backfill\/([^/]+)\/unresolved$/, Page: lazily(() => import('./backfill/run').then(({ UnresolvedPage }) => UnresolvedPage)) },
  { at: /^\/audit$/, Page: lazily(() => import('./audit/page').then(({ AuditPage }) => AuditPage)) },
];

/** What an address names; as it stands where it is not well encoded. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The page at the address where the user is. */
export function Page({ viewer }: { viewer: Viewer }) {
  const { path } = usePlace();
  for (const { at, Page } of PAGES) {
    const found = path.match(at);
    const id = decoded(found?.[1] ?? '');
    if (found) return <Page key={`${at.source} ${id}`} viewer={viewer} id={id} />;
  }
  return (
    <Empty whole title="Nothing is at this address">
      <p>The page may have moved, or what it showed was deleted.</p>
      <Link className="button primary" href={`${BASE}/jobs`}>
        Show the Jobs
      </Link>
    </Empty>
  );
}
