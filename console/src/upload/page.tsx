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
import { counted, size } from '../ui/text';
import { guessed } from './kind';
import { send } from './send';

/** A name that no other request has; `randomUUID` is there on encrypted pages alone. */
const newKey = (): string => Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('');

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
  const outcome = `${counted(succeeded, 'row')} stored, ${failed} not stored`;
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
            Show the job
          </Link>
          <Button look="primary" onPress={onAgain}>
            Upload another file
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
  const [isGuessed, setIsGuessed] = useState(false);
  const [part, setPart] = useState<number | undefined>(undefined);
  const [problem, setProblem] = useState('');
  const [made, setMade] = useState<JobRowFragment | undefined>(undefined);
  const sending = useRef<AbortController | undefined>(undefined);
  /** The same file sent again makes no second job, whatever became of the first answer. */
  const key = useRef('');

  useEffect(() => {
    document.title = 'Upload · Joblink';
    return () => sending.current?.abort();
  }, []);

  const take = async (taken: File | null | undefined) => {
    if (!taken) return;
    const mine = newKey();
    key.current = mine;
    setProblem('');
    const guess = await guessed(taken).catch(() => undefined);
    // Another file was taken meanwhile.
    if (key.current !== mine) return;
    setFile(taken);
    setKind(guess);
    setIsGuessed(guess !== undefined);
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
            isDisabled={isSending}
            onDrop={({ items }) => {
              const dropped = items.find(item => item.kind === 'file');
              if (dropped?.kind === 'file') void dropped.getFile().then(take);
            }}
          >
            <FileIcon />
            <Text slot="label">{file ? file.name : 'Drop a CSV or Excel file here'}</Text>
            <span className="hint">{file ? size(file.size) : 'With a header; CSV with commas, semicolons or tabs, Excel as .xlsx'}</span>
            <FileTrigger
              acceptedFileTypes={['.csv', '.tsv', '.txt', '.xlsx', 'text/csv']}
              onSelect={files => void take(files?.[0])}
            >
              <Button isDisabled={isSending}>{file ? 'Choose another file' : 'Choose a file'}</Button>
            </FileTrigger>
          </DropZone>
          {file && (
            <RadioGroup
              className="field kinds"
              value={kind ?? null}
              isDisabled={isSending}
              onChange={value => {
                setKind(value as PredictionKind);
                setIsGuessed(false);
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
                {isGuessed ? 'By the columns of the file.' : kind ? '' : 'The file does not tell: choose one.'}
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
          {problem && (
            <p className="problem" role="alert">
              {problem}
            </p>
          )}
          {file && (
            <div className="dialog-buttons">
              {isSending ? <Button onPress={() => sending.current?.abort()}>Stop</Button> : <span />}
              <Button look="primary" isDisabled={!kind || isSending} onPress={() => void upload()}>
                {isSending ? 'Uploading...' : problem ? 'Retry' : 'Upload'}
              </Button>
            </div>
          )}
        </div>
      )}
    </div>
  );
}
