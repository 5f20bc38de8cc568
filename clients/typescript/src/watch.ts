import { jobNotFound } from './errors.js';
import { type JobEvent, events } from './events.js';
import { GetJobDocument, GetReceiptDocument, type JobStatus } from './generated/operations.js';
import { sleep } from './repeat.js';
import type { CallOptions, Transport } from './transport.js';

/** How long to wait before a job is looked at again where no stream tells of it, in milliseconds. */
const PAUSE = 1_000;

const ENDED: ReadonlySet<JobStatus> = new Set(['COMPLETED', 'FAILED', 'CANCELLED']);

/** Whether nothing more will happen to a job but its deletion. */
export function isOver({ type, job }: JobEvent): boolean {
  return type === 'DELETED' || (job !== null && ENDED.has(job.status));
}

/** How a job stands, as an event of a stream would tell it. */
async function look(transport: Transport, jobId: string, options: CallOptions): Promise<JobEvent> {
  const { job } = await transport.execute(GetJobDocument, { id: jobId }, options, true);
  if (job) return { type: 'STATUS', jobId: job.id, at: new Date().toISOString(), job };
  const { deletionReceipt: receipt } = await transport.execute(GetReceiptDocument, { jobId }, options, true);
  if (!receipt) throw jobNotFound();
  return { type: 'DELETED', jobId: receipt.jobId, at: receipt.deletedAt, job: null };
}

/**
 * What happens to a job until it has ended or is deleted. Where a stream of events cannot be had, or breaks off, the job is
 * looked at once a second until one can be had again. Throws where even that fails.
 */
export async function* watch(transport: Transport, jobId: string, options: CallOptions): AsyncGenerator<JobEvent> {
  let told = '';
  const isNews = (event: JobEvent): boolean => {
    const now = JSON.stringify([event.type === 'DELETED', event.job?.status, event.job?.progress]);
    const isOther = now !== told;
    told = now;
    return isOther;
  };
  for (;;) {
    const seen = await look(transport, jobId, options);
    if (isNews(seen)) yield seen;
    if (isOver(seen)) return;
    try {
      for await (const event of events(transport, seen.jobId, options)) {
        if (isNews(event)) yield event;
        if (isOver(event)) return;
      }
    } catch (error) {
      if (options.signal?.aborted) throw error;
      // Whatever is wrong with the stream: a look at the job either works, or says what is wrong with that.
    }
    await sleep(PAUSE, options.signal);
  }
}
