// The keyboard's place on the page is never lost: where what has the focus goes away, something beside it gets it.
import { useEffect } from 'react';
import { FRAMES, isNowhere } from './kept-place';

const CONTROLS = 'a[href], button, input, textarea, [tabindex="0"], .list-table';

/** Where the focus may go: a question in front of the page, else what the page is about. */
const scopeOf = (element: Element): Element | null => element.closest('[role=alertdialog], [role=dialog], main');

const canHave = (element: Element): boolean =>
  element.isConnected && !element.matches(':disabled') && element.checkVisibility({ visibilityProperty: true });

/** Watches the focus as long as the console is open. */
export function useKeptFocus(): void {
  useEffect(() => {
    let last: Element | undefined;
    /** The controls around it when it got the focus: those behind it, then those before it, the nearest first. */
    let beside: Element[] = [];
    let isInDialog = false;
    let left = 0;
    let frame = 0;

    const note = ({ target }: FocusEvent) => {
      if (!(target instanceof Element) || target === document.body) return;
      last = target;
      const scope = scopeOf(target);
      isInDialog = scope !== null && !scope.matches('main');
      const all = [...(scope?.querySelectorAll(CONTROLS) ?? [])].filter(control => !control.contains(target));
      const isBehind = (control: Element) => (target.compareDocumentPosition(control) & Node.DOCUMENT_POSITION_FOLLOWING) !== 0;
      beside = [...all.filter(isBehind), ...all.filter(control => !isBehind(control)).reverse()];
    };
    const look = () => {
      if (!isNowhere() || !last || canHave(last)) return;
      // Who removed it may give the focus to something themselves, after a dialog in some frames.
      if (left-- > 0) return void (frame = requestAnimationFrame(look));
      const next = beside.find(canHave) ?? document.querySelector('[role=alertdialog], [role=dialog]') ?? document.getElementById('content');
      if (next instanceof HTMLElement) next.focus();
    };
    const changed = () => {
      // A button that was disabled just now has the focus until the next frame.
      if (!last || canHave(last)) return;
      cancelAnimationFrame(frame);
      left = isInDialog ? FRAMES + 5 : 2;
      frame = requestAnimationFrame(look);
    };

    const watch = new MutationObserver(changed);
    watch.observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ['disabled', 'class', 'hidden'] });
    document.addEventListener('focusin', note);
    return () => {
      watch.disconnect();
      document.removeEventListener('focusin', note);
      cancelAnimationFrame(frame);
    };
  }, []);
}
