import { check } from './answer.js';
import {
  type DeleteJobOptions,
  type DeleteJobsOptions,
  type DeletedJobs,
  type DeletionPreview,
  deleteJobs,
  previewDeletion,
} from './deletion.js';
import { JoblinkError, accepted, jobNotFound } from './errors.js';
import { type JobEvent, events } from './events.js';
import {
  type ArtifactFieldsFragment as Artifact,
  CancelJobDocument,
  CreateJobDocument,
  DeleteJobDocument,
  type DeletionReceiptFilter,
  GetJobDocument,
  GetReceiptDocument,
  GetViewerDocument,
  type GetViewerQuery,
  HoldJobDocument,
  type JobFieldsFragment as Job,
  type JobFilter,
  type JobOrder,
  ListJobsDocument,
  ListPredictionsDocument,
  ListReceiptsDocument,
  ListRowErrorsDocument,
  type ListRowErrorsQuery,
  type PredictionFieldsFragment as Prediction,
  type PredictionKind,
  type ReceiptFieldsFragment as Receipt,
  ReleaseJobHoldDocument,
  RetryJobDocument,
} from './generated/operations.js';
import { LARGEST, items } from './pages.js';
import { type CallOptions, type JoblinkOptions, Transport } from './transport.js';
import { type SendOptions, send } from './upload.js';
import { watch } from './watch.js';

/** Who calls. */
export type Viewer = NonNullable<GetViewerQuery['viewer']>;
/** A row of a file that was not stored. */
export type RowError = NonNullable<ListRowErrorsQuery['job']>['rowErrors']['nodes'][number];

/** How to fetch a list. */
export interface ListOptions extends CallOptions {
  /** How many items are fetched at a time, at most 100, which is the default. */
  readonly pageSize?: number | undefined;
}

/** Which jobs, in which order. */
export interface JobsOptions extends ListOptions {
  readonly filter?: JobFilter | undefined;
  readonly orderBy?: JobOrder | undefined;
}

/** Which receipts. */
export interface ReceiptsOptions extends ListOptions {
  readonly filter?: DeletionReceiptFilter | undefined;
}

/** How to upload a file. */
export interface UploadOptions extends SendOptions {
  /** A name of your own for this upload. Sent again within 24 hours with the same file, it gives the job of the first time. */
  readonly idempotencyKey?: string | undefined;
}

/** How to cancel a job. */
export interface CancelOptions extends CallOptions {
  /** Why; at most 500 characters, `user_request` by default. */
  readonly reason?: string | undefined;
  /** What else there is to say; at most 500 characters. */
  readonly notes?: string | undefined;
}

/** How to wait for a job. */
export interface WaitOptions extends CallOptions {
  /** Told of the job whenever it has gone on. */
  readonly onProgress?: ((job: Job) => void) | undefined;
}

/** A Joblink server. All methods throw `JoblinkError`, or `UserErrors` where the server refuses a change by a rule. */
export class Joblink {
  readonly #transport: Transport;

  constructor(options: JoblinkOptions) {
    this.#transport = new Transport(options);
  }

  /** Who calls; null without a login. */
  async viewer(options: CallOptions = {}): Promise<Viewer | null> {
    return (await this.#transport.execute(GetViewerDocument, {}, options, true)).viewer;
  }

  /** A job; null if there is none that the caller sees. */
  async job(id: string, options: CallOptions = {}): Promise<Job | null> {
    return (await this.#transport.execute(GetJobDocument, { id }, options, true)).job;
  }

  /** All jobs that the caller sees, the newest first; pages are fetched as they are reached. */
  jobs({ filter, orderBy, pageSize = LARGEST, ...options }: JobsOptions = {}): AsyncGenerator<Job, void, undefined> {
    // Null would not do for the order: it has a default.
    const order = orderBy === undefined ? {} : { orderBy };
    return items(async (first, after) => {
      const { jobs } = await this.#transport.execute(ListJobsDocument, { first, after, filter, ...order }, options, true);
      return found(jobs);
    }, pageSize);
  }

  /** All predictions linked to a job. */
  predictions(jobId: string, { pageSize = LARGEST, ...options }: ListOptions = {}): AsyncGenerator<Prediction, void, undefined> {
    return items(async (first, after) => {
      const { job } = await this.#transport.execute(ListPredictionsDocument, { id: jobId, first, after }, options, true);
      return (job ?? missing()).predictions;
    }, pageSize);
  }

  /** All rows of a job's file that were not stored, in the order of the file. */
  rowErrors(jobId: string, { pageSize = LARGEST, ...options }: ListOptions = {}): AsyncGenerator<RowError, void, undefined> {
    return items(async (first, after) => {
      const { job } = await this.#transport.execute(ListRowErrorsDocument, { id: jobId, first, after }, options, true);
      return (job ?? missing()).rowErrors;
    }, pageSize);
  }

  /** Sends a CSV or Excel file, from which a job makes predictions in the background. Gives the job, pending. */
  async uploadFile(file: Blob, kind: PredictionKind, options: UploadOptions = {}): Promise<Job> {
    const uploadId = await send(this.#transport, file, options);
    // With a key it is the same job however often it is asked for, so that it may be asked for again.
    const input = { kind, source: { uploadId }, idempotencyKey: options.idempotencyKey ?? uploadId };
    const { createJob } = await this.#transport.execute(CreateJobDocument, { input }, options, true);
    return accepted(createJob).job ?? nothing();
  }

  /** What happens to a job, live, until it has ended or is deleted; by looks once a second where streams do not get through. */
  watch(id: string, options: CallOptions = {}): AsyncGenerator<JobEvent, void, undefined> {
    return watch(this.#transport, id, options);
  }

  /** What happens to all jobs that the caller sees, from now on. Throws where the stream breaks off: events may be lost then. */
  events(options: CallOptions = {}): AsyncGenerator<JobEvent, void, undefined> {
    return events(this.#transport, undefined, options);
  }

  /** The job once it has ended, well or not: see its `status`. Throws `JOB_ALREADY_DELETED` where it is deleted meanwhile. */
  async waitFor(id: string, { onProgress, ...options }: WaitOptions = {}): Promise<Job> {
    let last: Job | null = null;
    for await (const { type, job } of this.watch(id, options)) {
      if (type === 'DELETED') break;
      if (job) onProgress?.(job);
      last = job;
    }
    if (!last || !['COMPLETED', 'FAILED', 'CANCELLED'].includes(last.status)) {
      throw new JoblinkError('JOB_ALREADY_DELETED', 'The job was deleted before it had ended; its receipt says by whom.');
    }
    return last;
  }

  /** Stops a job; what it has stored stays. A job that is cancelled already is given as it is. */
  async cancelJob(id: string, { reason, notes, ...options }: CancelOptions = {}): Promise<Job> {
    // A second cancellation is answered with the first one.
    const { cancelJob } = await this.#transport.execute(CancelJobDocument, { id, reason, notes }, options, true);
    return accepted(cancelJob).job ?? nothing();
  }

  /** Runs the file of a failed or cancelled job once more, as a new job. */
  async retryJob(id: string, options: CallOptions = {}): Promise<Job> {
    const { retryJob } = await this.#transport.execute(RetryJobDocument, { id }, options, false);
    return accepted(retryJob).job ?? nothing();
  }

  /** Forbids deleting a job, until the hold is lifted. For administrators. */
  async holdJob(id: string, reason: string, options: CallOptions = {}): Promise<Job> {
    const { holdJob } = await this.#transport.execute(HoldJobDocument, { id, reason }, options, false);
    return accepted(holdJob).job ?? nothing();
  }

  /** Lifts a job's hold. For administrators. */
  async releaseJobHold(id: string, options: CallOptions = {}): Promise<Job> {
    const { releaseJobHold } = await this.#transport.execute(ReleaseJobHoldDocument, { id }, options, false);
    return accepted(releaseJobHold).job ?? nothing();
  }

  /** Exactly what deleting these jobs would do, and which would be refused and why. Changes nothing. */
  previewDeletion(ids: Iterable<string>, options: CallOptions & { readonly force?: boolean } = {}): Promise<DeletionPreview> {
    return previewDeletion(this.#transport, ids, options);
  }

  /** Deletes a job, with or without the predictions linked to it, in one transaction. Gives the receipt. */
  async deleteJob(id: string, { signal, ...options }: DeleteJobOptions = {}): Promise<Receipt> {
    const { deleteJob } = await this.#transport.execute(DeleteJobDocument, { id, ...options }, { signal }, false);
    return accepted(deleteJob).receipt ?? nothing();
  }

  /**
   * Deletes any number of jobs, a hundred at a time, each in a transaction of its own. What is refused for one job is in the
   * result; where the whole comes to a halt, `DeletionInterrupted` says how far it came.
   */
  deleteJobs(ids: Iterable<string>, options: DeleteJobsOptions = {}): Promise<DeletedJobs> {
    return deleteJobs(this.#transport, ids, options);
  }

  /** The receipt of a job's deletion; null if it was not deleted, or is not the caller's to see. */
  async receipt(jobId: string, options: CallOptions = {}): Promise<Receipt | null> {
    return (await this.#transport.execute(GetReceiptDocument, { jobId }, options, true)).deletionReceipt;
  }

  /** All receipts that the caller sees, the newest first. */
  receipts({ filter, pageSize = LARGEST, ...options }: ReceiptsOptions = {}): AsyncGenerator<Receipt, void, undefined> {
    return items(async (first, after) => {
      const { deletionReceipts } = await this.#transport.execute(ListReceiptsDocument, { first, after, filter }, options, true);
      return found(deletionReceipts);
    }, pageSize);
  }

  /** A file of a job (one of its `artifacts`, or the id of one): `.text()`, `.blob()` or, for a large one, the stream `.body`. */
  download(artifact: Pick<Artifact, 'id'> | string, options: CallOptions = {}): Promise<Response> {
    const id = typeof artifact === 'string' ? artifact : artifact.id;
    const init = { signal: options.signal ?? null };
    const once = (): Promise<Response> => this.#transport.exchange(`artifacts/${encodeURIComponent(id)}`, init, check);
    return this.#transport.repeat(once, true, options.signal);
  }
}

function missing(): never {
  throw jobNotFound();
}

function nothing(): never {
  throw new JoblinkError('UNEXPECTED_ANSWER', 'The server did what was asked, and gave nothing of it back.');
}

function found<T>(list: T | null): T {
  if (!list) throw new JoblinkError('UNEXPECTED_ANSWER', 'The server answered a list with nothing and without an error.');
  return list;
}
