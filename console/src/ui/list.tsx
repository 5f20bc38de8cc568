// What the pages with a list have in common: their head, what is selected, all states of the list, and turning its pages.
import { useEffect, useRef } from 'react';
import type { Role } from '../api/graphql';
import { usePlace } from '../place';
import { useLiveState } from '../server/client';
import { isForbidden, isSignedOut, sentence } from '../server/failure';
import type { List, Page } from '../server/list';
import { announce } from './announce';
import { Button } from './button';
import { ChevronLeft, ChevronRight } from './icons';
import { FIRST, PAGE, type Paging, paging as pagingOf, turn } from './paging';
import { Empty, Failed, Forbidden, Notice } from './states';
import { ListSkeleton } from './table';
import { capital, counted, number } from './text';

/** What a list is of: "job", "jobs". */
export type Noun = readonly [one: string, many: string];

/** The title of a page, and how many things it lists. */
export function ListHead({ title, noun, total, children }: { title: string; noun: Noun; total: number | undefined; children?: React.ReactNode }) {
  return (
    <div className="page-head">
      <h1>{title}</h1>
      {total !== undefined && <span className="page-count">{counted(total, ...noun)}</span>}
      {children}
    </div>
  );
}

/** Whether Escape has no other meaning where it was pressed: what is open closes by it, and a field of text is emptied. */
const isFree = ({ key, defaultPrevented, target }: KeyboardEvent): boolean =>
  key === 'Escape' && !defaultPrevented && target instanceof Element && !target.closest('[role=dialog], [role=alertdialog], [role=menu], input:not([type=checkbox])');

interface SelectionProps {
  noun: Noun;
  selected: ReadonlySet<string>;
  onClear: () => void;
  onDelete: (ids: readonly string[]) => void;
}

/** How many rows are selected, and what can be done with them. Escape selects none. */
export function SelectionBar({ noun, selected, onClear, onDelete }: SelectionProps) {
  const clear = useRef(onClear);
  clear.current = () => {
    onClear();
    announce(`No ${noun[0]} selected`);
    const list = document.querySelector<HTMLElement>('.list-table');
    if (!list?.contains(document.activeElement)) list?.focus();
  };
  const isShown = selected.size > 0;
  useEffect(() => {
    if (!isShown) return;
    const press = (event: KeyboardEvent) => {
      if (isFree(event)) clear.current();
    };
    document.addEventListener('keydown', press);
    return () => document.removeEventListener('keydown', press);
  }, [isShown]);
  if (!isShown) return null;
  return (
    <div className="selection" role="group" aria-label={`Selected ${noun[1]}`}>
      <strong>{counted(selected.size, ...noun)} selected</strong>
      <Button look="quiet" onPress={() => clear.current()}>
        Clear Selection
      </Button>
      <Button look="danger" onPress={() => onDelete([...selected])}>
        Delete Selected {capital(noun[1])}
      </Button>
    </div>
  );
}

/** Whether the viewer may not see a list at all: then what narrows it is of no use either. */
export const isRefused = ({ page, error }: Pick<List<unknown>, 'page' | 'error'>): boolean =>
  page === undefined && error !== undefined && isForbidden(error);

/** Which part of a list is shown, and the pages beside it. */
function Pager({ page, paging, isBehind }: { page: Page<unknown>; paging: Paging; isBehind: boolean }) {
  const { nodes, totalCount, pageInfo } = page;
  const hasPrevious = paging.at > 0;
  const hasNext = pageInfo.hasNextPage;
  // What comes before this page may have grown or shrunk since it was turned to.
  const most = Math.max(0, totalCount - nodes.length - (hasNext ? 1 : 0));
  const at = hasNext ? Math.min(paging.at, most) : most;
  // While a page is on its way the one before is shown, whose ends are not those of the one that is wanted.
  const turnTo = (to: Paging): unknown => isBehind || turn(to);
  return (
    <nav className="pages" aria-label="Pages">
      <span className="pages-text">
        {number(at + 1)}–{number(at + nodes.length)} of {number(totalCount)}
      </span>
      {(hasPrevious || hasNext) && (
        <>
          <Button
            isDisabled={!hasPrevious}
            aria-label="Previous page"
            onPress={() =>
              turnTo(paging.at <= PAGE ? FIRST : { ...FIRST, before: pageInfo.startCursor ?? null, at: Math.max(0, at - PAGE) })
            }
          >
            <ChevronLeft />
            Previous
          </Button>
          <Button
            isDisabled={!hasNext}
            aria-label="Next page"
            onPress={() => turnTo({ ...FIRST, after: pageInfo.endCursor ?? null, at: at + nodes.length })}
          >
            Next
            <ChevronRight />
          </Button>
        </>
      )}
    </nav>
  );
}

export interface ListProps<Item> {
  noun: Noun;
  list: List<Item>;
  /** What is shown where the list has nothing at all. */
  empty: React.ReactNode;
  /** Whether it is narrowed; with this the filters are taken away. */
  onClearFilters?: () => void;
  /** The shapes of a row while it is loading. */
  shapes?: readonly string[];
  /** Who may see the list, where not everybody may. */
  forWhom?: Exclude<Role, 'MEMBER'>;
  /** What can be done with what is selected: behind the rows that one selects, and before the other pages. */
  selection?: React.ReactNode;
  children: (rows: readonly Item[]) => React.ReactNode;
}

/** A list in all of its states: on its way, failed, forbidden, empty, without a match, or the table and its pages, of which the address says one. */
export function ListBody<Item>({ noun, list, empty, onClearFilters, shapes, forWhom, selection, children }: ListProps<Item>) {
  const { page, error, isBehind, fetching, retry } = list;
  const { standing } = useLiveState();
  const { query } = usePlace();
  const paging = pagingOf(query);
  const [one, many] = noun;
  const total = page?.totalCount ?? 0;
  // Nothing is here any more, or all that is left has its place on the first page.
  const isNone = page !== undefined && (!page.pageInfo.startCursor || total <= PAGE);
  const nowhere = isNone && paging.at > 0 && !fetching && !error;
  useEffect(() => {
    // The list is shorter than it was when this page was turned to.
    if (nowhere) turn(FIRST, true);
  });
  const settled = page !== undefined && !isBehind && !fetching;
  useEffect(() => {
    if (settled) announce(total === 0 ? `No ${many}` : counted(total, one, many));
  }, [settled, total, one, many]);

  if (page === undefined) {
    if (!error) return <ListSkeleton of={many} shapes={shapes} />;
    if (forWhom && isForbidden(error)) return <Forbidden what={`the ${many}`} forWhom={forWhom} />;
    return <Failed title={`The ${many} could not be loaded`} reason={sentence(error)} onRetry={retry} />;
  }
  return (
    <>
      {error && !isSignedOut(error) && standing !== 'lost' && (
        <Notice said={`The list could not be refreshed. ${sentence(error)}`} does="Retry" onPress={retry} />
      )}
      {page.nodes.length > 0 ? (
        <>
          {children(page.nodes)}
          {selection}
          <Pager page={page} paging={paging} isBehind={isBehind} />
        </>
      ) : total > 0 ? (
        <ListSkeleton of={many} shapes={shapes} />
      ) : onClearFilters ? (
        <Empty title={`No ${one} matches`}>
          <p>Other words, or fewer filters, may find what you are looking for.</p>
          <Button onPress={onClearFilters}>Clear Filters</Button>
        </Empty>
      ) : (
        empty
      )}
      {page.nodes.length === 0 && selection}
    </>
  );
}
