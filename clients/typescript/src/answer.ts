import { JoblinkError } from './errors.js';

/** An error of a GraphQL answer. */
interface GraphQLError {
  readonly message: string;
  readonly extensions?: { readonly code?: string; readonly requestId?: string };
}

/** A GraphQL answer. */
export interface Answer<T> {
  readonly data?: T | null;
  readonly errors?: readonly GraphQLError[];
}

/** What a status says where the answer itself says nothing, as one of a proxy. */
const CODES: Readonly<Record<number, string>> = {
  401: 'UNAUTHENTICATED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  413: 'PAYLOAD_TOO_LARGE',
  429: 'RATE_LIMITED',
  503: 'UNAVAILABLE',
};

/** How long a response wants its caller to wait, in milliseconds: seconds or a date (RFC 9110, 10.2.3). */
function retryAfter(headers: Headers): number | undefined {
  const told = headers.get('retry-after');
  if (told === null) return undefined;
  const milliseconds = /^\d+$/.test(told.trim()) ? Number(told) * 1000 : Date.parse(told) - Date.now();
  return Number.isNaN(milliseconds) ? undefined : Math.max(0, milliseconds);
}

function isAnswer(body: unknown): body is Answer<unknown> {
  return typeof body === 'object' && body !== null && ('data' in body || 'errors' in body);
}

/** Throws the first error of an answer; else gives its data. */
export function data<T>(answer: Answer<T>, response?: Response): T {
  const [error] = answer.errors ?? [];
  if (error) {
    throw new JoblinkError(error.extensions?.code ?? 'UNEXPECTED_ANSWER', error.message, {
      requestId: error.extensions?.requestId ?? response?.headers.get('x-request-id') ?? undefined,
      status: response?.status,
      retryAfter: response && retryAfter(response.headers),
    });
  }
  if (!answer.data) throw new JoblinkError('UNEXPECTED_ANSWER', 'The server answered with neither data nor an error.');
  return answer.data;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The error that a response stands for whose text is no GraphQL answer. */
function stranger(response: Response): JoblinkError {
  const code = CODES[response.status] ?? 'UNEXPECTED_ANSWER';
  const where = response.url && ` at ${new URL(response.url).origin}`;
  const message = `The server${where} answered with HTTP ${response.status} and no reason; check that it is Joblink's.`;
  return new JoblinkError(code, message, { status: response.status, retryAfter: retryAfter(response.headers) });
}

/** The data of a response to a GraphQL request. */
export async function read<T>(response: Response): Promise<T> {
  const body = parsed(await response.text());
  if (!isAnswer(body)) throw stranger(response);
  return data(body as Answer<T>, response);
}

/** Throws where a response is no success. */
export async function check(response: Response): Promise<Response> {
  if (response.ok) return response;
  await read(response);
  throw stranger(response);
}
