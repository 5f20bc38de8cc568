import { JoblinkError } from './errors.js';

/** How long and how often a call is tried. */
export interface Bounds {
  /** How often at most. */
  readonly attempts: number;
  /** How long all pauses of a call may take together, in milliseconds. */
  readonly maxWait: number;
}

/** The first pause where the server names none, in milliseconds; each further one is twice as long. */
const FIRST_PAUSE = 250;

/** Ends early, with the signal's reason, where the signal is aborted. */
export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, milliseconds);
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}

/** Whether a call that ended so may be sent again. */
function mayRepeat(error: JoblinkError, isRepeatable: boolean): boolean {
  // Too many requests are refused at the door, before anything is done for them.
  if (error.status === 429) return true;
  return isRepeatable && (error.status === 503 || error.code === 'UNREACHABLE' || error.code === 'TIMEOUT');
}

/**
 * Calls until it works, as long as that is safe and within the bounds: after 429 always, after 503 and without an answer only
 * where the call may be sent twice. Waits as long as the server says.
 */
export async function repeating<T>(
  call: () => Promise<T>,
  isRepeatable: boolean,
  bounds: Bounds,
  signal?: AbortSignal,
): Promise<T> {
  let left = bounds.maxWait;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof JoblinkError) || attempt >= bounds.attempts || !mayRepeat(error, isRepeatable)) throw error;
      const least = error.retryAfter ?? FIRST_PAUSE * 2 ** (attempt - 1);
      // Those who were refused together do not come back together.
      const pause = least * (1 + Math.random() / 4);
      if (pause > left) throw error;
      left -= pause;
      await sleep(pause, signal);
    }
  }
}
