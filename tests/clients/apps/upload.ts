// Creates jobs by a request made by hand, as the multipart request specification has it, and waits for their end.
import assert from 'node:assert/strict';
import { type Client, createClient } from 'graphql-ws';
import { print } from 'graphql';
import WebSocket from 'ws';
import { CreateJobDocument, type CreateJobMutation } from '../generated/clients/graphql';
import { file, socketUrl, unique, url, within } from './server';

/** A new connection for subscriptions. */
export const connect = (): Client => createClient({ url: socketUrl, webSocketImpl: WebSocket, retryAttempts: 0 });

/** Sends a file; the answer is a pending job. */
export async function create(sent: File): Promise<CreateJobMutation> {
  const body = new FormData();
  const variables = { input: { kind: 'QUARTERLY', source: { file: null } } };
  body.set('operations', JSON.stringify({ query: print(CreateJobDocument), variables }));
  body.set('map', JSON.stringify({ 0: ['variables.input.source.file'] }));
  body.set('0', sent);
  const response = await fetch(url, { method: 'POST', body, headers: { 'apollo-require-preflight': '1' } });
  assert.equal(response.status, 200);
  const { data } = (await response.json()) as { data: CreateJobMutation };
  return data;
}

/** Waits until a job has come to its end. */
export async function ended(id: string): Promise<void> {
  const client = connect();
  const query = 'subscription($id: ID) { jobEvents(jobId: $id) { job { status } } }';
  const events = client.iterate<{ jobEvents: { job: { status: string } } }>({ query, variables: { id } });
  const look = async (): Promise<void> => {
    for await (const event of events) {
      assert.equal(event.errors, undefined);
      if (event.data?.jobEvents.job.status === 'COMPLETED') return;
    }
    throw new Error('the events ended before the job');
  };
  await within(60, `the job ${id} completes`, look());
  await client.dispose();
}

/** A completed job with some predictions. */
export async function completed(rows: number, name = `${unique()}.csv`): Promise<string> {
  const { createJob } = await create(file(name, rows));
  assert.deepEqual(createJob?.userErrors, []);
  const id = createJob?.job?.id;
  assert.ok(id);
  await ended(id);
  return id;
}
