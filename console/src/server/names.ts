// The files of jobs of which a list has only the ids, because they may be gone: read from the jobs, and from the receipts that
// deleted ones left.
import { createContext, useEffect, useState } from 'react';
import type { Client } from 'urql';
import { JobNamesDocument } from '../api/graphql';
import { useServer } from './client';

type Names = ReadonlyMap<string, string>;

/** The names of the files of jobs, for the rows of a list. */
export const FileNames = createContext<Names>(new Map());

/** How many receipts are asked for in one request: each is a field of its own, of which servers take 20 unless told otherwise. */
const AT_A_TIME = 20;

async function ofJobs(client: Client, ids: readonly string[]): Promise<Names> {
  const { data } = await client.query(JobNamesDocument, { ids: [...ids] }).toPromise();
  return new Map(data?.nodes.flatMap(node => (node?.__typename === 'Job' ? [[node.id, node.fileName] as const] : [])));
}

async function ofReceipts(client: Client, ids: readonly string[]): Promise<Names> {
  const found = new Map<string, string>();
  for (let from = 0; from < ids.length; from += AT_A_TIME) {
    const some = ids.slice(from, from + AT_A_TIME);
    const wanted = some.map((_, at) => `$id${at}: ID!`).join(', ');
    const fields = some.map((_, at) => `receipt${at}: deletionReceipt(jobId: $id${at}) { id jobId fileName }`).join(' ');
    const variables = Object.fromEntries(some.map((id, at) => [`id${at}`, id]));
    const { data } = await client
      .query<Record<string, { jobId: string; fileName: string } | null>>(`query ReceiptNames(${wanted}) { ${fields} }`, variables)
      .toPromise();
    for (const receipt of Object.values(data ?? {})) if (receipt) found.set(receipt.jobId, receipt.fileName);
  }
  return found;
}

/** The names of the files of these jobs, as far as they are known by now: a list does without them, and does not wait. */
export function useFileNames(ids: readonly string[]): Names {
  const { client } = useServer();
  const [names, setNames] = useState<Names>(new Map());
  const unknown = [...new Set(ids)].filter(id => !names.has(id)).sort().join();
  useEffect(() => {
    if (!unknown) return;
    let isLeft = false;
    const wanted = unknown.split(',');
    void (async () => {
      const living = await ofJobs(client, wanted);
      const gone = await ofReceipts(client, wanted.filter(id => !living.has(id)));
      if (!isLeft && living.size + gone.size) setNames(names => new Map([...names, ...living, ...gone]));
    })();
    return () => void (isLeft = true);
  }, [client, unknown]);
  return names;
}
