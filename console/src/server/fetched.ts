// Files of the server, fetched with the sign-in, which a plain link to them lacks.
import { authorization, expire } from '../session/session';

export type Fetched = { file: Blob } | { failure: string };

/** Fetches a file of the server; `signal` ends it. */
export async function fetched(url: string, signal: AbortSignal): Promise<Fetched> {
  try {
    const response = await fetch(url, { headers: authorization(), signal });
    if (response.ok) return { file: await response.blob() };
    if (response.status === 401) expire();
    const answer = (await response.json().catch(() => null)) as { errors?: { message: string }[] } | null;
    return { failure: answer?.errors?.[0]?.message ?? `The server refused the file (${response.status}).` };
  } catch {
    return { failure: signal.aborted ? 'The download was stopped.' : 'The server cannot be reached.' };
  }
}
