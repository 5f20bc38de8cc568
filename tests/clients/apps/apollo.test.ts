// Apollo Client 4, set up as an application would.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  ApolloClient,
  ApolloLink,
  CombinedGraphQLErrors,
  InMemoryCache,
  type ObservableQuery,
  type OperationVariables,
  gql,
} from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { relayStylePagination } from '@apollo/client/utilities';
import UploadHttpLink from 'apollo-upload-client/UploadHttpLink.mjs';
import { OperationTypeNode } from 'graphql';
import { filter, firstValueFrom } from 'rxjs';
import * as api from '../generated/clients/graphql';
import { FORMS, file, unique, url, within } from './server';
import { completed, connect } from './upload';

const socket = connect();
after(() => socket.dispose());

/** How many requests went to the server. */
let sent = 0;

function open(): ApolloClient {
  return new ApolloClient({
    cache: new InMemoryCache({
      possibleTypes: { Prediction: ['AnnualPrediction', 'QuarterlyPrediction'] },
      typePolicies: {
        Query: { fields: { jobs: relayStylePagination(['filter', 'orderBy']) } },
        Job: { fields: { predictions: relayStylePagination(), rowErrors: relayStylePagination() } },
      },
    }),
    link: ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      new GraphQLWsLink(socket),
      new UploadHttpLink({
        uri: url,
        headers: { 'apollo-require-preflight': '1' },
        fetch: (...request) => {
          sent += 1;
          return fetch(...request);
        },
      }),
    ),
  });
}

/** What a query that is watched gives once it is complete. */
async function shown<Data, Variables extends OperationVariables>(query: ObservableQuery<Data, Variables>): Promise<Data> {
  const { data } = await firstValueFrom(query.pipe(filter(result => result.dataState === 'complete' && !result.loading)));
  return data as Data;
}

test('a file is uploaded, and a subscription sees its progress to the end', async () => {
  const client = open();
  const name = `${unique()}.csv`;
  const { data } = await client.mutate({
    mutation: api.CreateJobDocument,
    variables: { input: { kind: 'QUARTERLY', source: { file: file(name, 3000) } } },
  });
  assert.deepEqual(data?.createJob?.userErrors, []);
  const job = data?.createJob?.job;
  assert.ok(job);
  assert.deepEqual([job.fileName, job.status, job.progress.total], [name, 'PENDING', 3000]);

  const events: api.WatchJobSubscription['jobEvents'][] = [];
  const end = new Promise<void>((resolve, reject) => {
    const watched = client.subscribe({ query: api.WatchJobDocument, variables: { id: job.id } });
    const subscription = watched.subscribe({
      error: reject,
      next: ({ data, error }) => {
        if (error) reject(error);
        if (!data) return;
        events.push(data.jobEvents);
        if (data.jobEvents.job?.status !== 'COMPLETED') return;
        subscription.unsubscribe();
        resolve();
      },
    });
  });
  await within(60, 'the job completes', end);
  assert.equal(events[0]?.type, 'STATUS');
  assert.ok(events.some(event => event.type === 'PROGRESS'), 'no event of progress');
  const processed = events.map(event => event.job?.progress.processed ?? 0);
  assert.deepEqual(processed, processed.toSorted((a, b) => a - b));
  assert.equal(processed.at(-1), 3000);
  // What the events told is in the cache, under the job's id.
  const cached = client.cache.readFragment({ id: `Job:${job.id}`, fragment: api.JobRowFragmentDoc, fragmentName: 'JobRow' });
  assert.equal(cached?.status, 'COMPLETED');
});

test('relayStylePagination joins the pages of a list and of a list inside an object', async () => {
  const client = open();
  const name = unique();
  const ids = [];
  for (const rows of [1, 1, 7]) ids.unshift(await completed(rows, `${name}-${rows}.csv`));

  const list = client.watchQuery({ query: api.JobsDocument, variables: { first: 2, filter: { search: name } } });
  const first = (await shown(list)).jobs;
  assert.deepEqual([first?.totalCount, first?.edges.length, first?.pageInfo.hasNextPage], [3, 2, true]);
  await list.fetchMore({ variables: { after: first?.pageInfo.endCursor ?? null } });
  const { jobs } = await shown(list);
  assert.deepEqual(jobs?.edges.map(edge => edge.node.id), ids);
  assert.equal(jobs?.pageInfo.hasNextPage, false);

  const [id = ''] = ids;
  const details = client.watchQuery({ query: api.JobDetailsDocument, variables: { id, first: 4 } });
  const page = (await shown(details)).job?.predictions;
  await details.fetchMore({ variables: { after: page?.pageInfo.endCursor ?? null } });
  const predictions = (await shown(details)).job?.predictions;
  assert.equal(new Set(predictions?.edges.map(edge => edge.node.id)).size, 7);
  assert.deepEqual([predictions?.totalCount, predictions?.pageInfo.hasNextPage], [7, false]);
});

test('deletePredictions may be left out, null, false or true', async () => {
  const client = open();
  for (const { given, deleted } of FORMS) {
    const id = await completed(2);
    const { data } = await client.mutate({ mutation: api.DeleteJobDocument, variables: { id, ...given } });
    assert.deepEqual(data?.deleteJob?.userErrors, [], JSON.stringify(given));
    const receipt = data?.deleteJob?.receipt;
    assert.equal(receipt?.deletePredictions, deleted, JSON.stringify(given));
    assert.deepEqual([receipt?.deletedQuarterlyPredictions, receipt?.releasedPredictions], deleted ? [2, 0] : [0, 2]);
  }
});

test('a deleted job leaves every list in the cache, without a request', async () => {
  const client = open();
  const name = unique();
  const [stays, goes] = [await completed(1, `${name}-a.csv`), await completed(1, `${name}-b.csv`)];
  const variables = { first: 10, filter: { search: name } };
  const list = client.watchQuery({ query: api.JobsDocument, variables, fetchPolicy: 'cache-first' });
  assert.equal((await shown(list)).jobs?.edges.length, 2);

  await client.mutate({
    mutation: api.DeleteJobDocument,
    variables: { id: goes },
    update(cache, { data }) {
      const id = data?.deleteJob?.deletedJobId;
      if (!id) return;
      const gone = cache.identify({ __typename: 'Job', id });
      if (gone) cache.evict({ id: gone });
      cache.gc();
    },
  });
  const requests = sent;
  const left = await client.query({ query: api.JobsDocument, variables, fetchPolicy: 'cache-first' });
  assert.deepEqual(left.data?.jobs?.edges.map(edge => edge.node.id), [stays]);
  assert.deepEqual((await shown(list)).jobs?.edges.map(edge => edge.node.id), [stays]);
  assert.equal(sent, requests);

  // The number stays as it was read until the list is asked for again.
  assert.equal(left.data?.jobs?.totalCount, 2);
  await list.refetch();
  assert.equal((await shown(list)).jobs?.totalCount, 1);
});

test('expected refusals are data, everything else is an error with a code', async () => {
  const client = open();
  const refused = await client.mutate({ mutation: api.DeleteJobDocument, variables: { id: 'nothing' } });
  assert.deepEqual(refused.data?.deleteJob?.userErrors.map(({ code, message }) => [code, message]), [
    ['JOB_NOT_FOUND', 'Job not found'],
  ]);

  const list = client.query({ query: api.JobsDocument, variables: { first: 101 } });
  await assert.rejects(list, error => {
    assert.ok(CombinedGraphQLErrors.is(error));
    const [only, ...others] = error.errors;
    assert.deepEqual([only?.extensions?.['code'], only?.path, others], ['BAD_USER_INPUT', ['jobs'], []]);
    return true;
  });
  // What did not fail is still there.
  const query = gql`query { viewer { role } jobs(first: 101) { totalCount } }`;
  const partial = await client.query<{ viewer: { role: string }; jobs: null }>({ query, errorPolicy: 'all' });
  assert.deepEqual([partial.data?.viewer.role, partial.data?.jobs], ['OPERATOR', null]);

  const invalid = client.query({ query: gql`query { nothing }` });
  await assert.rejects(invalid, error => {
    assert.ok(CombinedGraphQLErrors.is(error), `${error}`);
    return error.errors[0]?.extensions?.['code'] === 'GRAPHQL_VALIDATION_FAILED';
  });
});

test('interfaces and files are read as they are typed', async () => {
  const client = open();
  const id = await completed(1);
  const { data } = await client.query({ query: api.JobDetailsDocument, variables: { id } });
  const prediction = data?.job?.predictions.edges[0]?.node;
  assert.equal(prediction?.__typename, 'QuarterlyPrediction');
  assert.equal(prediction.sgaMargin, '20.5');
  const results = data?.job?.artifacts.find(artifact => artifact.kind === 'RESULTS');
  assert.ok(results?.downloadUrl);
  const text = await (await fetch(new URL(results.downloadUrl, url))).text();
  assert.match(text, new RegExp(prediction.id));
  const node = await client.query({ query: api.AnyNodeDocument, variables: { id } });
  assert.equal(node.data?.node?.__typename, 'Job');
});
