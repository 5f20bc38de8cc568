// A run of the backfill is another program's work, of which no events tell: it is looked at now and then.
import { useEffect } from 'react';
import type { BackfillStatus } from '../api/graphql';

/** The pause between looks, in milliseconds. */
const EVERY = 5000;

/** Looks again while one of the runs is at work. */
export function useWatchedRuns(runs: readonly { readonly status: BackfillStatus }[], look: () => void): void {
  const isAtWork = runs.some(({ status }) => status === 'RUNNING');
  useEffect(() => {
    if (!isAtWork) return;
    const timer = window.setInterval(look, EVERY);
    return () => window.clearInterval(timer);
  }, [isAtWork, look]);
}
