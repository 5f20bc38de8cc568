// Where in the console the user is: the path below /console, and its query.
import { useMemo, useSyncExternalStore } from 'react';

export const BASE = '/console';

const listeners = new Set<() => void>();
const tell = () => listeners.forEach(listener => listener());
window.addEventListener('popstate', tell);

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => void listeners.delete(listener);
};

/** Goes to an address of the console; `replace` leaves no trace of the one before. */
export function go(to: string, replace = false): void {
  const here = location.pathname + location.search;
  if (to === here) return;
  const before = location.pathname;
  history[replace ? 'replaceState' : 'pushState'](null, '', to);
  tell();
  // Another page begins at its top, for the eye and for the keyboard.
  if (!replace && location.pathname !== before) {
    window.scrollTo(0, 0);
    document.getElementById('content')?.focus({ preventScroll: true });
  }
}

/** An address, and what is said behind it; what is empty is not. */
export function addressOf(path: string, said: Readonly<Record<string, string | null>>): string {
  const query = new URLSearchParams(Object.entries(said).flatMap(([name, value]) => (value ? [[name, value]] : [])));
  return query.size ? `${path}?${query}` : path;
}

/** The path without `/console` and a slash at its end, and the query. */
export function usePlace(): { path: string; query: URLSearchParams } {
  const path = useSyncExternalStore(subscribe, () => location.pathname);
  const search = useSyncExternalStore(subscribe, () => location.search);
  const query = useMemo(() => new URLSearchParams(search), [search]);
  return { path: path.slice(BASE.length).replace(/\/+$/, '') || '/', query };
}
