// A run that goes on in the background, looked at until its end.
import { useEffect, useState } from 'react';
import { RetentionRunCountsDocument, type RetentionRunRowFragment } from '../api/graphql';
import { useServer } from '../server/client';
import { sentence } from '../server/failure';

/** The pauses between looks, in milliseconds; the last one goes on. */
const LOOKS = [200, 500, 1000, 2000];
/** The same while the server does not answer. */
const MISSES = [1000, 2000, 5000, 10_000];

export type Run = RetentionRunRowFragment;

export interface Followed {
  readonly run: Run | undefined;
  /** Why it is not known how it stands now. */
  readonly problem: string;
}

/** How a run stands; nothing where there is none to follow. */
export function useRun(begun: Run | undefined): Followed {
  const { client } = useServer();
  const [seen, setSeen] = useState<Run | undefined>(undefined);
  const [problem, setProblem] = useState('');
  const id = begun?.id;
  const isOver = begun?.finishedAt != null;
  useEffect(() => {
    setProblem('');
    if (id === undefined || isOver) return;
    let looks = 0;
    let misses = 0;
    let isLeft = false;
    let timer = window.setTimeout(async function look() {
      const { data, error } = await client.query(RetentionRunCountsDocument, { id }, { requestPolicy: 'network-only' }).toPromise();
      if (isLeft) return;
      const run = data?.node?.__typename === 'RetentionRun' ? data.node : undefined;
      if (run) {
        setSeen(run);
        if (run.finishedAt) return setProblem('');
      }
      setProblem(run || !error ? '' : sentence(error));
      const pause = run ? LOOKS[Math.min(looks++, LOOKS.length - 1)] : MISSES[Math.min(misses++, MISSES.length - 1)];
      if (run) misses = 0;
      timer = window.setTimeout(look, pause);
    }, LOOKS[0]);
    return () => {
      isLeft = true;
      window.clearTimeout(timer);
    };
  }, [client, id, isOver]);
  return { run: !isOver && seen?.id === id ? seen : begun, problem };
}
