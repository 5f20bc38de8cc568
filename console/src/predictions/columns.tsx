import { Link } from 'react-aria-components';
import type { AnnualRowFragment, QuarterlyRowFragment } from '../api/graphql';
import { LINK_SOURCES } from '../deletion/preview';
import { columnsOf } from '../ui/table';
import { Time } from '../ui/time';
import { inPercent } from './probability';
import { RiskBadge } from './risk';

export type PredictionRow = AnnualRowFragment | QuarterlyRowFragment;

/** "2024", "2024 Q1". */
export const period = ({ reportingYear, reportingQuarter }: PredictionRow): string =>
  [reportingYear, reportingQuarter].filter(Boolean).join(' ');

/** What a prediction is called where one of many is meant. */
export const nameOf = (row: PredictionRow): string => `${row.company.symbol || 'Company of somebody else'}, ${period(row)}`;

const nothing = <span className="nothing">–</span>;

/** Where it comes from: its job, and how that is known. */
function Origin({ row: { job, linkSource } }: { row: PredictionRow }) {
  const known = linkSource && LINK_SOURCES[linkSource];
  return (
    <span className="file">
      {job ? (
        <Link className="file-name" href={`/console/jobs/${job.id}`}>
          {job.fileName}
        </Link>
      ) : (
        <span className="nothing">{linkSource === 'RELEASED' ? 'its job was deleted' : 'not linked to a job'}</span>
      )}
      {known && <span className="hint">{known}</span>}
    </span>
  );
}

const { accessor, columns: listed } = columnsOf<PredictionRow>();

/** What a prediction says, whoever made it. */
export const figures = listed([
  accessor(row => row.company.symbol, {
    id: 'company',
    header: 'Company',
    cell: ({ row: { original: row } }) =>
      row.company.symbol ? (
        <span className="file">
          <span className="symbol">{row.company.symbol}</span>
          <span className="hint company-name" title={row.company.name}>
            {row.company.name}
          </span>
        </span>
      ) : (
        nothing
      ),
  }),
  accessor(period, { id: 'period', header: 'Period' }),
  accessor('riskLevel', { id: 'status', header: 'Risk', cell: ({ getValue }) => <RiskBadge level={getValue()} /> }),
  accessor('probability', {
    id: 'probability',
    header: 'Probability',
    cell: ({ row: { original: row } }) => (row.probability ? inPercent(row.probability, row.riskLevel) : nothing),
  }),
]);

export const columns = listed([
  ...figures,
  accessor('linkSource', { id: 'origin', header: 'Job', cell: ({ row }) => <Origin row={row.original} /> }),
  accessor(row => row.createdBy?.name, { id: 'who', header: 'Created by', cell: ({ getValue }) => getValue() ?? nothing }),
  accessor(row => row.predictedAt ?? row.createdAt, {
    id: 'created',
    header: 'Computed',
    cell: ({ getValue }) => {
      const at = getValue();
      return at ? <Time at={at} /> : nothing;
    },
  }),
]);
