import { useSyncExternalStore } from 'react';

let said = '';
const listeners = new Set<() => void>();

/** Tells those who do not see the page what has just changed on it. */
export function announce(text: string): void {
  // The same sentence once more is news too: a space makes it another one.
  said = text === said ? `${text}\u00a0` : text;
  listeners.forEach(listener => listener());
}

/** Where screen readers hear what is announced; once on the page. */
export function Announcer() {
  const text = useSyncExternalStore(
    listener => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    () => said,
  );
  return (
    <div role="status" aria-live="polite" className="hidden-text" data-announcer>
      {text}
    </div>
  );
}
