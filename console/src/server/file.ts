// Files that the server gives to who is signed in: a plain link to one would lack the token.
import { authorization, expire } from '../session/session';

/** A file by its path on the server, or why there is none. */
export async function fetchFile(path: string): Promise<Blob | { readonly failure: string }> {
  const unreachable = { failure: 'The server cannot be reached.' };
  try {
    const response = await fetch(path, { headers: authorization() });
    if (response.ok) return await response.blob();
    if (response.status === 401) expire();
    const told = (await response.json().catch(() => undefined)) as { errors?: { message?: string }[] } | undefined;
    return { failure: told?.errors?.[0]?.message ?? unreachable.failure };
  } catch {
    return unreachable;
  }
}
