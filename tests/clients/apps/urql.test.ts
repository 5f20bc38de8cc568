// urql with its normalised cache, set up as an application would.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Client, type ExecutionResult, fetchExchange, gql, subscriptionExchange } from '@urql/core';
import { cacheExchange } from '@urql/exchange-graphcache';
import { relayPagination } from '@urql/exchange-graphcache/extras';
import * as api from '../generated/clients/graphql';
import { FORMS, file, unique, url, within } from './server';
import { completed, connect } from './upload';

const socket = connect();
after(() => socket.dispose());

/** Values without an id are a part of what they stand in. */
const value = (): null => null;

const open = (): Client =>
  new Client({
    url,
    preferGetMethod: false,
    fetchOptions: { headers: { 'apollo-require-preflight': '1' } },
    exchanges: [
      cacheExchange({
        keys: { Cancellation: value, JobActions: value, JobProgress: value, RowError: value, UserError: value, DeletionPreview: value },
        resolvers: { Query: { jobs: relayPagination() }, Job: { predictions: relayPagination() } },
        updates: {
          Mutation: {
            deleteJob(result: api.DeleteJobMutation, _arguments, cache) {
              const id = result.deleteJob?.deletedJobId;
              if (!id) return;
              for (const { fieldName, fieldKey } of cache.inspectFields('Query')) {
                if (fieldName === 'jobs') cache.invalidate('Query', fieldKey);
              }
              cache.invalidate({ __typename: 'Job', id });
            },
          },
        },
      }),
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query, variables }) => ({
          subscribe: sink => ({
            unsubscribe: socket.subscribe(
              { query: query ?? '', variables: variables as Record<string, unknown> },
              { ...sink, next: event => sink.next(event as ExecutionResult) },
            ),
          }),
        }),
      }),
    ],
  });

const ids = (data: api.JobsQuery | undefined): string[] | undefined =>
  data?.jobs?.edges.map(edge => edge.node.id);

test('a file is uploaded, and a subscription sees its progress to the end', async () => {
  const client = open();
  const source = { file: file(`${unique()}.csv`, 3000) };
  const created = await client.mutation(api.CreateJobDocument, { input: { kind: 'QUARTERLY', source } }).toPromise();
  const id = created.data?.createJob?.job?.id;
  assert.ok(id, `${created.error}`);
  const events: api.WatchJobSubscription['jobEvents'][] = [];
  const end = new Promise<void>((resolve, reject) => {
    const subscription = client.subscription(api.WatchJobDocument, { id }).subscribe(({ data, error }) => {
      if (error) reject(error);
      if (!data) return;
      events.push(data.jobEvents);
      if (data.jobEvents.job?.status !== 'COMPLETED') return;
      resolve();
      subscription.unsubscribe();
    });
  });
  await within(60, 'the job completes', end);
  assert.equal(events[0]?.type, 'STATUS');
  assert.ok(events.some(event => event.type === 'PROGRESS'), 'no event of progress');
  assert.equal(events.at(-1)?.job?.progress.processed, 3000);
});

test('relayPagination joins the pages of a list', async () => {
  const client = open();
  const name = unique();
  const wanted: string[] = [];
  for (const part of ['a', 'b', 'c']) wanted.unshift(await completed(1, `${name}-${part}.csv`));
  const variables = { first: 2, filter: { search: name } };
  const first = await client.query(api.JobsDocument, variables).toPromise();
  assert.deepEqual(ids(first.data), wanted.slice(0, 2), `${first.error}`);
  assert.deepEqual([first.data?.jobs?.totalCount, first.data?.jobs?.pageInfo.hasNextPage], [3, true]);
  const after = first.data?.jobs?.pageInfo.endCursor ?? null;
  const joined = await client.query(api.JobsDocument, { ...variables, after }).toPromise();
  assert.deepEqual(ids(joined.data), wanted, `${joined.error}`);
  assert.equal(joined.data?.jobs?.pageInfo.hasNextPage, false);
});

test('deletePredictions may be left out, null, false or true', async () => {
  const client = open();
  for (const { given, deleted } of FORMS) {
    const id = await completed(2);
    const { data, error } = await client.mutation(api.DeleteJobDocument, { id, ...given }).toPromise();
    assert.deepEqual(data?.deleteJob?.userErrors, [], `${JSON.stringify(given)} ${error}`);
    assert.equal(data?.deleteJob?.receipt?.deletePredictions, deleted, JSON.stringify(given));
  }
});

test('a deleted job leaves every list in the cache', async () => {
  const client = open();
  const name = unique();
  const [stays, goes] = [await completed(1, `${name}-a.csv`), await completed(1, `${name}-b.csv`)];
  const variables = { first: 10, filter: { search: name } };
  const list = client.query(api.JobsDocument, variables);
  const gone = new Promise<void>((resolve, reject) => {
    const shown = list.subscribe(({ data, error, stale }) => {
      if (error) reject(error);
      if (!stale && data?.jobs?.totalCount === 1) {
        assert.deepEqual(ids(data), [stays]);
        resolve();
        queueMicrotask(() => shown.unsubscribe());
      }
    });
  });
  assert.deepEqual(ids((await list.toPromise()).data), [goes, stays]);
  const { data } = await client.mutation(api.DeleteJobDocument, { id: goes }).toPromise();
  assert.equal(data?.deleteJob?.deletedJobId, goes);
  await within(20, 'the list is shown without the job', gone);
  const job = await client.query(api.JobDetailsDocument, { id: goes }).toPromise();
  assert.equal(job.data?.job, null);
});

test('expected refusals are data, everything else is an error with a code', async () => {
  const client = open();
  const refused = await client.mutation(api.DeleteJobDocument, { id: 'nothing' }).toPromise();
  assert.equal(refused.error, undefined);
  assert.equal(refused.data?.deleteJob?.userErrors[0]?.code, 'JOB_NOT_FOUND');
  const list = await client.query(api.JobsDocument, { first: 101 }).toPromise();
  assert.deepEqual(list.error?.graphQLErrors.map(({ extensions, path }) => [extensions['code'], path]), [['BAD_USER_INPUT', ['jobs']]]);
  const invalid = await client.query(gql`query { nothing }`, {}).toPromise();
  assert.equal(invalid.error?.graphQLErrors[0]?.extensions['code'], 'GRAPHQL_VALIDATION_FAILED');
  assert.equal(invalid.data, undefined);
});
