// Relay's own store and network layer, with what relay-compiler made of relay/jobs.ts.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  ConnectionHandler,
  Environment,
  type GraphQLResponse,
  Network,
  Observable,
  RecordSource,
  Store,
  commitMutation,
  createOperationDescriptor,
  fetchQuery,
  requestSubscription,
} from 'relay-runtime';
import jobsDeleteMutation, { type jobsDeleteMutation as DeleteMutation } from '../relay/artifacts/jobsDeleteMutation.graphql';
import jobsEventsSubscription, { type jobsEventsSubscription as Events } from '../relay/artifacts/jobsEventsSubscription.graphql';
import jobsListQuery, { type jobsListQuery as ListQuery } from '../relay/artifacts/jobsListQuery.graphql';
import { unique, url, within } from './server';
import { completed, connect } from './upload';

const socket = connect();
after(() => socket.dispose());

const open = (): Environment =>
  new Environment({
    store: new Store(new RecordSource()),
    network: Network.create(
      async ({ text }, variables) => {
        const headers = { 'content-type': 'application/json', accept: 'application/graphql-response+json' };
        const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query: text, variables }) });
        return (await response.json()) as GraphQLResponse;
      },
      ({ text }, variables) =>
        Observable.create(sink => socket.subscribe({ query: text ?? '', variables }, { ...sink, next: event => sink.next(event as GraphQLResponse) })),
    ),
  });

/** The list in the store, all its pages. */
function list(environment: Environment): ListQuery['response']['jobs'] {
  const operation = createOperationDescriptor(jobsListQuery, { first: 1 });
  return (environment.lookup(operation.fragment).data as unknown as ListQuery['response']).jobs;
}

test('pages are joined, and a deleted job leaves the list', async () => {
  const environment = open();
  const wanted = [await completed(1), await completed(1)].reverse();
  environment.retain(createOperationDescriptor(jobsListQuery, { first: 1 }));
  // Other tests make jobs beside this one, so the list is read until both are there.
  const page = async (after?: string | null): Promise<void> => {
    await fetchQuery<ListQuery>(environment, jobsListQuery, { first: 20, ...(after ? { after } : {}) }).toPromise();
  };
  await page();
  const cursor = list(environment)?.edges.at(-1);
  assert.ok(cursor);
  const ids = (): (string | undefined)[] => list(environment)?.edges.map(edge => edge.node.id) ?? [];
  for (const id of wanted) assert.ok(ids().includes(id));

  const connection = ConnectionHandler.getConnectionID('client:root', 'jobs_jobs');
  const [goes = '', stays = ''] = wanted;
  const before = ids();
  const deleted = new Promise<DeleteMutation['response']>((resolve, reject) => {
    commitMutation<DeleteMutation>(environment, {
      mutation: jobsDeleteMutation,
      variables: { id: goes, connections: [connection] },
      onCompleted: (response, errors) => (errors ? reject(new Error(JSON.stringify(errors))) : resolve(response)),
      onError: reject,
    });
  });
  assert.equal((await within(20, 'the job is deleted', deleted)).deleteJob?.deletedJobId, goes);
  assert.deepEqual(ids(), before.filter(id => id !== goes));
  assert.ok(ids().includes(stays));
  assert.equal(environment.getStore().getSource().get(goes), null);
});

test('a second page follows the first', async () => {
  const environment = open();
  const name = unique();
  for (const part of ['a', 'b', 'c']) await completed(1, `${name}-${part}.csv`);
  const operation = createOperationDescriptor(jobsListQuery, { first: 1 });
  environment.retain(operation);
  await fetchQuery<ListQuery>(environment, jobsListQuery, { first: 1 }).toPromise();
  const info = (): { endCursor?: string; hasNextPage?: boolean } => {
    const source = environment.getStore().getSource();
    const id = ConnectionHandler.getConnectionID('client:root', 'jobs_jobs');
    const at = (source.get(id)?.['pageInfo'] as { __ref: string } | undefined)?.__ref;
    return (at ? source.get(at) : {}) as { endCursor?: string; hasNextPage?: boolean };
  };
  assert.equal(info().hasNextPage, true);
  await fetchQuery<ListQuery>(environment, jobsListQuery, { first: 2, after: info().endCursor ?? null }).toPromise();
  const ids = list(environment)?.edges.map(edge => edge.node.id) ?? [];
  assert.deepEqual([ids.length, new Set(ids).size], [3, 3]);
});

test('a subscription tells how a job stands', async () => {
  const environment = open();
  const id = await completed(1);
  const event = new Promise<Events['response'] | null | undefined>((resolve, reject) => {
    const subscription = requestSubscription<Events>(environment, {
      subscription: jobsEventsSubscription,
      variables: { id },
      onNext: response => {
        resolve(response);
        queueMicrotask(() => subscription.dispose());
      },
      onError: reject,
    });
  });
  const { jobEvents } = (await within(20, 'the first event', event)) ?? {};
  assert.deepEqual([jobEvents?.type, jobEvents?.job?.id, jobEvents?.job?.status], ['STATUS', id, 'COMPLETED']);
});
