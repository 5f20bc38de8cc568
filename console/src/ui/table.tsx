import { type ColumnDef, createColumnHelper, rowSortingFeature, type SortingState, tableFeatures, useTable } from '@tanstack/react-table';
import { useMemo } from 'react';
import { Cell, Column, Row, type Selection, Table, TableBody, TableHeader } from 'react-aria-components';
import { Checkbox } from './checkbox';
import { ArrowDown, ArrowUp } from './icons';

const features = tableFeatures({ rowSortingFeature });

/** Makes the columns of a table whose rows are these. */
export const columnsOf = <Item extends object>() => createColumnHelper<typeof features, Item>();

/** The columns of a table; the server sorts by those with an accessor, but where `enableSorting` is false. */
export type Columns<Item extends object> = ColumnDef<typeof features, Item, any>[];

export interface Sort {
  /** The id of a column. */
  readonly by: string;
  readonly ascending: boolean;
}

interface Props<Item> {
  /** What the table is of: "Jobs". */
  label: string;
  /** The name of its style, where it has one. */
  className?: string;
  columns: Columns<Item & object>;
  rows: readonly Item[];
  /** The column that names a row. */
  header: string;
  nameOf: (item: Item) => string;
  /** What else a row bears for those who look for it in the page. */
  marks?: (item: Item) => Record<`data-${string}`, string>;
  sort?: Sort;
  onSort?: (sort: Sort) => void;
  /** Which rows of the whole list are selected; without it none can be. */
  selected?: ReadonlySet<string>;
  onSelect?: (selected: ReadonlySet<string>) => void;
  isBehind?: boolean;
}

/** What is said of a cell where the columns have no head of their own: on narrow screens, where a row is a card. */
const said = (header: unknown): string | undefined => (typeof header === 'string' ? header : undefined);

/** A page of a list as a table; on narrow screens as a card for each row. */
export function ListTable<Item extends { readonly id: string }>(props: Props<Item>) {
  const { label, className, columns, rows, header: named, nameOf, marks, sort, onSort, selected, onSelect, isBehind } = props;
  const sorting = useMemo<SortingState>(() => (sort ? [{ id: sort.by, desc: !sort.ascending }] : []), [sort?.by, sort?.ascending]);
  const table = useTable({
    features,
    columns,
    data: rows,
    getRowId: ({ id }) => id,
    manualSorting: true,
    enableSortingRemoval: false,
    state: { sorting },
  });
  const [group] = table.getHeaderGroups();

  /** The rows of other pages stay selected, whatever is done to those at hand. */
  const select = (selection: Selection) => {
    if (!selected || !onSelect) return;
    const here = rows.map(({ id }) => id);
    if (selection === 'all') return onSelect(new Set([...selected, ...here]));
    const elsewhere = [...selected].filter(id => !here.includes(id));
    return onSelect(new Set([...elsewhere, ...[...selection].map(String)]));
  };

  return (
    <Table
      aria-label={label}
      className={['list-table', className, isBehind && 'behind'].filter(Boolean).join(' ')}
      selectionMode={selected ? 'multiple' : 'none'}
      escapeKeyBehavior="none"
      selectedKeys={selected}
      onSelectionChange={select}
      sortDescriptor={sort && { column: sort.by, direction: sort.ascending ? 'ascending' : 'descending' }}
      onSortChange={({ column, direction }) => onSort?.({ by: String(column), ascending: direction === 'ascending' })}
    >
      <TableHeader>
        {selected && (
          <Column className="select-column">
            <Checkbox slot="selection" aria-label={`Select all ${label.toLowerCase()} of this page`} />
          </Column>
        )}
        {group?.headers.map(header => (
          <Column
            key={header.id}
            id={header.id}
            className={`${header.id}-column`}
            isRowHeader={header.id === named}
            allowsSorting={sort !== undefined && header.column.getCanSort()}
          >
            {({ sortDirection, allowsSorting }) => (
              <span className={allowsSorting ? 'sortable' : undefined}>
                <table.FlexRender header={header} />
                {sortDirection === 'ascending' ? <ArrowUp /> : sortDirection === 'descending' ? <ArrowDown /> : null}
              </span>
            )}
          </Column>
        ))}
      </TableHeader>
      <TableBody items={rows}>
        {item => (
          <Row id={item.id} textValue={nameOf(item)} data-row-id={item.id} {...marks?.(item)}>
            {selected && (
              <Cell className="select-column">
                {/* Else the whole cell that names the row would be read out behind it. */}
                <Checkbox slot="selection" aria-label={`Select ${nameOf(item)}`} aria-labelledby="" />
              </Cell>
            )}
            {table
              .getRow(item.id)
              .getAllCells()
              .map(cell => (
                <Cell
                  key={cell.id}
                  className={`${cell.column.id}-column${cell.column.id === named ? ' name-column' : ''}`}
                  data-label={said(cell.column.columnDef.header)}
                >
                  <table.FlexRender cell={cell} />
                </Cell>
              ))}
          </Row>
        )}
      </TableBody>
    </Table>
  );
}

/** The shape of a table, while its rows are on their way. */
export function ListSkeleton({ of, shapes = ['long', 'pill', 'short', 'short'] }: { of: string; shapes?: readonly string[] }) {
  return (
    <div className="skeleton" role="status">
      <span className="hidden-text">Loading the {of}</span>
      {Array.from({ length: 8 }, (_, row) => (
        <div key={row} className="skeleton-row" aria-hidden="true">
          {shapes.map((shape, cell) => (
            <span key={cell} className={`bone ${shape}`} />
          ))}
        </div>
      ))}
    </div>
  );
}
