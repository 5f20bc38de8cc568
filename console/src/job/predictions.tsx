import { useEffect } from 'react';
import { Link } from 'react-aria-components';
import { type JobDetailsFragment, JobPredictionsDocument } from '../api/graphql';
import { LINK_SOURCES } from '../deletion/preview';
import { usePlace } from '../place';
import { figures, nameOf, type PredictionRow } from '../predictions/columns';
import { useList } from '../server/list';
import { ListBody, type Noun } from '../ui/list';
import { pageArguments, paging } from '../ui/paging';
import { columnsOf, ListTable } from '../ui/table';

const NOUN: Noun = ['prediction', 'predictions'];

const { accessor, columns: listed } = columnsOf<PredictionRow>();

const columns = listed([
  ...figures,
  accessor('linkSource', {
    id: 'link',
    header: 'Link',
    cell: ({ getValue }) => {
      const source = getValue();
      return source ? LINK_SOURCES[source] : <span className="nothing">–</span>;
    },
  }),
]);

/** What a job made. */
export function Predictions({ job, isActive, news }: { job: JobDetailsFragment; isActive: boolean; news: number }) {
  const { id, kind, fileName } = job;
  const { query } = usePlace();
  const list = useList(JobPredictionsDocument, { id, ...pageArguments(paging(query)) }, data => data.job?.predictions);
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
            nameOf={nameOf}
            isBehind={list.isBehind}
          />
        )}
      </ListBody>
    </section>
  );
}
