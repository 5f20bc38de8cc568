import { JoblinkError, UserErrors, accepted } from './errors.js';
import {
  DeleteJobsDocument,
  type JobExpectation,
  type PreviewDeletionQuery,
  PreviewDeletionDocument,
  type ReceiptFieldsFragment,
  type RefusalFieldsFragment,
} from './generated/operations.js';
import { portions } from './pages.js';
import type { CallOptions, Transport } from './transport.js';

/** What deleting jobs would do. */
export type DeletionPreview = NonNullable<PreviewDeletionQuery['deletionPreview']>;

/** What every deletion takes. */
interface Manner extends CallOptions {
  /** Delete the linked predictions too; else they stay and lose their link for good. */
  readonly deletePredictions?: boolean | undefined;
  /** Delete a job even while it is active; that cancels it. */
  readonly force?: boolean | undefined;
  /** Why, for the receipt; at most 500 characters. */
  readonly reason?: string | undefined;
}

/** How to delete a job. */
export interface DeleteJobOptions extends Manner {
  /** How many linked predictions, of both kinds together, the caller was shown: with another number now nothing is deleted. */
  readonly expectedPredictions?: number | undefined;
}

/** How to delete jobs. */
export interface DeleteJobsOptions extends Manner {
  /** What the caller was shown: a job whose number is another one now is not deleted. */
  readonly expected?: readonly JobExpectation[] | undefined;
  /** Told after each hundred jobs how many have been dealt with. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** What became of the jobs. */
export interface DeletedJobs {
  /** The receipts of those that were deleted. */
  readonly receipts: readonly ReceiptFieldsFragment[];
  /** Those that stay, or were gone before, and why. */
  readonly refused: readonly RefusalFieldsFragment[];
}

/** Deleting many jobs came to a halt; `cause` says why. */
export class DeletionInterrupted extends JoblinkError {
  override readonly name = 'DeletionInterrupted';
  /** What became of the jobs before. */
  readonly done: DeletedJobs;
  /** Jobs of which it is unknown, as their answer did not come; their receipts tell. */
  readonly uncertain: readonly string[];
  /** Jobs that nothing was asked about. */
  readonly untouched: readonly string[];

  constructor(cause: unknown, done: DeletedJobs, uncertain: readonly string[], untouched: readonly string[]) {
    const known = cause instanceof JoblinkError ? cause : undefined;
    const why = cause instanceof Error ? cause.message : String(cause);
    const message = `Deleting came to a halt after ${done.receipts.length} jobs, with ${uncertain.length} uncertain and ${untouched.length} untouched: ${why}`;
    super(known?.code ?? 'INTERRUPTED', message, { requestId: known?.requestId, status: known?.status, cause });
    this.done = done;
    this.uncertain = uncertain;
    this.untouched = untouched;
  }
}

/** Whether the server said that it did nothing of what was asked. */
function wasRefused(cause: unknown): boolean {
  if (!(cause instanceof JoblinkError)) return false;
  return cause instanceof UserErrors || (cause.status !== undefined && cause.status >= 400 && cause.status < 500);
}

/** Deletes jobs, a hundred at a time, each in a transaction of its own. */
export async function deleteJobs(transport: Transport, ids: Iterable<string>, options: DeleteJobsOptions): Promise<DeletedJobs> {
  const { expected, onProgress, signal, deletePredictions, force, reason } = options;
  const pages = portions(ids);
  const total = pages.reduce((sum, page) => sum + page.length, 0);
  const done = { receipts: [] as ReceiptFieldsFragment[], refused: [] as RefusalFieldsFragment[] };
  let dealtWith = 0;
  for (const [index, page] of pages.entries()) {
    const theirs = expected && new Set(page);
    const variables = { ids: page, deletePredictions, force, reason, expected: theirs && expected.filter(({ id }) => theirs.has(id)) };
    let isSent = false;
    try {
      signal?.throwIfAborted();
      isSent = true;
      const { deleteJobs } = await transport.execute(DeleteJobsDocument, variables, { signal }, false);
      const { receipts, refused } = accepted(deleteJobs);
      done.receipts.push(...receipts);
      done.refused.push(...refused);
    } catch (cause) {
      const isUncertain = isSent && !wasRefused(cause);
      const rest = pages.slice(index + 1).flat();
      throw new DeletionInterrupted(cause, done, isUncertain ? page : [], isUncertain ? rest : [...page, ...rest]);
    }
    dealtWith += page.length;
    onProgress?.(dealtWith, total);
  }
  return done;
}

/** Exactly what deleting these jobs would do. */
export async function previewDeletion(
  transport: Transport,
  ids: Iterable<string>,
  { force, signal }: CallOptions & { readonly force?: boolean | undefined },
): Promise<DeletionPreview> {
  const found = { deletable: [] as DeletionPreview['deletable'][number][], refused: [] as RefusalFieldsFragment[] };
  for (const page of portions(ids)) {
    const { deletionPreview } = await transport.execute(PreviewDeletionDocument, { ids: page, force }, { signal }, true);
    found.deletable.push(...(deletionPreview?.deletable ?? []));
    found.refused.push(...(deletionPreview?.refused ?? []));
  }
  return found;
}
