import { useSyncExternalStore } from 'react';

let said = '';
const listeners = new Set<() => void>();

/** How long an announcement stays: until it was read out, and not until somebody comes by it, in milliseconds. */
const SAID_BY = 5000;

let timer: number | undefined;

function say(text: string): void {
  said = text;
  listeners.forEach(listener => listener());
}

/** Tells those who do not see the page what has just changed on it. */
export function announce(text: string): void {
  window.clearTimeout(timer);
  // The same sentence once more is news too: a space makes it another one.
  say(text === said ? `${text}\u00a0` : text);
  timer = window.setTimeout(() => say(''), SAID_BY);
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
