// The connection on which the server tells what happens to jobs, and what takes its place where there is none: asking again.
import { type Client as Socket, createClient } from 'graphql-ws';
import type { JobEventType } from '../api/graphql';
import { authorization, expire, isExpired, token } from '../session/session';

/** `live`: told at once. `polling`: not told, but answered. `lost`: not even answered. */
export type Standing = 'connecting' | 'live' | 'polling' | 'lost';

export interface LiveState {
  readonly standing: Standing;
  /** Seconds until the server is asked again, while it is not live. */
  readonly pause: number;
}

/** What happened to a job; how it stands is in the cache already. */
export type Hear = (type: JobEventType, id: string) => void;

/** Asks the server again for what is shown; false where it did not answer. */
export type Refresh = () => Promise<boolean>;

/** How often the server is asked while it tells nothing. */
const EVERY = 5;
/** The longest pause between attempts, in seconds. */
const LONGEST = 30;
/** How long a connection may take before the pages ask instead, in milliseconds. */
const GRACE = 2500;
/** When the pages ask once more after it connected, in milliseconds: until the server has taken the subscription nothing is told. */
const SETTLED = 2000;
/** How often they ask while it is live, for what no event tells, in milliseconds. */
const LOOK_EVERY = 60_000;
/** The server closes with these where a token is missing or not taken. */
const SIGNED_OUT = [4401, 4403];

export class Live {
  state: LiveState = { standing: 'connecting', pause: EVERY };
  readonly socket: Socket;
  #listeners = new Set<() => void>();
  #refreshes = new Set<Refresh>();
  #hearers = new Set<Hear>();
  #timer: number | undefined;
  #misses = 0;
  /** It was time to look while nobody saw the page. */
  #isOverdue = false;
  #waiting: (() => void) | undefined;
  #isDisposed = false;

  constructor(url: string) {
    this.socket = createClient({
      url,
      lazy: true,
      keepAlive: 15_000,
      connectionAckWaitTimeout: 10_000,
      connectionParams: () => authorization(),
      retryAttempts: Infinity,
      shouldRetry: event => !(event instanceof CloseEvent && SIGNED_OUT.includes(event.code)),
      retryWait: attempts => this.#retryWait(attempts),
      on: {
        connected: () => this.#connected(),
        closed: event => this.#closed(event instanceof CloseEvent ? event.code : 0),
      },
    });
    this.#schedule(GRACE);
    window.addEventListener('online', this.now);
    document.addEventListener('visibilitychange', this.#seen);
  }

  /** Ends everything; the page is left or the user changes. */
  dispose(): void {
    this.#isDisposed = true;
    window.clearTimeout(this.#timer);
    window.removeEventListener('online', this.now);
    document.removeEventListener('visibilitychange', this.#seen);
    this.#refreshes.clear();
    this.#hearers.clear();
    this.#listeners.clear();
    void this.socket.dispose();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  };

  /** What is asked while nothing is told, and now and then when it is told. */
  refreshedBy(refresh: Refresh): () => void {
    this.#refreshes.add(refresh);
    return () => void this.#refreshes.delete(refresh);
  }

  heardBy(hear: Hear): () => void {
    this.#hearers.add(hear);
    return () => void this.#hearers.delete(hear);
  }

  readonly tell: Hear = (type, id) => this.#hearers.forEach(hear => hear(type, id));

  /** Tries at once instead of after the pause. */
  readonly now = (): void => {
    this.#waiting?.();
    if (this.state.standing !== 'live') this.#schedule(0);
  };

  #retryWait(attempts: number): Promise<void> {
    const seconds = Math.min(2 ** attempts, LONGEST) * (0.75 + Math.random() / 2);
    return new Promise(resolve => {
      const timer = window.setTimeout(resolve, seconds * 1000);
      this.#waiting = () => {
        window.clearTimeout(timer);
        resolve();
      };
    });
  }

  #connected(): void {
    this.#misses = 0;
    this.#become({ standing: 'live', pause: EVERY });
    // What happened until now was told to nobody here, also that since the first answers.
    this.#refreshAll();
    this.#schedule(SETTLED, () => this.#look());
  }

  #refreshAll(): void {
    this.#refreshes.forEach(refresh => void refresh());
  }

  /** Asks for what was told to nobody, while somebody sees the page, and does so again in a while. */
  #look(): void {
    this.#isOverdue = document.hidden;
    // Who is asked to sign in again is not shown more than that.
    if (!document.hidden && !isExpired()) this.#refreshAll();
    this.#schedule(LOOK_EVERY, () => this.#look());
  }

  readonly #seen = (): void => {
    if (this.#isOverdue && !document.hidden && this.state.standing === 'live') this.#look();
  };

  #closed(code: number): void {
    if (SIGNED_OUT.includes(code) && token() !== null) expire();
    if (this.state.standing === 'live') {
      this.#become({ standing: 'polling', pause: EVERY });
      this.#schedule(0);
    }
  }

  #schedule(milliseconds: number, then = (): void => void this.#poll()): void {
    window.clearTimeout(this.#timer);
    if (this.#isDisposed) return;
    this.#timer = window.setTimeout(then, milliseconds);
  }

  async #poll(): Promise<void> {
    // Who is asked to sign in again is not shown more than that.
    if (isExpired()) return this.#schedule(1000);
    const answers = await Promise.all([...this.#refreshes].map(refresh => refresh()));
    if (this.state.standing === 'live') return;
    // Where a page asks for nothing, nobody knows more than before.
    const answered = answers.length === 0 ? this.state.standing !== 'lost' : answers.every(Boolean);
    this.#misses = answered ? 0 : this.#misses + 1;
    const pause = answered ? EVERY : Math.min(2 ** this.#misses, LONGEST);
    this.#become({ standing: answered ? 'polling' : 'lost', pause });
    this.#schedule(pause * 1000);
  }

  #become(state: LiveState): void {
    if (state.standing === this.state.standing && state.pause === this.state.pause) return;
    this.state = state;
    this.#listeners.forEach(listener => listener());
  }
}
