import { useCallback, useEffect, useRef, useState } from 'react';
import { Link } from 'react-aria-components';
import { useQuery } from 'urql';
import {
  type BackfillDecisionRowFragment,
  BackfillDecisionsDocument,
  BackfillRunDocument,
  type BackfillRunQuery,
  BackfillUnresolvedDocument,
  type LinkSource,
  type UnresolvedRowFragment,
} from '../api/graphql';
import { usePlace } from '../place';
import { useAgain } from '../server/again';
import { isForbidden, sentence } from '../server/failure';
import { fetched } from '../server/fetched';
import { useList } from '../server/list';
import { announce } from '../ui/announce';
import { Button } from '../ui/button';
import { ListBody, type Noun } from '../ui/list';
import { pageArguments, paging } from '../ui/paging';
import { save } from '../ui/save';
import { Empty, Failed, Forbidden } from '../ui/states';
import { columnsOf, ListSkeleton, ListTable } from '../ui/table';
import { capital, exactly, number, took } from '../ui/text';
import { useTitle } from '../ui/title';
import { RunBadge } from './page';
import { useWatchedRuns } from './watch';
import { REASONS, STATUSES } from './words';

const JOBS: Noun = ['job', 'jobs'];
const LEFT: Noun = ['prediction without a link', 'predictions without a link'];

const nothing = <span className="nothing">–</span>;

/** On what a link rests, as said of a job's links. */
const EVIDENCE: Record<LinkSource, string> = {
  UPLOAD: 'Made by the job',
  MANIFEST: 'The operator’s list',
  SOURCE_FILE: 'The job’s file',
  TIME_WINDOW: 'Time alone',
  RELEASED: 'Released',
};

const jobColumns = columnsOf<BackfillDecisionRowFragment>();
const decisions = jobColumns.columns([
  jobColumns.accessor('job', {
    id: 'file',
    header: 'Job',
    cell: ({ row: { original: decision } }) =>
      decision.job ? (
        <Link className="file-name" href={`/console/jobs/${decision.id}`}>
          {decision.job.fileName}
        </Link>
      ) : (
        <span className="file">
          <code className="id">{decision.id}</code>
          <span className="hint">Deleted since</span>
        </span>
      ),
  }),
  jobColumns.accessor(decision => decision.job?.createdBy?.name, { id: 'who', header: 'Created by', cell: ({ getValue }) => getValue() ?? nothing }),
  jobColumns.accessor('linked', { id: 'linked', header: 'Linked', cell: ({ getValue }) => number(getValue()) }),
  jobColumns.accessor('evidence', {
    id: 'evidence',
    header: 'Rests on',
    cell: ({ getValue }) => {
      const evidence = getValue();
      return evidence ? EVIDENCE[evidence] : nothing;
    },
  }),
  jobColumns.accessor('unresolved', { id: 'unresolved', header: 'Left', cell: ({ getValue }) => number(getValue()) }),
  jobColumns.accessor('note', { id: 'note', header: 'Remark', cell: ({ getValue }) => capital(getValue() ?? '') || nothing }),
]);

type Left = UnresolvedRowFragment & { readonly id: string };

const kindOf = ({ prediction }: Left): string => (prediction.__typename === 'AnnualPrediction' ? 'Annual' : 'Quarterly');
const periodOf = ({ prediction }: Left): string => [prediction.reportingYear, prediction.reportingQuarter].filter(Boolean).join(' ');

const leftColumns = columnsOf<Left>();
const leftOver = leftColumns.columns([
  leftColumns.accessor(({ prediction }) => prediction.company.symbol, {
    id: 'company',
    header: 'Prediction',
    cell: ({ row: { original: left } }) => (
      <span className="file">
        <span className="file-name" title={left.prediction.company.name}>
          {left.prediction.company.symbol} {periodOf(left)}
        </span>
        <span className="hint">{kindOf(left)}</span>
      </span>
    ),
  }),
  leftColumns.accessor('reason', {
    id: 'reason',
    header: 'Why it has no link',
    cell: ({ getValue }) => (
      <span className="act">
        <strong>{REASONS[getValue()].text}</strong>
        <span className="hint">{REASONS[getValue()].hint}</span>
      </span>
    ),
  }),
  leftColumns.accessor('candidates', {
    id: 'candidates',
    header: 'Jobs at work then',
    cell: ({ getValue }) => {
      const jobs = getValue();
      if (jobs.length === 0) return nothing;
      return (
        <span className="candidates">
          {jobs.map(job => (
            <Link key={job.id} href={`/console/jobs/${job.id}`}>
              {job.fileName}
            </Link>
          ))}
        </span>
      );
    },
  }),
  leftColumns.accessor(({ prediction }) => prediction.createdBy?.name, { id: 'who', header: 'Made by', cell: ({ getValue }) => getValue() ?? nothing }),
  leftColumns.accessor(({ prediction }) => prediction.predictedAt, {
    id: 'made',
    header: 'Made',
    cell: ({ getValue }) => {
      const at = getValue();
      return at ? exactly(at) : nothing;
    },
  }),
]);

type Run = Extract<NonNullable<BackfillRunQuery['node']>, { __typename: 'BackfillRun' }>;

/** Fetches a list of the run as a file, once at a time. */
function Download({ path, children }: { path: string; children: string }) {
  const [isBusy, setIsBusy] = useState(false);
  const [problem, setProblem] = useState('');
  const fetching = useRef<AbortController | undefined>(undefined);
  useEffect(() => () => fetching.current?.abort(), []);
  const download = async () => {
    if (fetching.current) return;
    const stop = new AbortController();
    fetching.current = stop;
    setIsBusy(true);
    setProblem('');
    const answer = await fetched(path, stop.signal);
    // The page was left.
    if (stop.signal.aborted) return;
    fetching.current = undefined;
    setIsBusy(false);
    if ('failure' in answer) return setProblem(`${answer.failure} Try again.`);
    const name = path.split('/').slice(1).join('-');
    save(answer.file, name);
    announce(`Downloaded ${name}`);
  };
  return (
    <span className="download">
      <Button onPress={() => void download()} isBusy={isBusy}>
        {isBusy ? 'Downloading...' : children}
      </Button>
      {problem && (
        <span className="problem" role="alert">
          {problem}
        </span>
      )}
    </span>
  );
}

function RunFacts({ run }: { run: Run }) {
  const { hint } = STATUSES[run.status];
  return (
    <>
      <dl className="sums">
        <div>
          <dt>Status</dt>
          <dd>
            <RunBadge status={run.status} />
          </dd>
        </div>
        <div>
          <dt>Began</dt>
          <dd>{exactly(run.startedAt)}</dd>
        </div>
        {run.finishedAt && (
          <>
            <div>
              <dt>Took</dt>
              <dd>{took(run.startedAt, run.finishedAt)}</dd>
            </div>
            <div>
              <dt>Linked</dt>
              <dd>{number(run.linked)}</dd>
            </div>
            <div>
              <dt>Left without a link</dt>
              <dd>{number(run.unresolved)}</dd>
            </div>
          </>
        )}
        {run.undone > 0 && (
          <div>
            <dt>Taken back</dt>
            <dd>{number(run.undone)}</dd>
          </div>
        )}
      </dl>
      {hint && <p className="hint">{hint}</p>}
      {run.finishedAt && run.unresolved > 0 && (
        <p className="hint">
          You decide about what is left by a list of your own: <code>migration backfill run --manifest FILE.csv</code>.
        </p>
      )}
    </>
  );
}

/** Looks at a list of a run again whenever the run has come further, or to its end. */
function useKeptUp({ status, linked, unresolved, undone }: Run, soon: () => void) {
  const far = [status, linked, unresolved, undone].join(' ');
  const seen = useRef(far);
  useEffect(() => {
    if (seen.current === far) return;
    seen.current = far;
    soon();
  }, [far, soon]);
}

function Decisions({ run }: { run: Run }) {
  const { query } = usePlace();
  const page = paging(query);
  const list = useList(BackfillDecisionsDocument, { id: run.id, ...pageArguments(page) }, data =>
    data.node?.__typename === 'BackfillRun' ? data.node.decisions : undefined,
  );
  useKeptUp(run, list.soon);
  return (
    <ListBody
      noun={JOBS}
      list={list}
      empty={
        <Empty title="No job was decided about">
          <p>The run found no job of an existing installation, or has not come to one yet.</p>
        </Empty>
      }
    >
      {rows => (
        <ListTable
          label="Decisions"
          className="backfill-table"
          columns={decisions}
          rows={rows}
          header="file"
          nameOf={decision => decision.job?.fileName ?? decision.id}
          isBehind={list.isBehind}
        />
      )}
    </ListBody>
  );
}

function LeftOver({ run }: { run: Run }) {
  const { query } = usePlace();
  const page = paging(query);
  const list = useList(BackfillUnresolvedDocument, { id: run.id, ...pageArguments(page) }, data => {
    const found = data.node?.__typename === 'BackfillRun' ? data.node.unresolvedPredictions : undefined;
    return found && { ...found, nodes: found.nodes.map(left => ({ ...left, id: left.prediction.id })) };
  });
  useKeptUp(run, list.soon);
  return (
    <ListBody
      noun={LEFT}
      list={list}
      empty={
        <Empty title="Nothing is left without a link">
          <p>Whatever this run left was linked or deleted since.</p>
        </Empty>
      }
    >
      {rows => (
        <ListTable
          label="Predictions without a link"
          className="backfill-table"
          columns={leftOver}
          rows={rows}
          header="company"
          nameOf={left => `${left.prediction.company.symbol} ${periodOf(left)}`}
          isBehind={list.isBehind}
        />
      )}
    </ListBody>
  );
}

/** What a run decided about each job. */
export const DecisionsPage = ({ id }: { id: string }) => <RunPage id={id} isLeft={false} />;

/** What a run left without a link. */
export const UnresolvedPage = ({ id }: { id: string }) => <RunPage id={id} isLeft />;

function RunPage({ id, isLeft }: { id: string; isLeft: boolean }) {
  const [{ data, error, fetching }, ask] = useQuery({ query: BackfillRunDocument, variables: { id }, requestPolicy: 'cache-and-network' });
  const run = data?.node?.__typename === 'BackfillRun' ? data.node : undefined;
  const look = useCallback(() => ask({ requestPolicy: 'network-only' }), [ask]);
  useWatchedRuns(run ? [run] : [], look);
  useAgain(error, look);
  useTitle('A run of the backfill');

  if (!run) {
    return (
      <div className="page">
        <div className="page-head">
          <h1>Backfill</h1>
        </div>
        {error ? (
          isForbidden(error) ? (
            <Forbidden what="runs of the backfill" forWhom="OPERATOR" />
          ) : (
            <Failed title="The run could not be loaded" reason={sentence(error)} onRetry={look} />
          )
        ) : fetching ? (
          <ListSkeleton of="run" />
        ) : (
          <Empty title="No such run">
            <p>There is no run of the backfill by this id, or you do not have access to it: only operators do.</p>
            <Link className="button primary" href="/console/backfill">
              Show the Runs
            </Link>
          </Empty>
        )}
      </div>
    );
  }
  return (
    <div className="page">
      <div className="page-head">
        <h1>Backfill</h1>
        <nav className="sub-pages" aria-label="Backfill">
          <Link href="/console/backfill">All runs</Link>
          <Link href={`/console/backfill/${id}`} aria-current={isLeft ? undefined : 'page'}>
            Jobs
          </Link>
          <Link href={`/console/backfill/${id}/unresolved`} aria-current={isLeft ? 'page' : undefined}>
            Left without a link
          </Link>
        </nav>
      </div>
      <section aria-labelledby="run">
        <div className="section-head">
          <h2 id="run">A run</h2>
        </div>
        <RunFacts run={run} />
      </section>
      <section aria-labelledby="list">
        <div className="section-head">
          <h2 id="list">{isLeft ? 'Predictions that it left without a link' : 'What it decided about each job'}</h2>
          <div className="section-actions">
            <Download key={`${isLeft}`} path={isLeft ? run.unresolvedDownloadUrl : run.decisionsDownloadUrl}>
              Download as CSV
            </Download>
          </div>
        </div>
        {isLeft ? <LeftOver run={run} /> : <Decisions run={run} />}
      </section>
    </div>
  );
}
