// Where the server is meant to differ from graphql-js, and why.
import type { Request } from './request.ts';

interface Allowance {
  readonly why: string;
  readonly applies: (request: Request, difference: string) => boolean;
}

const refused = (difference: string): boolean => difference.startsWith('the server refused');

const ALLOWANCES: readonly Allowance[] = [
  {
    why: 'A whole number beyond 64 bits is no ID: its digits are lost when it is read, and ids are UUIDs.',
    applies: ({ query }, difference) => refused(difference) && query.includes('99999999999999999999'),
  },
  {
    why: 'A null for @skip or @include refuses the request before anything is executed, as other wrong values of variables do; graphql-js finds it where it first needs the value, perhaps never.',
    applies: ({ variables }, difference) =>
      refused(difference) && difference.includes('A variable of @skip or @include is null') && Object.values(variables).includes(null),
  },
];

/** Whether a difference is one of those. */
export function allowed(request: Request, difference: string): boolean {
  return ALLOWANCES.some(({ applies }) => applies(request, difference));
}
