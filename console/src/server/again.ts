import { useEffect, useRef } from 'react';
import type { CombinedError } from 'urql';
import { useSession } from '../session/session';

/** Asks again for what could not be read, when somebody has signed in again. */
export function useAgain(error: CombinedError | undefined, ask: () => void): void {
  const { renewals } = useSession();
  const latest = useRef({ error, ask });
  latest.current = { error, ask };
  useEffect(() => {
    if (renewals && latest.current.error) latest.current.ask();
  }, [renewals]);
}
