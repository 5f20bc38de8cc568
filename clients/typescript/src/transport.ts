import { read } from './answer.js';
import { JoblinkError } from './errors.js';
import { type Bounds, repeating } from './repeat.js';

/** Where the server is and how it is asked. */
export interface JoblinkOptions {
  /** The server: `https://joblink.example.com`, with or without `/graphql`. */
  readonly url: string;
  /** The bearer token, or what gives one that is still good; none where the server needs no login. */
  readonly token?: string | (() => string | Promise<string>);
  /** How long an answer may take, in milliseconds; 60,000 by default. Uploads and downloads may take any time. */
  readonly timeout?: number;
  /** How often a call is tried at most, where it may be sent again; 4 by default. */
  readonly attempts?: number;
  /** How long all pauses between these may take together, in milliseconds; 30,000 by default. */
  readonly maxWait?: number;
  /** Sends requests instead of the platform's `fetch`. */
  readonly fetch?: typeof fetch;
}

const ACCEPT = 'application/graphql-response+json, application/json';

/** What each call takes. */
export interface CallOptions {
  /** Ends the call early. */
  readonly signal?: AbortSignal | undefined;
}

/** A document as the generated ones: its text, and the types of its data and variables. */
interface Document<Data, Variables> {
  toString(): string;
  readonly __apiType?: (variables: Variables) => Data;
}

/** Sends requests. */
export class Transport {
  readonly #base: URL;
  readonly #options: JoblinkOptions;
  readonly #bounds: Bounds;

  constructor(options: JoblinkOptions) {
    const base = new URL(options.url);
    base.pathname = `${base.pathname.replace(/\/(graphql\/?)?$/, '')}/`;
    base.search = base.hash = '';
    this.#base = base;
    this.#options = options;
    this.#bounds = { attempts: options.attempts ?? 4, maxWait: options.maxWait ?? 30_000 };
  }

  /** An address of the server. */
  address(path: string): URL {
    return new URL(path, this.#base);
  }

  /** The headers that say who calls. */
  async login(): Promise<Record<string, string>> {
    const { token } = this.#options;
    const given = typeof token === 'function' ? await token() : token;
    return given === undefined ? {} : { authorization: `Bearer ${given}` };
  }

  /** Sends a request once, and reads the response. */
  async exchange<T>(
    path: string,
    init: RequestInit,
    read: (response: Response) => Promise<T>,
    timeout?: number,
  ): Promise<T> {
    const address = this.address(path);
    const { signal } = init;
    const late = timeout === undefined ? undefined : AbortSignal.timeout(timeout);
    const signals = [signal, late].filter(it => it != null);
    const headers = { ...(init.headers as Record<string, string>), ...(await this.login()) };
    const ask = this.#options.fetch ?? fetch;
    try {
      return await read(await ask(address, { ...init, headers, signal: signals.length > 0 ? AbortSignal.any(signals) : null }));
    } catch (cause) {
      if (cause instanceof JoblinkError) throw cause;
      throw unanswered(address, cause, signal, late);
    }
  }

  /** Executes a document. `isRepeatable` says that it may be sent twice: that is so for queries, and for few mutations. */
  execute<Data, Variables>(
    document: Document<Data, Variables>,
    variables: Variables,
    { signal }: CallOptions,
    isRepeatable: boolean,
  ): Promise<Data> {
    const init = { ...this.post(document, variables, ACCEPT), signal: signal ?? null };
    const timeout = this.#options.timeout ?? 60_000;
    return this.repeat(() => this.exchange('graphql', init, read<Data>, timeout), isRepeatable, signal);
  }

  /** The request that a document is sent with. */
  post<Data, Variables>(document: Document<Data, Variables>, variables: Variables, accept: string): RequestInit {
    const body = JSON.stringify({ query: document.toString(), variables });
    return { method: 'POST', headers: { accept, 'content-type': 'application/json' }, body };
  }

  /** Calls within this client's bounds until it works. */
  repeat<T>(call: () => Promise<T>, isRepeatable: boolean, signal?: AbortSignal): Promise<T> {
    return repeating(call, isRepeatable, this.#bounds, signal);
  }
}

/** Why there is no answer: because the caller wanted none any more, or in words of ours. */
function unanswered(address: URL, cause: unknown, signal?: AbortSignal | null, late?: AbortSignal): unknown {
  if (signal?.aborted) return signal.reason;
  if (late?.aborted || (cause instanceof DOMException && cause.name === 'TimeoutError')) {
    return new JoblinkError('TIMEOUT', `${address.origin} did not answer in time; whether it did what was asked is unknown.`, { cause });
  }
  return new JoblinkError('UNREACHABLE', `Cannot reach ${address.origin}; check the url, and that the server runs.`, { cause });
}
