import type { ErrorCode, JobFieldsFragment, ReceiptFieldsFragment, UserErrorFieldsFragment } from './generated/operations.js';

/** What an error is about, beside its message. */
export interface ErrorDetails {
  /** The id under which the server's log has the request. */
  readonly requestId?: string | undefined;
  /** The HTTP status of the answer, where there was one. */
  readonly status?: number | undefined;
  /** How long the server wants callers to wait, in milliseconds. */
  readonly retryAfter?: number | undefined;
  /** What led to it. */
  readonly cause?: unknown;
}

/**
 * Something that did not work. `code` is the server's (`UNAUTHENTICATED`, `RATE_LIMITED`, `DATABASE_BUSY` …), or one of
 * this package's own: `UNREACHABLE` (no answer), `TIMEOUT` (no answer in time), `UNEXPECTED_ANSWER` (not Joblink's).
 */
export class JoblinkError extends Error {
  override readonly name: string = 'JoblinkError';
  /** Which kind, for programs. */
  readonly code: string;
  /** The id under which the server's log has the request. */
  readonly requestId: string | undefined;
  /** The HTTP status of the answer, where there was one. */
  readonly status: number | undefined;
  /** How long the server wants callers to wait, in milliseconds. */
  readonly retryAfter: number | undefined;

  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super(message, { cause: details.cause });
    this.code = code;
    this.requestId = details.requestId;
    this.status = details.status;
    this.retryAfter = details.retryAfter;
  }
}

/** An expected refusal: what is wrong and, where one argument is at fault, which. */
export type UserError = UserErrorFieldsFragment;

/** What a refused call gives beside the reasons. */
interface Beside {
  readonly job?: JobFieldsFragment | null;
  readonly receipt?: ReceiptFieldsFragment | null;
}

/** The server refused a call by a rule, and nothing changed. `code` and the message are those of the first reason. */
export class UserErrors extends JoblinkError {
  override readonly name = 'UserErrors';
  declare readonly code: ErrorCode;
  /** All reasons. */
  readonly userErrors: readonly UserError[];
  /** The job as it stands, where the caller may see it. */
  readonly job: JobFieldsFragment | null;
  /** The receipt, where the job was deleted before. */
  readonly receipt: ReceiptFieldsFragment | null;

  constructor(first: UserError, userErrors: readonly UserError[], beside: Beside) {
    super(first.code, first.message);
    this.userErrors = userErrors;
    this.job = beside.job ?? null;
    this.receipt = beside.receipt ?? null;
  }
}

/** Throws where a mutation was refused; else gives its payload. */
export function accepted<T extends Beside & { readonly userErrors: readonly UserError[] }>(payload: T | null): T {
  if (!payload) throw new JoblinkError('UNEXPECTED_ANSWER', 'The server answered a mutation without a result and without an error.');
  const [first] = payload.userErrors;
  if (first) throw new UserErrors(first, payload.userErrors, payload);
  return payload;
}

/** There is no such job, or not for this caller. */
export function jobNotFound(): JoblinkError {
  return new JoblinkError('JOB_NOT_FOUND', 'Job not found');
}
