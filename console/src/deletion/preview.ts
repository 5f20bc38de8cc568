// What deleting jobs would do, read in pages and added up; plain data, without a page around it.
import type { Client } from 'urql';
import { type DeletionPreviewQuery, DeletionPreviewDocument, type LinkSource } from '../api/graphql';
import { isActive } from '../jobs/status';
import { counted } from '../ui/text';

/** How many jobs the server takes at a time. */
export const AT_A_TIME = 100;

type Found = NonNullable<DeletionPreviewQuery['deletionPreview']>;
export type Deletable = Found['deletable'][number];
export type Refused = Found['refused'][number];

export interface Preview {
  /** Jobs that have ended. */
  readonly ended: readonly Deletable[];
  /** Jobs that would be cancelled by it. */
  readonly active: readonly Deletable[];
  /** Jobs that stay, and why. */
  readonly refused: readonly Refused[];
  /** Jobs that somebody deleted before. */
  readonly gone: readonly string[];
}

export const chunks = <Item>(items: readonly Item[]): Item[][] =>
  Array.from({ length: Math.ceil(items.length / AT_A_TIME) }, (_, at) => items.slice(at * AT_A_TIME, (at + 1) * AT_A_TIME));

/** Reads it afresh: what was shown before may be out of date. Throws urql's error. */
export async function read(client: Client, ids: readonly string[]): Promise<Preview> {
  const pages: Found[] = [];
  for (const page of chunks(ids)) {
    const variables = { ids: page, force: true };
    const { data, error } = await client.query(DeletionPreviewDocument, variables, { requestPolicy: 'network-only' }).toPromise();
    if (error || !data?.deletionPreview) throw error ?? new Error('no preview');
    pages.push(data.deletionPreview);
  }
  const deletable = pages.flatMap(page => page.deletable);
  const refused = pages.flatMap(page => page.refused);
  return {
    ended: deletable.filter(({ job }) => !isActive(job.status)),
    active: deletable.filter(({ job }) => isActive(job.status)),
    refused: refused.filter(({ error }) => error.code !== 'JOB_ALREADY_DELETED'),
    gone: refused.filter(({ error }) => error.code === 'JOB_ALREADY_DELETED').map(({ jobId }) => jobId),
  };
}

/** How many linked predictions there are, of both kinds together. */
export const linked = ({ annualPredictions, quarterlyPredictions }: Deletable): number => annualPredictions + quarterlyPredictions;

/** How a link is known, as said of predictions. */
export const LINK_SOURCES: Record<LinkSource, string> = {
  UPLOAD: 'created via bulk upload',
  MANIFEST: 'named by the operator’s list',
  SOURCE_FILE: 'listed in the job’s file',
  TIME_WINDOW: 'linked by their time',
  RELEASED: 'released',
};

export function bySource(items: readonly Pick<Deletable, 'byLinkSource'>[]): { text: string; count: number }[] {
  const counts = new Map<LinkSource, number>();
  for (const { linkSource, count } of items.flatMap(item => item.byLinkSource)) {
    counts.set(linkSource, (counts.get(linkSource) ?? 0) + count);
  }
  return [...counts].filter(([, count]) => count).map(([source, count]) => ({ text: LINK_SOURCES[source], count }));
}

/** "3 jobs and 4,210 predictions", "1 job". */
export function whatGoes(jobs: number, predictions: number): string {
  const text = counted(jobs, 'job');
  return predictions ? `${text} and ${counted(predictions, 'prediction')}` : text;
}
