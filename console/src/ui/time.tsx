import { createContext, useContext, useEffect, useState } from 'react';
import { ago, inItsZone } from './text';

const Now = createContext(Date.now());

/** Tells all times below what time it is, twice a minute. */
export function Clock({ children }: { children: React.ReactNode }) {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = window.setInterval(() => setNow(Date.now()), 30_000);
    return () => window.clearInterval(timer);
  }, []);
  return <Now value={now}>{children}</Now>;
}

/** The time, as the clock last told it; never behind what happened since. */
export const useNow = (): number => Math.max(useContext(Now), Date.now());

/** How long ago something was; the exact time where one points at it. */
export function Time({ at }: { at: string }) {
  const now = useNow();
  return (
    <time dateTime={at} title={inItsZone(at)}>
      {ago(at, now)}
    </time>
  );
}
