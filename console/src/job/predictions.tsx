import { useEffect } from 'react';
import { Link } from 'react-aria-components';
import { type JobDetailsFragment, JobPredictionsDocument, type JobPredictionsQuery, type RiskLevel } from '../api/graphql';
import { LINK_SOURCES } from '../deletion/preview';
import { go, usePlace } from '../place';
import { useList } from '../server/list';
import { ListBody, type Noun } from '../ui/list';
import { pageArguments, type Paging, paging as pagingOf, sayPaging } from '../ui/paging';
import { columnsOf, ListTable } from '../ui/table';
import { pageOf } from './page-of';

type Row = NonNullable<JobPredictionsQuery['job']>['predictions']['nodes'][number];

const NOUN: Noun = ['prediction', 'predictions'];
const RISKS: Record<RiskLevel, string> = { LOW: 'Low', MEDIUM: 'Medium', HIGH: 'High', CRITICAL: 'Critical' };

const percent = new Intl.NumberFormat(undefined, { style: 'percent', minimumFractionDigits: 2, maximumFractionDigits: 2 });
const nothing = <span className="nothing">–</span>;
const { accessor, columns: listed } = columnsOf<Row>();

const columns = listed([
  accessor(({ company }) => company.symbol, {
    id: 'company',
    header: 'Company',
    cell: ({ row: { original: row } }) => (
      <span className="file">
        <strong>{row.company.symbol}</strong>
        <span className="hint">{row.company.name}</span>
      </span>
    ),
  }),
  accessor(row => [row.reportingYear, row.reportingQuarter].filter(Boolean).join(' '), { id: 'period', header: 'Period' }),
  accessor('riskLevel', {
    id: 'status',
    header: 'Risk',
    cell: ({ getValue }) => {
      const level = getValue();
      return level ? <span className={`badge risk-${level.toLowerCase()}`}>{RISKS[level]}</span> : nothing;
    },
  }),
  accessor('probability', {
    id: 'probability',
    header: 'Probability of default',
    cell: ({ getValue }) => {
      const value = getValue();
      return value ? percent.format(Number(value)) : nothing;
    },
  }),
  accessor('linkSource', {
    id: 'link',
    header: 'Link',
    cell: ({ getValue }) => {
      const source = getValue();
      return source ? LINK_SOURCES[source] : nothing;
    },
  }),
]);

const address = (id: string, paging: Paging): string => {
  const query = new URLSearchParams();
  sayPaging(query, paging);
  const text = query.toString();
  return pageOf(id) + (text && `?${text}`);
};

/** What a job made. */
export function Predictions({ job, isActive, news }: { job: JobDetailsFragment; isActive: boolean; news: number }) {
  const { id, kind, fileName } = job;
  const { query } = usePlace();
  const paging = pagingOf(query);
  const list = useList(JobPredictionsDocument, { id, ...pageArguments(paging) }, data => data.job?.predictions);
  const { soon, page } = list;
  useEffect(() => {
    if (news) soon();
  }, [news, soon]);
  return (
    <section className="section" aria-labelledby="predictions">
      <div className="section-head">
        <h2 id="predictions">Predictions</h2>
        {page !== undefined && page.totalCount > 0 && (
          <Link className="button plain" href={`/console/predictions?kind=${kind}&job=${id}`}>
            Show in Predictions
          </Link>
        )}
      </div>
      <ListBody
        noun={NOUN}
        list={list}
        paging={paging}
        onTurn={(paging, replace) => go(address(id, paging), replace)}
        shapes={['long', 'short', 'pill', 'short']}
        empty={<p className="nothing">{isActive ? 'None yet.' : 'None is linked to this job.'}</p>}
      >
        {rows => (
          <ListTable
            label={`Predictions of ${fileName}`}
            className="job-predictions"
            columns={columns}
            rows={rows}
            header="company"
            nameOf={({ company }) => company.symbol}
            isBehind={list.isBehind}
          />
        )}
      </ListBody>
    </section>
  );
}
