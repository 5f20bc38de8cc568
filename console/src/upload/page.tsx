import { useCallback, useEffect, useRef, useState } from 'react';
import { DropZone, FileTrigger, Label, Link, ProgressBar, Radio, RadioGroup, Text } from 'react-aria-components';
import { useQuery } from 'urql';
import { CreateJobDocument, type JobRowFragment, type PredictionKind, UploadedJobDocument } from '../api/graphql';
import { pageOf } from '../job/page-of';
import { RowErrors } from '../job/row-errors';
import { StatusBadge } from '../jobs/badge';
import { JobProgress } from '../jobs/progress';
import { KINDS } from '../jobs/wanted';
import { useRefresh, useServer } from '../server/client';
import { useJobEvents } from '../server/events';
import { isUnreachable, sentence } from '../server/failure';
import { announce } from '../ui/announce';
import { Button } from '../ui/button';
import { File as FileIcon } from '../ui/icons';
import { counted, number, size } from '../ui/text';
import { useTitle } from '../ui/title';
import { BOTH, kindOf, missing, OF_KIND } from './columns';
import { headerOf } from './header';
import { send } from './send';

/** A name that no other request has; `randomUUID` is there on encrypted pages alone. */
const newKey = (): string => Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('');

/** What is known of the kind of a file: read from its header, told by neither kind, chosen by hand, or not read at all. */
type Known = 'detected' | 'untold' | 'chosen' | 'unreadable';

const HINTS: Record<Known, string> = {
  detected: 'Detected from the file’s columns.',
  untold: 'The file’s columns fit neither kind. Choose the kind of figures that it has.',
  chosen: '',
  unreadable: 'The file’s columns could not be read here. Choose the kind of figures that it has.',
};

/** Names of columns, each of which is kept whole where the line ends. */
function Columns({ names }: { names: readonly string[] }) {
  return (
    <ul className="columns">
      {names.map(name => (
        <li key={name}>
          <code>{name}</code>
        </li>
      ))}
    </ul>
  );
}

/** What a file has to have, before somebody sends one that is refused. */
function Needed() {
  return (
    <section className="needed" aria-labelledby="needed">
      <h2 id="needed">Columns that a file needs</h2>
      <dl className="facts">
        <dt>Both kinds</dt>
        <dd>
          <Columns names={BOTH} />
        </dd>
        {KINDS.map(({ value, text }) => (
          <div key={value} className="needed-kind">
            <dt>{text}</dt>
            <dd>
              <Columns names={OF_KIND[value]} />
            </dd>
          </div>
        ))}
      </dl>
      <p className="hint">In any order; other columns are ignored.</p>
    </section>
  );
}

/** Why a file was not taken: columns that it lacks as a list. */
function Refused({ problem, onChoose }: { problem: string; onChoose: (file: File) => void }) {
  const lacking = missing(problem);
  return (
    <div className="problem" role="alert">
      {lacking ? (
        <>
          <p>{lacking.length === 1 ? 'The file lacks a column that this kind needs:' : `The file lacks ${lacking.length} columns that this kind needs:`}</p>
          <Columns names={lacking} />
          <Choose onChoose={onChoose}>Choose Another File</Choose>
        </>
      ) : (
        problem
      )}
    </div>
  );
}

/** A button that asks for a file. */
function Choose({ onChoose, isDisabled, children }: { onChoose: (file: File) => void; isDisabled?: boolean; children: string }) {
  return (
    <FileTrigger
      acceptedFileTypes={['.csv', '.tsv', '.txt', '.xlsx', 'text/csv']}
      onSelect={files => {
        const file = files?.[0];
        if (file) onChoose(file);
      }}
    >
      <Button isDisabled={isDisabled}>{children}</Button>
    </FileTrigger>
  );
}

/** The job that was made, as it goes on. */
function Made({ job: made, onAgain }: { job: JobRowFragment; onAgain: () => void }) {
  const { client } = useServer();
  const variables = { id: made.id };
  const [{ data }] = useQuery({ query: UploadedJobDocument, variables });
  const refresh = useCallback(async () => {
    const { error } = await client.query(UploadedJobDocument, { id: made.id }, { requestPolicy: 'network-only' }).toPromise();
    return !error || !isUnreachable(error);
  }, [client, made.id]);
  useRefresh(refresh);
  useJobEvents((type, id) => {
    if (id === made.id && type === 'STATUS') void refresh();
  });
  const job = data?.job ?? made;
  const { succeeded, failed } = job.progress;
  const hasEnded = job.finishedAt !== null;
  const outcome = `${counted(succeeded, 'row')} stored, ${number(failed)} not stored`;
  useEffect(() => {
    if (hasEnded) announce(outcome);
  }, [hasEnded, outcome]);
  return (
    <>
      <div className="upload-card" data-job-id={job.id}>
        <div className="upload-job">
          <span className="refused-name">{job.fileName}</span>
          <StatusBadge status={job.status} />
        </div>
        <JobProgress job={job} />
        {job.errorMessage && <p className="problem">{job.errorMessage}</p>}
        {hasEnded && <p>{outcome}.</p>}
        <div className="dialog-buttons">
          <Link className="button plain" href={pageOf(job.id)}>
            Show the Job
          </Link>
          <Button look="primary" onPress={onAgain}>
            Upload Another File
          </Button>
        </div>
      </div>
      {hasEnded && failed > 0 && <RowErrors id={job.id} fileName={job.fileName} />}
    </>
  );
}

/** Takes a file, by dropping or choosing it, and makes a job of it. */
export function UploadPage() {
  const { client } = useServer();
  const [file, setFile] = useState<File | undefined>(undefined);
  const [kind, setKind] = useState<PredictionKind | undefined>(undefined);
  const [known, setKnown] = useState<Known>('chosen');
  const [part, setPart] = useState<number | undefined>(undefined);
  const [problem, setProblem] = useState('');
  const [made, setMade] = useState<JobRowFragment | undefined>(undefined);
  const sending = useRef<AbortController | undefined>(undefined);
  /** The same file sent again makes no second job, whatever became of the first answer. */
  const key = useRef('');

  useTitle('Upload');
  useEffect(() => () => sending.current?.abort(), []);

  const take = async (taken: File) => {
    if (sending.current) return;
    const mine = newKey();
    key.current = mine;
    setProblem('');
    if (taken.size === 0) {
      setFile(undefined);
      return setProblem(`${taken.name} is empty. Choose a file with a header and at least one row.`);
    }
    const header = await headerOf(taken);
    // Another file was taken meanwhile.
    if (key.current !== mine) return;
    const found = header && kindOf(header);
    setFile(taken);
    setKind(found);
    setKnown(!header ? 'unreadable' : found ? 'detected' : 'untold');
  };

  const upload = async () => {
    if (sending.current || !file || !kind) return;
    const stop = new AbortController();
    sending.current = stop;
    setProblem('');
    setPart(0);
    const sent = await send(file, setPart, stop.signal);
    if ('failure' in sent) setProblem(sent.failure);
    else {
      const input = { kind, source: { uploadId: sent.uploadId }, idempotencyKey: key.current };
      const { data, error } = await client.mutation(CreateJobDocument, { input }).toPromise();
      const payload = data?.createJob;
      if (payload?.job) setMade(payload.job);
      else setProblem(payload?.userErrors[0]?.message ?? (error ? sentence(error) : 'The server did not answer.'));
    }
    sending.current = undefined;
    setPart(undefined);
  };

  const again = () => {
    setMade(undefined);
    setFile(undefined);
    setKind(undefined);
  };

  const isSending = part !== undefined;
  return (
    <div className="page upload">
      <div className="page-head">
        <h1>Upload</h1>
      </div>
      {made ? (
        <Made job={made} onAgain={again} />
      ) : (
        <div className="upload-card">
          <DropZone
            className="drop"
            aria-label="File to upload"
            isDisabled={isSending}
            onDrop={({ items }) => {
              const dropped = items.find(item => item.kind === 'file');
              if (dropped?.kind === 'file') void dropped.getFile().then(take);
            }}
          >
            <FileIcon />
            <Text slot="label">{file ? file.name : 'Drop a CSV or Excel file here'}</Text>
            <span className="hint">{file ? size(file.size) : 'With a header; CSV with commas, semicolons or tabs, Excel as .xlsx'}</span>
            <Choose onChoose={file => void take(file)} isDisabled={isSending}>
              {file ? 'Choose Another File' : 'Choose a File'}
            </Choose>
          </DropZone>
          {file && (
            <RadioGroup
              className="field kinds"
              value={kind ?? null}
              isDisabled={isSending}
              onChange={value => {
                setKind(value as PredictionKind);
                setKnown('chosen');
                setProblem('');
                key.current = newKey();
              }}
            >
              <Label>Kind of figures</Label>
              <div className="kinds-choices">
                {KINDS.map(({ value, text }) => (
                  <Radio key={value} value={value} className="radio">
                    <span className="radio-dot" />
                    {text}
                  </Radio>
                ))}
              </div>
              <Text slot="description" className="hint">
                {HINTS[known]}
              </Text>
            </RadioGroup>
          )}
          {isSending && (
            <ProgressBar className="sending" aria-label="Upload" value={part * 100}>
              {({ percentage, valueText }) => (
                <>
                  <span className="progress-bar">
                    <span className="progress-good" style={{ width: `${percentage ?? 0}%` }} />
                  </span>
                  <span className="hint">{part < 1 ? `Sending: ${valueText}` : 'Checking the file'}</span>
                </>
              )}
            </ProgressBar>
          )}
          {problem && <Refused problem={problem} onChoose={file => void take(file)} />}
          {file && (
            <div className="dialog-buttons">
              {isSending && <Button onPress={() => sending.current?.abort()}>Stop</Button>}
              <Button look="primary" isDisabled={!kind} isBusy={isSending} onPress={() => void upload()}>
                {isSending ? 'Uploading...' : problem && !missing(problem) ? 'Retry' : 'Upload'}
              </Button>
            </div>
          )}
          <Needed />
        </div>
      )}
    </div>
  );
}
