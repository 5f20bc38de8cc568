import { useCallback, useEffect, useRef } from 'react';

/** React Aria gives the focus back in the next frame, and the list may lose the row in the one after that: so many are waited. */
export const FRAMES = 20;

/** Nothing has the focus, as after the removal of what had it. */
export const isNowhere = (): boolean => document.activeElement === null || document.activeElement === document.body;

const rows = (): HTMLElement[] => [...document.querySelectorAll<HTMLElement>('[data-row-id]')];

/**
 * After a dialog the focus is where it was before it. Where that row is gone it is on the one that took its place, and
 * where none is left, or none was said, on the page itself.
 */
export function useKeptPlace(isOpen: boolean): (id: string) => void {
  const place = useRef({ id: '', index: 0 });
  const wasOpen = useRef(false);
  useEffect(() => {
    if (isOpen || !wasOpen.current) {
      wasOpen.current = isOpen;
      return;
    }
    wasOpen.current = false;
    let left = FRAMES;
    let frame = requestAnimationFrame(function look() {
      if (isNowhere()) {
        const all = rows();
        const { id, index } = place.current;
        // Without a row to go back to, what had the focus was a button of the page.
        if (!id) return document.getElementById('content')?.focus();
        const row = all.find(row => row.dataset['rowId'] === id);
        const button = row?.querySelector<HTMLElement>('button.more') ?? row;
        (button ?? all[Math.min(index, all.length - 1)] ?? document.getElementById('content'))?.focus();
      }
      if (left-- > 0) frame = requestAnimationFrame(look);
    });
    return () => cancelAnimationFrame(frame);
  }, [isOpen]);
  return useCallback((id: string) => {
    place.current = { id, index: Math.max(0, rows().findIndex(row => row.dataset['rowId'] === id)) };
  }, []);
}
