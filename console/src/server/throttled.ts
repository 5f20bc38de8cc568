import { useCallback, useEffect, useRef } from 'react';

/** Calls at once, and then at most once in a time (in milliseconds), with the last call never lost. */
export function useThrottled(call: () => void, atMostEvery: number): () => void {
  const timer = useRef<number | undefined>(undefined);
  const last = useRef(0);
  const latest = useRef(call);
  latest.current = call;
  useEffect(
    () => () => {
      window.clearTimeout(timer.current);
      timer.current = undefined;
    },
    [],
  );
  return useCallback(() => {
    if (timer.current !== undefined) return;
    const wait = Math.max(0, last.current + atMostEvery - Date.now());
    timer.current = window.setTimeout(() => {
      timer.current = undefined;
      last.current = Date.now();
      latest.current();
    }, wait);
  }, [atMostEvery]);
}
