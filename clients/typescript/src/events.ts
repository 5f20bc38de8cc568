import { type Answer, check, data } from './answer.js';
import { JoblinkError } from './errors.js';
import { WatchJobsDocument, type WatchJobsSubscription } from './generated/operations.js';
import type { CallOptions, Transport } from './transport.js';

/** Something that happened to a job. */
export type JobEvent = WatchJobsSubscription['jobEvents'];

/** Twice and more as long as the server is ever silent, in milliseconds: it sends a comment every 20 seconds. */
const SILENCE = 50_000;

/** An event of a stream (HTML, "Server-sent events"). */
interface Message {
  readonly event: string;
  readonly data: string;
}

/** Reads events out of a text as it comes in. Gives those that are whole, and keeps the rest. */
export class Lines {
  #rest = '';
  #event = '';
  #data: string[] = [];

  *take(text: string): Generator<Message> {
    // A return at the very end may be half of a line's end.
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (this.#event || this.#data.length > 0) yield { event: this.#event || 'message', data: this.#data.join('\n') };
        this.#event = '';
        this.#data = [];
        continue;
      }
      const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
      if (field === 'event') this.#event = value ?? '';
      if (field === 'data') this.#data.push(value ?? '');
    }
  }
}

/** A read that fails where nothing comes for too long. */
async function next(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<Uint8Array | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silent = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new JoblinkError('TIMEOUT', 'The stream of events fell silent; begin it again.')), SILENCE);
  });
  try {
    return (await Promise.race([reader.read(), silent])).value;
  } finally {
    clearTimeout(timer);
  }
}

async function* messages(body: ReadableStream<Uint8Array>, signal?: AbortSignal): AsyncGenerator<Message> {
  const reader = body.getReader();
  const [decoder, lines] = [new TextDecoder(), new Lines()];
  try {
    for (let chunk = await next(reader); chunk; chunk = await next(reader)) {
      yield* lines.take(decoder.decode(chunk, { stream: true }));
    }
  } catch (cause) {
    if (signal?.aborted) throw signal.reason;
    if (cause instanceof JoblinkError) throw cause;
    throw new JoblinkError('UNREACHABLE', 'The stream of events broke off; begin it again.', { cause });
  } finally {
    // Whoever stops listening, for whatever reason, lets the connection go.
    await reader.cancel().catch(() => undefined);
  }
}

/**
 * What happens to one job, or to all that the caller sees, from now on, by server-sent events. Ends with the job's deletion;
 * throws where the stream breaks off, as events may be lost then.
 */
export async function* events(transport: Transport, jobId: string | undefined, options: CallOptions): AsyncGenerator<JobEvent> {
  const { signal } = options;
  const init = { ...transport.post(WatchJobsDocument, { jobId: jobId ?? null }, 'text/event-stream'), signal: signal ?? null };
  const body = await transport.repeat(() => transport.exchange('graphql', init, opened), true, signal);
  for await (const message of messages(body, signal)) {
    if (message.event === 'complete') return;
    if (message.event === 'next') yield data(JSON.parse(message.data) as Answer<WatchJobsSubscription>).jobEvents;
  }
  throw new JoblinkError('UNREACHABLE', 'The server ended the stream of events, as when it stops; begin it again.');
}

async function opened(response: Response): Promise<ReadableStream<Uint8Array>> {
  const { body, headers } = await check(response);
  if (!body || !(headers.get('content-type') ?? '').startsWith('text/event-stream')) {
    await body?.cancel();
    throw new JoblinkError('UNEXPECTED_ANSWER', 'The server, or a proxy before it, did not answer with a stream of events.');
  }
  return body;
}
