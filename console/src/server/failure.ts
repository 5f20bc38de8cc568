// What is said of a request that failed: one sentence, and what to do.
import type { CombinedError } from 'urql';
import type { UserErrorsFragment } from '../api/graphql';

const codes = (error: CombinedError): unknown[] => error.graphQLErrors.map(({ extensions }) => extensions['code']);
const status = (error: CombinedError): number | undefined => (error.response as Response | undefined)?.status;

/** Nobody is signed in, or no more. */
export const isSignedOut = (error: CombinedError): boolean =>
  status(error) === 401 || codes(error).includes('UNAUTHENTICATED');

/** The server was not reached, or cannot answer now. */
export const isUnreachable = (error: CombinedError): boolean => {
  const answered = status(error);
  if (codes(error).some(code => code === 'DATABASE_BUSY' || code === 'RATE_LIMITED')) return true;
  return error.networkError !== undefined && (answered === undefined || answered >= 500 || answered === 429);
};

/** The viewer's role is too low. */
export const isForbidden = (error: CombinedError): boolean => codes(error).includes('FORBIDDEN') || status(error) === 403;

export function sentence(error: CombinedError): string {
  const found = codes(error);
  if (isSignedOut(error)) return 'You are signed out: sign in again.';
  if (isForbidden(error)) {
    const said = error.graphQLErrors[0]?.message ?? 'Your role does not allow this.';
    return `${said} Ask ${said.startsWith('Only operators') ? '' : 'an administrator of your organization, or '}an operator of the server.`;
  }
  if (found.includes('DATABASE_BUSY')) return 'The server’s database does not answer at the moment.';
  if (found.includes('RATE_LIMITED') || status(error) === 429) return 'Too many requests: wait a few seconds.';
  if (error.graphQLErrors[0]) return error.graphQLErrors[0].message;
  return 'The server cannot be reached.';
}

/** Who may do with a job what the viewer may not. */
export const CREATOR = 'Ask its creator, or an administrator of your organization.';

/** What the server refuses, and whom to ask where the rights are missing. */
export function refused({ code, message: said }: UserErrorsFragment, whom = CREATOR): string {
  const message = /[.!?]$/.test(said) ? said : `${said}.`;
  if (code === 'FORBIDDEN') return `${message} ${whom}`;
  if (code === 'JOB_ON_HOLD') return `${message} An administrator can lift the hold.`;
  return message;
}
