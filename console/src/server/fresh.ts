import { useEffect, useRef } from 'react';

/**
 * Asks again when there is news, but never while an answer is on its way: asking again would drop that, and where answers take
 * longer than news none would ever arrive.
 */
export function useFresh(news: number | string, fetching: boolean, ask: () => void): void {
  const seen = useRef(news);
  const latest = useRef(ask);
  latest.current = ask;
  useEffect(() => {
    if (fetching || seen.current === news) return;
    seen.current = news;
    latest.current();
  }, [news, fetching]);
}
