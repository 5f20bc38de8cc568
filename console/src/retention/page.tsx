import { useCallback, useEffect, useRef, useState } from 'react';
import { Link } from 'react-aria-components';
import { useQuery } from 'urql';
import { RetentionDueDocument, RetentionMomentDocument, type RetentionMomentQuery } from '../api/graphql';
import { usePlace } from '../place';
import { useAgain } from '../server/again';
import { isForbidden, sentence } from '../server/failure';
import { useList } from '../server/list';
import { announce } from '../ui/announce';
import { Button } from '../ui/button';
import { ListBody, type Noun } from '../ui/list';
import { FIRST, pageArguments, paging, turn } from '../ui/paging';
import { Empty, Failed, Forbidden } from '../ui/states';
import { ListSkeleton } from '../ui/table';
import { counted, exactly, size } from '../ui/text';
import { useTitle } from '../ui/title';
import { tell } from '../ui/toasts';
import { type Run, useRun } from './follow';
import { RetentionHead } from './head';
import { type Item, ItemsTable } from './items';
import { Policy } from './policy';
import { RunDialog, RunProgress } from './run-dialog';
import { asInput, outcome } from './words';

const NOUN: Noun = ['job is due', 'jobs are due'];
const SHAPES = ['long', 'pill', 'short', 'long', 'short', 'short'];

type Moment = NonNullable<RetentionMomentQuery['retentionPreview']>;

/** What a run at that moment would do, by those rules. */
function DryRun({ moment, run, isLooking, onLook, onBegun }: {
  moment: Moment;
  /** One that goes on already. */
  run: Run | undefined;
  isLooking: boolean;
  onLook: () => void;
  onBegun: (run: Run) => void;
}) {
  const { query } = usePlace();
  const page = paging(query);
  const { at, policy: rules, clean, delete: gone, bytes } = moment;
  const wanted = { at, policy: asInput(rules), ...pageArguments(page) };
  const list = useList(RetentionDueDocument, wanted, data => data.retentionPreview?.items);
  const isDue = clean + gone > 0;
  const [asked, setAsked] = useState(false);
  /** What this dialog has begun. */
  const [begun, setBegun] = useState<string | undefined>(undefined);
  const followed = useRun(run);
  const goesOn = followed.run && !followed.run.finishedAt ? followed.run : undefined;

  const close = () => {
    setAsked(false);
    setBegun(undefined);
  };
  // What was due is so no more when a run has ended.
  const ended = followed.run?.finishedAt ? followed.run : undefined;
  const told = useRef(ended?.id);
  useEffect(() => {
    if (!ended || told.current === ended.id) return;
    told.current = ended.id;
    const text = `${outcome(ended)}, ${size(ended.bytesFreed)} freed`;
    // The dialog says it where it is open.
    if (asked) announce(text);
    else tell({ title: 'Retention has run', text, links: [{ href: `/console/retention/runs/${ended.id}`, text: 'Show what was done' }] });
    onLook();
  }, [ended, asked, onLook]);

  return (
    <section aria-labelledby="dry-run">
      <div className="section-head">
        <h2 id="dry-run">Dry run</h2>
        <span className="hint">
          What a run would do, as of <time dateTime={at}>{exactly(at)}</time>. Nothing is changed by looking.
        </span>
        <div className="section-actions">
          <Button onPress={onLook} isBusy={isLooking}>
            {isLooking ? 'Looking...' : 'Look Again'}
          </Button>
          <Button look="danger" isDisabled={!isDue || list.page === undefined || goesOn !== undefined} onPress={() => setAsked(true)}>
            Run Retention
          </Button>
        </div>
      </div>
      {goesOn && !asked && (
        <div className="run-notice" role="status">
          <strong>A run is under way</strong>
          <RunProgress run={goesOn} />
          <Link href={`/console/retention/runs/${goesOn.id}`}>Show it</Link>
        </div>
      )}
      {isDue && (
        <dl className="sums">
          <div>
            <dt>Cleaned</dt>
            <dd>{counted(clean, 'job')}</dd>
          </div>
          <div>
            <dt>Deleted</dt>
            <dd>{counted(gone, 'job')}</dd>
          </div>
          <div>
            <dt>Freed</dt>
            <dd>{size(bytes)}</dd>
          </div>
        </dl>
      )}
      <ListBody
        noun={NOUN}
        list={list}
        shapes={SHAPES}
        empty={
          <Empty title="Nothing is due">
            <p>A run at this moment would clean and delete no job.</p>
          </Empty>
        }
      >
        {(items: readonly Item[]) => <ItemsTable items={items} rules={rules} isDone={false} isBehind={list.isBehind} />}
      </ListBody>
      {asked && (
        <RunDialog
          due={{ at, rules, clean, delete: gone, bytes }}
          followed={begun !== undefined && followed.run?.id === begun ? followed : { run: undefined, problem: '' }}
          onBegun={run => {
            setBegun(run.id);
            onBegun(run);
          }}
          onClose={close}
        />
      )}
    </section>
  );
}

/** Of the run that was begun here and the last one that is known, the one that began later. */
function newest(begun: Run | undefined, last: Run | undefined): Run | undefined {
  if (!begun || !last || last.id === begun.id) return begun ?? last;
  return last.startedAt > begun.startedAt ? last : begun;
}

/** The policy, and what it would do now. */
export function RetentionPage() {
  const [{ data, error, fetching }, ask] = useQuery({ query: RetentionMomentDocument, requestPolicy: 'network-only' });
  const [begun, setBegun] = useState<Run | undefined>(undefined);
  const preview = data?.retentionPreview;
  const last = useRef<typeof preview>(undefined);
  if (preview) last.current = preview;
  const shown = preview ?? last.current;

  useTitle('Retention');
  const look = useCallback(() => {
    turn(FIRST, true);
    ask({ requestPolicy: 'network-only' });
  }, [ask]);
  useAgain(error, look);

  return (
    <div className="page">
      <RetentionHead isRefused={!shown && error !== undefined && isForbidden(error)} />
      {!shown ? (
        !error ? (
          <ListSkeleton of="policy" shapes={SHAPES} />
        ) : isForbidden(error) ? (
          <Forbidden what="the retention policy and run it" forWhom="OPERATOR" />
        ) : (
          <Failed title="The policy could not be loaded" reason={sentence(error)} onRetry={look} />
        )
      ) : (
        <>
          <section aria-labelledby="policy">
            <div className="section-head">
              <h2 id="policy">Policy</h2>
              <span className="hint">As the server is set. It is changed in the server’s settings.</span>
            </div>
            <Policy rules={shown.policy} />
          </section>
          {error && (
            <p className="problem" role="alert">
              What is due could not be looked up again. {sentence(error)}
            </p>
          )}
          <DryRun
            moment={shown}
            run={newest(begun, data?.retentionRuns?.nodes[0])}
            isLooking={fetching}
            onLook={look}
            onBegun={setBegun}
          />
        </>
      )}
    </div>
  );
}
