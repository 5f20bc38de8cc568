// The bearer token of this page: in memory, and on the device only where its user said so.
import { useSyncExternalStore } from 'react';

const KEY = 'joblink.token';

interface Session {
  readonly token: string | null;
  /** The server took the token no more, while pages were open. */
  readonly expired: boolean;
  /** Grows whenever a token took the place of an expired one. */
  readonly renewals: number;
}

function kept(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // a browser that keeps nothing
  }
}

function keep(token: string | null): void {
  try {
    if (token === null) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, token);
  } catch {
    // As above; the token is in memory all the same.
  }
}

let session: Session = { token: kept(), expired: false, renewals: 0 };
const listeners = new Set<() => void>();

function become(next: Partial<Session>): void {
  session = { ...session, ...next };
  listeners.forEach(listener => listener());
}

export const token = (): string | null => session.token;
export const isExpired = (): boolean => session.expired;

/** What a request bears. */
export const authorization = (): Record<string, string> =>
  session.token === null ? {} : { authorization: `Bearer ${session.token}` };

/** Takes a token that the server accepted. */
export function accept(token: string, onThisDevice: boolean): void {
  keep(onThisDevice ? token : null);
  become({ token, expired: false, renewals: session.renewals + (session.expired ? 1 : 0) });
}

/** The server says that nobody is signed in. */
export function expire(): void {
  if (session.expired) return;
  keep(null);
  become({ expired: true });
}

/** Forgets the token, on the device too. */
export function forget(): void {
  keep(null);
  become({ token: null, expired: false });
}

export const useSession = (): Session =>
  useSyncExternalStore(
    listener => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    () => session,
  );
