// Speaks GraphQL over WebSocket with a server, by npm graphql-ws and, for what that never says, by npm ws.
//   node ws.mjs http://127.0.0.1:PORT PATH/TO/joblink
// Prints "ws: ok" and exits 0, or says what failed and exits 1.
import assert from 'node:assert/strict';
import { CloseCode, GRAPHQL_TRANSPORT_WS_PROTOCOL, createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { ask, deleteJob, own, soon, stirUntil, told, upload, watchAll, watchOne } from './joblink.mjs';

const { url: http, program } = told('ws.mjs http://127.0.0.1:PORT PATH/TO/joblink');
const url = http.replace('http', 'ws');

/** All results of an operation that ends by itself. */
async function results(client, query, variables) {
  const all = [];
  for await (const result of client.iterate({ query, variables })) all.push(result);
  return all;
}

// --- The client: one connection, several operations at once, kept alive.
const pongs = [];
const client = createClient({
  url,
  webSocketImpl: WebSocket,
  connectionParams: { Authorization: 'Bearer none is needed' },
  keepAlive: 20,
  retryAttempts: 0,
  on: { pong: received => received && pongs.push(received) },
});
const id = await upload(http);
const watching = results(client, watchOne, { id });
const roles = await Promise.all([...Array(30)].map(() => results(client, '{ viewer { role } }')));
for (const role of roles) assert.deepEqual(role, [{ data: { viewer: { role: 'OPERATOR' } } }]);
const wrong = await results(client, '{ nothing }').catch(errors => errors);
assert.deepEqual(wrong.map(({ extensions }) => extensions.code), ['GRAPHQL_VALIDATION_FAILED']);
const [deleted] = await results(client, deleteJob, { id });
assert.deepEqual(deleted, { data: { deleteJob: { deletedJobId: id } } });
const events = await soon(watching, 'the end of a subscription');
assert.equal(events.at(-1).data.jobEvents.type, 'DELETED');
while (!pongs.length) await new Promise(resolve => setTimeout(resolve, 5));

// A subscription that the client has enough of ends, and the connection with the last of them.
const iterator = client.iterate({ query: watchAll });
const closed = new Promise(resolve => client.on('closed', resolve));
const pending = iterator.next();
await ask(http, '{ __typename }');
await iterator.return();
assert.equal((await pending).done, true);
assert.equal((await soon(closed, 'the end of the connection')).code, 1000);
await client.dispose();

// --- The protocol: what no good client says.
const say = message => (typeof message === 'string' || Buffer.isBuffer(message) ? message : JSON.stringify(message));
const init = { type: 'connection_init' };
const subscribe = { id: '1', type: 'subscribe', payload: { query: watchAll } };

/** Opens a connection, says this, and gives the code with which the server closes it, and what it said before. */
function fault(messages, protocol = GRAPHQL_TRANSPORT_WS_PROTOCOL) {
  const socket = protocol ? new WebSocket(url, protocol) : new WebSocket(url);
  const heard = [];
  socket.on('open', () => messages.forEach(message => socket.send(say(message))));
  socket.on('message', message => heard.push(JSON.parse(message)));
  const end = new Promise((resolve, reject) => {
    socket.on('close', (code, reason) => resolve({ code, reason: reason.toString(), heard }));
    socket.on('error', reject);
  });
  return soon(end, 'the end of a connection');
}

const faults = [
  [CloseCode.BadRequest, ['no JSON']],
  [CloseCode.BadRequest, [{}]],
  [CloseCode.BadRequest, [{ type: 'start', id: '1', payload: subscribe.payload }]],
  [CloseCode.BadRequest, [{ type: 'next', id: '1', payload: {} }]],
  [CloseCode.BadRequest, [{ ...init, payload: 'text' }]],
  [CloseCode.BadRequest, [init, { id: '1', type: 'subscribe', payload: {} }]],
  [CloseCode.BadRequest, [init, { id: '', type: 'subscribe', payload: subscribe.payload }]],
  [CloseCode.BadRequest, [init, { type: 'complete' }]],
  [CloseCode.BadRequest, [init, Buffer.from(say(subscribe))]],
  [CloseCode.Unauthorized, [subscribe]],
  [CloseCode.SubprotocolNotAcceptable, [init], null],
  [CloseCode.SubprotocolNotAcceptable, [init], 'graphql-ws'],
  [CloseCode.ConnectionInitialisationTimeout, []],
  [CloseCode.ConnectionInitialisationTimeout, [{ type: 'ping' }, { id: '1', type: 'complete' }]],
  [CloseCode.SubscriberAlreadyExists, [init, subscribe, subscribe]],
  [CloseCode.TooManyInitialisationRequests, [init, init]],
];
await Promise.all(
  faults.map(async ([code, messages, protocol]) => {
    const end = await fault(messages, protocol);
    assert.equal(end.code, code, JSON.stringify({ messages, end }));
    assert.notEqual(end.reason, '', `${code} needs a reason`);
    // The introduction itself was right, but nobody is introduced by a protocol that is not spoken.
    const acknowledged = end.heard.some(({ type }) => type === 'connection_ack');
    assert.equal(acknowledged, messages[0] === init && code !== CloseCode.SubprotocolNotAcceptable, `${code}`);
  }),
);

// A ping is answered with what it bears, before and after the introduction; an id may be used again.
{
  const socket = new WebSocket(url, GRAPHQL_TRANSPORT_WS_PROTOCOL);
  const heard = [];
  let wake = () => {};
  socket.on('message', message => {
    heard.push(JSON.parse(message));
    wake();
  });
  const next = async () => {
    while (!heard.length) await soon(new Promise(resolve => (wake = resolve)), 'a message');
    return heard.shift();
  };
  const send = message => socket.send(say(message));
  await new Promise(resolve => socket.on('open', resolve));
  send({ type: 'ping', payload: { a: [1, null] } });
  assert.deepEqual(await next(), { type: 'pong', payload: { a: [1, null] } });
  send(init);
  assert.deepEqual(await next(), { type: 'connection_ack' });
  send({ type: 'ping' });
  assert.deepEqual(await next(), { type: 'pong' });
  send({ type: 'pong', payload: { b: 1 } });
  send(subscribe);
  send({ id: '1', type: 'complete' });
  send({ id: 'nothing', type: 'complete' });
  send({ id: '1', type: 'subscribe', payload: { query: '{ __typename }', extensions: { a: 1 }, operationName: null } });
  assert.deepEqual(await next(), { id: '1', type: 'next', payload: { data: { __typename: 'Query' } } });
  assert.deepEqual(await next(), { id: '1', type: 'complete' });
  send({ id: '1', type: 'subscribe', payload: { query: '{' } });
  const { payload, ...error } = await next();
  assert.deepEqual([error, payload[0].extensions.code], [{ id: '1', type: 'error' }, 'GRAPHQL_PARSE_FAILED']);
  socket.close();
}

// --- A server that stops says so, and a client goes on when it is back.
const server = await own(program);
const address = await server.start();
const ends = [];
let connections = 0;
let connected;
const first = new Promise(resolve => (connected = resolve));
const patient = createClient({
  url: address.replace('http', 'ws'),
  webSocketImpl: WebSocket,
  retryAttempts: 1000,
  // Also where nobody listens.
  shouldRetry: () => true,
  retryWait: () => new Promise(resolve => setTimeout(resolve, 50)),
  on: { closed: ({ code }) => ends.push(code), connected: () => connected(++connections) },
});
const seen = (async () => {
  for await (const { data } of patient.iterate({ query: watchAll })) {
    if (data.jobEvents.type === 'DELETED') return;
  }
  assert.fail('the server ended the subscription');
})();
await soon(first, 'a connection');
await server.stop();
await server.start(address);
await stirUntil(address, seen);
assert.equal(connections, 2);
assert.equal(ends[0], 1001);
await patient.dispose();
await server.stop();
await server.remove();

console.log('ws: ok');
