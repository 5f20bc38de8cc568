// Speaks GraphQL over server-sent events with a server, by npm graphql-sse in its distinct connections mode.
//   node sse.mjs http://127.0.0.1:PORT PATH/TO/joblink
// Prints "sse: ok" and exits 0, or says what failed and exits 1.
import assert from 'node:assert/strict';
import { createClient } from 'graphql-sse';
import { ask, deleteJob, own, soon, stirUntil, told, upload, watchAll, watchOne } from './joblink.mjs';

const { url, program } = told('sse.mjs http://127.0.0.1:PORT PATH/TO/joblink');
const client = createClient({ url, retryAttempts: 0 });

/** All results of an operation that ends by itself. */
async function results(query, variables) {
  const all = [];
  for await (const result of client.iterate({ query, variables })) all.push(result);
  return all;
}

// Queries, mutations and what is wrong with a document are told in a stream that ends.
assert.deepEqual(await results('{ viewer { role } }'), [{ data: { viewer: { role: 'OPERATOR' } } }]);
const unknown = await results('mutation { deleteJob(id: "nothing") { deletedJobId userErrors { code } } }');
assert.deepEqual(unknown, [{ data: { deleteJob: { deletedJobId: null, userErrors: [{ code: 'JOB_NOT_FOUND' }] } } }]);
for (const [query, code] of [
  ['{', 'GRAPHQL_PARSE_FAILED'],
  ['{ nothing }', 'GRAPHQL_VALIDATION_FAILED'],
  ['subscription { nothing }', 'GRAPHQL_VALIDATION_FAILED'],
  ['query($id: ID!) { job(id: $id) { id } }', 'BAD_USER_INPUT'],
]) {
  const [{ data, errors }, ...more] = await results(query);
  assert.deepEqual([data, errors[0].extensions.code, more], [undefined, code, []], query);
}
// What is refused before it is read has its own status.
const refused = await results('x'.repeat(300_000)).catch(error => error);
assert.equal(refused.response?.status, 400);

/** Watches all jobs until one is deleted, and gives what it saw. */
async function watch(through) {
  const events = [];
  for await (const { data, errors } of through.iterate({ query: watchAll })) {
    assert.equal(errors, undefined, JSON.stringify(errors));
    events.push(data.jobEvents);
    if (data.jobEvents.type === 'DELETED') return events;
  }
  assert.fail('the server ended the stream');
}

// Several subscriptions at once, which end by the client's wish. That of one job ends by itself.
for (const events of await stirUntil(url, watch(client), watch(client), watch(client))) {
  assert.ok(events.every(({ type, jobId }) => type && jobId), JSON.stringify(events));
}
const id = await upload(url);
const one = results(watchOne, { id });
await ask(url, deleteJob, { id });
assert.equal((await soon(one, 'the end of a subscription')).at(-1).data.jobEvents.type, 'DELETED');

// Whoever watches a server that stops goes on when it is back.
const server = await own(program);
const address = await server.start();
let connections = 0;
let connected;
const first = new Promise(resolve => (connected = resolve));
const patient = createClient({
  url: address,
  retryAttempts: 1000,
  retry: () => new Promise(resolve => setTimeout(resolve, 50)),
  on: { connected: () => connected(++connections) },
});
const outlasting = watch(patient);
await soon(first, 'a stream');
await server.stop();
await server.start(address);
await stirUntil(address, outlasting);
assert.equal(connections, 2);
patient.dispose();
await server.stop();
await server.remove();

client.dispose();
console.log('sse: ok');
