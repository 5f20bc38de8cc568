import { useEffect, useRef, useState } from 'react';
import { useQuery } from 'urql';
import { type RowErrorCode, RowErrorsDocument } from '../api/graphql';
import { useServer } from '../server/client';
import { sentence } from '../server/failure';
import { useFresh } from '../server/fresh';
import { Button } from '../ui/button';
import { save } from '../ui/save';
import { counted } from '../ui/text';

const CODES: Record<RowErrorCode, string> = {
  DUPLICATE: 'Duplicate',
  MISSING_VALUE: 'Missing value',
  INVALID_VALUE: 'Invalid value',
  OUT_OF_RANGE: 'Out of range',
  MALFORMED: 'Not a row',
};

/** A cell of CSV, in which a spreadsheet sees no formula. */
const cell = (text: string): string => `"${text.replace(/^(?=[=+\-@\t\r])/, "'").replaceAll('"', '""')}"`;

interface Props {
  id: string;
  fileName: string;
  /** How many of them are listed. */
  first?: number;
  /** Grows when there may be more of them than were read. */
  news?: number;
}

/** The rows of a job that were not stored: the first of them here, all of them as a file. */
export function RowErrors({ id, fileName, first = 50, news = 0 }: Props) {
  const { client } = useServer();
  const [{ data, error, fetching }, ask] = useQuery({ query: RowErrorsDocument, variables: { id, first }, requestPolicy: 'network-only' });
  useFresh(news, fetching, () => ask({ requestPolicy: 'network-only' }));
  const [problem, setProblem] = useState('');
  const errors = data?.job?.rowErrors;

  /** Ends a download whose page was left. */
  const downloading = useRef<AbortController | undefined>(undefined);
  useEffect(() => () => downloading.current?.abort(), []);

  const download = async () => {
    if (downloading.current) return;
    const { signal } = (downloading.current = new AbortController());
    try {
      await collect(signal);
    } finally {
      downloading.current = undefined;
    }
  };
  const collect = async (signal: AbortSignal) => {
    setProblem('');
    const lines = ['line,column,code,message'];
    let after: string | null = null;
    for (;;) {
      const answer: { data?: typeof data; error?: typeof error } = await client
        .query(RowErrorsDocument, { id, first: 100, after }, { requestPolicy: 'network-only' })
        .toPromise();
      if (signal.aborted) return;
      const page = answer.data?.job?.rowErrors;
      if (!page) return setProblem(answer.error ? sentence(answer.error) : 'The job is gone.');
      lines.push(...page.nodes.map(({ line, column, code, message }) => [`${line}`, cell(column ?? ''), code, cell(message)].join(',')));
      if (!page.pageInfo.hasNextPage) break;
      after = page.pageInfo.endCursor ?? null;
    }
    save(new Blob([`${lines.join('\r\n')}\r\n`], { type: 'text/csv' }), `${fileName.replace(/\.[^.]*$/, '')}-errors.csv`);
  };

  if (!errors) {
    if (!error) return <p role="status">Loading the rows that were not stored</p>;
    return (
      <p className="problem" role="alert">
        The rows that were not stored could not be loaded. {sentence(error)}{' '}
        <Button look="quiet" onPress={() => ask({ requestPolicy: 'network-only' })}>
          Retry
        </Button>
      </p>
    );
  }
  return (
    <section className="row-errors" aria-labelledby="row-errors">
      <div className="row-errors-head">
        <h2 id="row-errors">{counted(errors.totalCount, 'row')} not stored</h2>
        <Button onPress={() => void download()}>Download as CSV</Button>
      </div>
      {problem && (
        <p className="problem" role="alert">
          The list could not be downloaded. {problem}
        </p>
      )}
      <table className="plain-table">
        <thead>
          <tr>
            <th scope="col">Line</th>
            <th scope="col">Column</th>
            <th scope="col">Fault</th>
            <th scope="col">What is wrong</th>
          </tr>
        </thead>
        <tbody>
          {errors.nodes.map(({ line, column, code, message }, at) => (
            <tr key={at}>
              <td>{line}</td>
              <td>{column ? <code>{column}</code> : <span className="nothing">–</span>}</td>
              <td>{CODES[code]}</td>
              <td>{message}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {errors.pageInfo.hasNextPage && <p className="hint">The first {errors.nodes.length} are shown; the file has all of them.</p>}
    </section>
  );
}
