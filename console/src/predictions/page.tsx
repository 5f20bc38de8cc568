import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { useCallback, useState } from 'react';
import { Link } from 'react-aria-components';
import {
  AnnualPredictionsDocument,
  type AnnualPredictionsQuery,
  type AnnualPredictionsQueryVariables,
  type PredictionKind,
  QuarterlyPredictionsDocument,
  type QuarterlyPredictionsQuery,
} from '../api/graphql';
import { KINDS } from '../jobs/wanted';
import type { Viewer } from '../server/client';
import { useJobEvents } from '../server/events';
import { useList } from '../server/list';
import { active } from '../ui/filter';
import { useKeptPlace } from '../ui/kept-place';
import { type Noun, SelectionBar } from '../ui/list';
import { ListPage, useWanted } from '../ui/list-page';
import { FIRST } from '../ui/paging';
import { useSelection } from '../ui/selection';
import { Empty } from '../ui/states';
import { ListTable } from '../ui/table';
import { number } from '../ui/text';
import { columns, nameOf, type PredictionRow } from './columns';
import { DeletePredictionsDialog } from './dialog';
import { Filters } from './filters';
import { address, filterOf, NO_FILTER, variables, wanted as wantedBy } from './wanted';

const NOUN: Noun = ['prediction', 'predictions'];

type Answer = AnnualPredictionsQuery | QuarterlyPredictionsQuery;
const other = (kind: PredictionKind): PredictionKind => (kind === 'ANNUAL' ? 'QUARTERLY' : 'ANNUAL');
const DOCUMENTS = { ANNUAL: AnnualPredictionsDocument, QUARTERLY: QuarterlyPredictionsDocument };

export function PredictionsPage({ viewer }: { viewer: Viewer }) {
  const { wanted, change } = useWanted(wantedBy, address);
  const { selected, select, drop, without } = useSelection<PredictionRow>('predictions');
  const document = DOCUMENTS[wanted.kind] as TypedDocumentNode<Answer, AnnualPredictionsQueryVariables>;
  const read = useList<Answer, AnnualPredictionsQueryVariables, PredictionRow>(document, variables(wanted, viewer.user.id), data => data.page);
  const list = without(read);
  const { soon } = list;
  // Jobs make predictions, and take them along.
  useJobEvents(type => type !== 'PROGRESS' && soon());

  const [deleting, setDeleting] = useState<readonly string[] | undefined>(undefined);
  const keepPlace = useKeptPlace(deleting !== undefined);
  const askToDelete = (ids: readonly string[]) => {
    keepPlace(ids[0] ?? '');
    setDeleting(ids);
  };
  const close = useCallback(() => setDeleting(undefined), []);
  const onGone = useCallback(
    (ids: readonly string[]) => {
      drop(ids);
      soon();
    },
    [drop, soon],
  );

  const counts = { [wanted.kind]: list.page?.totalCount, [other(wanted.kind)]: read.answer?.others?.totalCount };

  return (
    <>
      <ListPage
        title="Predictions"
        noun={NOUN}
        list={list}
        active={active(wanted, NO_FILTER)}
        onClearFilters={filterOf(wanted, viewer.user.id) && (() => change(NO_FILTER))}
        above={
          <nav className="kinds-of-list" aria-label="Kind">
            {KINDS.map(({ value, text }) => (
              <Link key={value} href={address({ ...wanted, ...FIRST, kind: value })} aria-current={value === wanted.kind ? 'page' : undefined}>
                {text} {counts[value] !== undefined && !read.isBehind && <span className="kind-count">{number(counts[value])}</span>}
              </Link>
            ))}
          </nav>
        }
        filters={<Filters wanted={wanted} onChange={change} />}
        selection={<SelectionBar noun={NOUN} selected={selected} onClear={() => select(new Set())} onDelete={askToDelete} />}
        shapes={['box', 'short', 'short', 'pill', 'short', 'long', 'short']}
        empty={
          <Empty title={`No ${wanted.kind.toLowerCase()} predictions yet`}>
            <p>Jobs make predictions of the rows of their files.</p>
            <Link className="button primary" href="/console/upload">
              Upload a File
            </Link>
          </Empty>
        }
      >
        {rows => (
          <ListTable
            label="Predictions"
            className="predictions-table"
            columns={columns}
            rows={rows}
            header="company"
            nameOf={nameOf}
            marks={row => ({ 'data-prediction-id': row.id })}
            selected={selected}
            onSelect={select}
            isBehind={list.isBehind}
          />
        )}
      </ListPage>
      {deleting && <DeletePredictionsDialog ids={deleting} onGone={onGone} onClose={close} />}
    </>
  );
}
