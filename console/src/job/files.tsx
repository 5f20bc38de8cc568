import { useEffect, useRef, useState } from 'react';
import { type ArtifactKind, CleanJobDocument, type JobDetailsFragment } from '../api/graphql';
import { useAct } from '../server/act';
import { useServer } from '../server/client';
import { fetched } from '../server/fetched';
import { announce } from '../ui/announce';
import { Button } from '../ui/button';
import { Confirm } from '../ui/dialog';
import { save } from '../ui/save';
import { sum } from '../ui/sum';
import { counted, dayAndTime, exactly, size } from '../ui/text';
import { tell } from '../ui/toasts';

type Artifact = JobDetailsFragment['artifacts'][number];

const KINDS: Record<ArtifactKind, string> = { INPUT: 'Input', LOG: 'Log', RESULTS: 'Results' };

/** Says what a file is, and gives it to who wants it. */
function File({ file, onProblem }: { file: Artifact; onProblem: (problem: string) => void }) {
  const [isFetching, setIsFetching] = useState(false);
  const fetching = useRef<AbortController | undefined>(undefined);
  useEffect(() => () => fetching.current?.abort(), []);

  const download = async (url: string) => {
    if (fetching.current) return;
    const stop = new AbortController();
    fetching.current = stop;
    onProblem('');
    setIsFetching(true);
    announce(`Downloading ${file.name}`);
    const answer = await fetched(url, stop.signal);
    // Its page was left, or it was stopped.
    if (stop.signal.aborted) return;
    fetching.current = undefined;
    setIsFetching(false);
    if ('failure' in answer) onProblem(`${file.name} could not be downloaded. ${answer.failure}`);
    else save(answer.file, file.name);
  };
  const stop = () => {
    fetching.current?.abort();
    fetching.current = undefined;
    setIsFetching(false);
  };

  const { downloadUrl } = file;
  return (
    <tr>
      <th scope="row">{KINDS[file.kind]}</th>
      <td>
        {file.name}
        {file.sha256 && (
          <span className="hint">
            SHA-256 <code>{file.sha256}</code>
          </span>
        )}
      </td>
      <td className="nowrap">{size(file.size)}</td>
      <td className="when">{exactly(file.createdAt)}</td>
      <td className="does">
        {downloadUrl &&
          (isFetching ? (
            <Button aria-label={`Stop the download of ${file.name}`} onPress={stop}>
              Stop
            </Button>
          ) : (
            <Button aria-label={`Download ${file.name}`} onPress={() => void download(downloadUrl)}>
              Download
            </Button>
          ))}
      </td>
    </tr>
  );
}

/** Asks whether the files of a job may go, and removes them. */
function CleanDialog({ job, onClose }: { job: JobDetailsFragment; onClose: () => void }) {
  const { client } = useServer();
  const { act, problem, isBusy } = useAct();
  const run = async () => {
    const done = await act('Removing the files...', async () => {
      const { data, error } = await client.mutation(CleanJobDocument, { id: job.id }).toPromise();
      return { payload: data?.cleanJob, error };
    });
    if (!done) return;
    tell({ title: 'Files removed', text: job.fileName });
    onClose();
  };
  const { artifacts } = job;
  return (
    <Confirm
      title="Remove Files?"
      keep="Keep Files"
      does="Remove Files"
      doing="Removing..."
      isBusy={isBusy}
      problem={problem}
      onConfirm={() => void run()}
      onClose={onClose}
    >
      <p>
        This removes the files of <span className="refused-name">{job.fileName}</span>:{' '}
        <strong>
          {counted(artifacts.length, 'file')}, {size(sum(artifacts, file => file.size))}
        </strong>
        . The job, its predictions and the list of rows that were not stored stay. This action cannot be undone.
      </p>
      {job.can.retry && <p>Without its input the job cannot be retried.</p>}
    </Confirm>
  );
}

/** The files of a job. */
export function Files({ job, isActive, onAsk, isAsking }: { job: JobDetailsFragment; isActive: boolean; isAsking: boolean; onAsk: (asks: boolean) => void }) {
  const [problem, setProblem] = useState('');
  const { artifacts, dataCleanedAt, cleanupSummary } = job;
  return (
    <section className="section" aria-labelledby="files">
      <div className="section-head">
        <h2 id="files">Files</h2>
        {job.can.clean && artifacts.length > 0 && <Button onPress={() => onAsk(true)}>Remove Files</Button>}
      </div>
      {dataCleanedAt && (
        <p>
          {cleanupSummary ? `${counted(cleanupSummary.artifacts, 'file')} of ${size(cleanupSummary.bytes)} were removed` : 'Files were removed'} on{' '}
          {dayAndTime(dataCleanedAt)}.
        </p>
      )}
      {problem && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      {artifacts.length > 0 ? (
        <table className="plain-table files">
          <thead>
            <tr>
              <th scope="col">Kind</th>
              <th scope="col">Name</th>
              <th scope="col">Size</th>
              <th scope="col">Stored</th>
              <th scope="col">
                <span className="hidden-text">Download</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {artifacts.map(file => (
              <File key={file.id} file={file} onProblem={setProblem} />
            ))}
          </tbody>
        </table>
      ) : (
        !dataCleanedAt && <p className="nothing">{job.origin === 'ADOPTED' ? 'The earlier program left none here.' : 'None.'}</p>
      )}
      {isActive && artifacts.length > 0 && <p className="hint">Log and results follow when the job ends.</p>}
      {isAsking && <CleanDialog job={job} onClose={() => onAsk(false)} />}
    </section>
  );
}
