// Where the server may differ from graphql-js, and why.
import type { Judged } from './reference.ts';
import type { Request } from './request.ts';

interface Allowance {
  readonly reason: string;
  readonly applies: (why: string, request: Request, judged: Judged) => boolean;
}

const ALLOWANCES: readonly Allowance[] = [];

/** Whether a difference is one of those that are meant. */
export function allowed(why: string, request: Request, judged: Judged): boolean {
  return ALLOWANCES.some(({ applies }) => applies(why, request, judged));
}
