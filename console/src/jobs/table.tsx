import { type SortingState, useTable } from '@tanstack/react-table';
import { useMemo } from 'react';
import { Cell, Column, Row, type Selection, Table, TableBody, TableHeader } from 'react-aria-components';
import type { JobRowFragment } from '../api/graphql';
import { Checkbox } from '../ui/checkbox';
import { ArrowDown, ArrowUp } from '../ui/icons';
import { columns, features, FIELDS } from './columns';
import { orderOf, sortOf } from './wanted';

interface Props {
  jobs: readonly JobRowFragment[];
  sort: string;
  onSort: (sort: string) => void;
  selected: ReadonlySet<string>;
  onSelect: (selected: ReadonlySet<string>) => void;
  isBehind: boolean;
}

export function JobsTable({ jobs, sort, onSort, selected, onSelect, isBehind }: Props) {
  const order = orderOf(sort);
  const sorting = useMemo<SortingState>(() => {
    const id = Object.keys(FIELDS).find(id => FIELDS[id] === order.field) ?? 'created';
    return [{ id, desc: order.direction === 'DESC' }];
  }, [order]);
  const table = useTable({
    features,
    columns,
    data: jobs,
    getRowId: job => job.id,
    manualSorting: true,
    enableSortingRemoval: false,
    state: { sorting },
  });
  const [group] = table.getHeaderGroups();
  const [by] = sorting;

  /** The rows of other pages stay selected, whatever is done to those at hand. */
  const select = (selection: Selection) => {
    const here = jobs.map(({ id }) => id);
    if (selection === 'all') return onSelect(new Set([...selected, ...here]));
    const elsewhere = [...selected].filter(id => !here.includes(id));
    return onSelect(new Set([...elsewhere, ...[...selection].map(String)]));
  };

  return (
    <Table
      aria-label="Jobs"
      className={`jobs-table${isBehind ? ' behind' : ''}`}
      selectionMode="multiple"
      escapeKeyBehavior="none"
      selectedKeys={selected}
      onSelectionChange={select}
      sortDescriptor={by && { column: by.id, direction: by.desc ? 'descending' : 'ascending' }}
      onSortChange={({ column, direction }) => {
        const field = FIELDS[column];
        if (field) onSort(sortOf(field, direction === 'ascending'));
      }}
    >
      <TableHeader>
        <Column className="select-column">
          <Checkbox slot="selection" aria-label="Select all jobs of this page" />
        </Column>
        {group?.headers.map(header => (
          <Column
            key={header.id}
            id={header.id}
            className={`${header.id}-column`}
            isRowHeader={header.id === 'file'}
            allowsSorting={header.id in FIELDS}
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
      <TableBody items={jobs}>
        {job => (
          <Row id={job.id} textValue={job.fileName} data-job-id={job.id}>
            <Cell className="select-column">
              <Checkbox slot="selection" aria-label={`Select ${job.fileName}`} />
            </Cell>
            {table
              .getRow(job.id)
              .getAllCells()
              .map(cell => (
                <Cell key={cell.id} className={`${cell.column.id}-column`}>
                  <table.FlexRender cell={cell} />
                </Cell>
              ))}
          </Row>
        )}
      </TableBody>
    </Table>
  );
}

/** The shape of the table, while its rows are on their way. */
export function JobsSkeleton() {
  return (
    <div className="skeleton" role="status">
      <span className="hidden-text">Loading the jobs</span>
      {Array.from({ length: 8 }, (_, row) => (
        <div key={row} className="skeleton-row" aria-hidden="true">
          {['box', 'long', 'pill', 'short', 'bar', 'short', 'short'].map((shape, cell) => (
            <span key={cell} className={`bone ${shape}`} />
          ))}
        </div>
      ))}
    </div>
  );
}
