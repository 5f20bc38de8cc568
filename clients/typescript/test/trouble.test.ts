// What a real server does not do when asked: a small one that does as it is told.
import assert from 'node:assert/strict';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { DeletionInterrupted, Joblink, JoblinkError } from 'joblink';
import { all } from './world.js';

type Act = (response: ServerResponse, body: string, request: IncomingMessage) => void;

/** A server that answers each request by the next of these, and the last one ever after. */
async function serve(context: TestContext, ...acts: Act[]): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      const act = acts[Math.min(asked.length, acts.length - 1)];
      asked.push(body);
      act?.(response, body, request);
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

const json = (status: number, body: unknown, headers: Record<string, string> = {}): Act => response => {
  response.writeHead(status, { 'content-type': 'application/graphql-response+json', ...headers }).end(JSON.stringify(body));
};
const error = (code: string) => ({ errors: [{ message: `It is ${code}.`, extensions: { code, requestId: 'r1' } }] });
const limited = (after: string): Act => json(429, error('RATE_LIMITED'), { 'retry-after': after });
const busy = json(503, error('DATABASE_BUSY'), { 'retry-after': '0' });
const cancelled = json(200, { data: { cancelJob: { job: { id: 'j' }, userErrors: [] } } });
const deleted = json(200, { data: { deleteJob: { receipt: { id: 'r' }, userErrors: [] } } });
const nobody = json(200, { data: { viewer: null } });
const hangUp: Act = response => response.destroy();

test('after 429 every call waits as long as it is told, and is sent again', async context => {
  const { url, asked } = await serve(context, limited('1'), deleted);
  const began = performance.now();
  assert.equal((await new Joblink({ url }).deleteJob('j')).id, 'r');
  assert.ok(performance.now() - began >= 1000);
  assert.equal(asked.length, 2);
  assert.equal(asked[0], asked[1]);
});

test('a wait beyond the bound is not begun', async context => {
  const { url, asked } = await serve(context, limited('3600'));
  await assert.rejects(new Joblink({ url }).viewer(), { code: 'RATE_LIMITED', status: 429, retryAfter: 3_600_000, requestId: 'r1' });
  assert.equal(asked.length, 1);
  const soon = new Date(Date.now() + 3_600_000).toUTCString();
  const dated = await serve(context, limited(soon));
  await assert.rejects(new Joblink({ url: dated.url }).viewer(), (it: unknown) => it instanceof JoblinkError && (it.retryAfter ?? 0) > 3_500_000);
});

test('attempts are bounded', async context => {
  const { url, asked } = await serve(context, limited('0'));
  await assert.rejects(new Joblink({ url, attempts: 3 }).viewer(), { code: 'RATE_LIMITED' });
  assert.equal(asked.length, 3);
});

test('after 503, and without an answer, only what may be done twice is sent again', async context => {
  for (const trouble of [busy, hangUp]) {
    const queries = await serve(context, trouble, nobody);
    assert.equal(await new Joblink({ url: queries.url }).viewer(), null);
    assert.equal(queries.asked.length, 2);
    const cancellations = await serve(context, trouble, cancelled);
    assert.equal((await new Joblink({ url: cancellations.url }).cancelJob('j')).id, 'j');
    assert.equal(cancellations.asked.length, 2);
    const calls: ((client: Joblink) => Promise<unknown>)[] = [
      client => client.deleteJob('j'),
      client => client.deleteJobs(['j']),
      client => client.retryJob('j'),
      client => client.holdJob('j', 'why'),
      client => client.releaseJobHold('j'),
    ];
    for (const call of calls) {
      const { url, asked } = await serve(context, trouble, deleted);
      await assert.rejects(call(new Joblink({ url })), { code: trouble === busy ? 'DATABASE_BUSY' : 'UNREACHABLE' });
      assert.equal(asked.length, 1);
    }
  }
});

test('an upload is sent again with the same key', async context => {
  const taken = json(201, { uploadId: 'u1' });
  const job = json(200, { data: { createJob: { job: { id: 'j' }, userErrors: [] } } });
  const { url, asked } = await serve(context, busy, taken, busy, job);
  const bytes = 'a,b\n1,2\n';
  assert.equal((await new Joblink({ url }).uploadFile(new Blob([bytes]), 'ANNUAL', { onProgress: () => undefined })).id, 'j');
  assert.deepEqual(asked.slice(0, 2), [bytes, bytes]);
  assert.equal(asked[2], asked[3]);
  assert.match(asked[2] ?? '', /"source":\{"uploadId":"u1"\},"idempotencyKey":"u1"/);
});

test('deletions that come to a halt say how far they came', async context => {
  const ids = Array.from({ length: 250 }, (_, index) => `j${index}`);
  const done = json(200, { data: { deleteJobs: { receipts: [{ id: 'r' }], refused: [], userErrors: [] } } });
  const cases = [
    { trouble: hangUp, uncertain: ids.slice(100, 200), untouched: ids.slice(200) },
    { trouble: json(401, error('UNAUTHENTICATED')), uncertain: [], untouched: ids.slice(100) },
  ];
  for (const { trouble, uncertain, untouched } of cases) {
    const { url, asked } = await serve(context, done, trouble);
    await assert.rejects(new Joblink({ url }).deleteJobs(ids), (it: unknown) => {
      assert.ok(it instanceof DeletionInterrupted);
      assert.ok(it.cause instanceof JoblinkError);
      assert.deepEqual([it.done.receipts.length, it.uncertain, it.untouched], [1, uncertain, untouched]);
      return true;
    });
    assert.equal(asked.length, 2);
  }
});

test('what is not there, is not Joblink, or does not answer is said in a sentence', async context => {
  const gone = await serve(context, nobody);
  const unreachable = new Joblink({ url: 'http://127.0.0.1:1', attempts: 1 });
  await assert.rejects(unreachable.viewer(), { code: 'UNREACHABLE', message: 'Cannot reach http://127.0.0.1:1; check the url, and that the server runs.' });
  const page = await serve(context, response => response.writeHead(502, { 'content-type': 'text/html' }).end('<h1>Bad gateway</h1>'));
  await assert.rejects(new Joblink({ url: page.url }).viewer(), { code: 'UNEXPECTED_ANSWER', status: 502, message: /answered with HTTP 502/ });
  const silent = await serve(context, () => undefined);
  await assert.rejects(new Joblink({ url: silent.url, timeout: 50, attempts: 1 }).viewer(), { code: 'TIMEOUT' });
  const half = await serve(context, response => response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' }).write('{"data"'));
  await assert.rejects(new Joblink({ url: half.url, timeout: 50, attempts: 1 }).viewer(), { code: 'TIMEOUT' });
  const leave = AbortSignal.abort(new Error('enough'));
  await assert.rejects(new Joblink({ url: gone.url }).viewer({ signal: leave }), { message: 'enough' });
  assert.equal(gone.asked.length, 0);
});

const job = (status: string, processed: number) => ({ id: 'j', status, progress: { total: 9, processed, succeeded: processed, failed: 0 } });
const standing = (status: string, processed = 0) => json(200, { data: { job: job(status, processed) } });
const event = (status: string, processed: number) =>
  `event: next\ndata: ${JSON.stringify({ data: { jobEvents: { type: 'STATUS', jobId: 'j', at: 'now', job: job(status, processed) } } })}\n\n`;
const stream = (...parts: string[]): Act => response => {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const part of parts) response.write(part);
};

test('where streams do not get through, a job is looked at until it has ended', async context => {
  const { url, asked } = await serve(context, standing('RUNNING', 1), json(404, {}), standing('RUNNING', 2), json(404, {}), standing('COMPLETED', 9));
  const seen = await all(new Joblink({ url }).watch('j'));
  assert.deepEqual(seen.map(it => it.job?.progress.processed), [1, 2, 9]);
  assert.equal(asked.length, 5);
});

test('a stream that breaks off is begun again, and nothing is told twice', async context => {
  const broken: Act = (response, ...rest) => {
    stream(':\n\n', event('RUNNING', 1), event('RUNNING', 2))(response, ...rest);
    response.end();
  };
  // Events come in pieces, and lines may end otherwise.
  const whole = event('RUNNING', 3).replaceAll('\n', '\r\n') + event('COMPLETED', 9);
  const pieces = stream(whole.slice(0, 30), whole.slice(30));
  const { url } = await serve(context, standing('RUNNING', 1), broken, standing('RUNNING', 2), pieces);
  const seen = await all(new Joblink({ url }).watch('j'));
  assert.deepEqual(seen.map(it => it.job?.progress.processed), [1, 2, 3, 9]);
});

test('a look that says what is wrong ends a watch', async context => {
  const { url } = await serve(context, standing('RUNNING', 1), stream(`event: next\ndata: ${JSON.stringify(error('UNAUTHENTICATED'))}\n\n`), json(401, error('UNAUTHENTICATED')));
  await assert.rejects(new Joblink({ url }).waitFor('j'), { code: 'UNAUTHENTICATED', status: 401 });
});

test('a stream of all jobs that breaks off is an error', async context => {
  const { url } = await serve(context, stream(event('RUNNING', 1)));
  const events = new Joblink({ url }).events();
  assert.equal((await events.next()).value?.jobId, 'j');
  await events.return(undefined);
  const ends = await serve(context, response => response.writeHead(200, { 'content-type': 'text/event-stream' }).end(event('RUNNING', 1)));
  await assert.rejects(all(new Joblink({ url: ends.url }).events()), { code: 'UNREACHABLE' });
});

test('the address may be that of /graphql, and have a path before it', async context => {
  const paths: (string | undefined)[] = [];
  const { url } = await serve(context, (response, body, request) => {
    paths.push(request.url, request.headers.authorization);
    nobody(response, body, request);
  });
  for (const address of [url, `${url}/`, `${url}/graphql`, `${url}/graphql/`]) await new Joblink({ url: address, token: 't' }).viewer();
  await new Joblink({ url: `${url}/some/where`, token: 't' }).viewer();
  assert.deepEqual(paths, ['/graphql', 'Bearer t', '/graphql', 'Bearer t', '/graphql', 'Bearer t', '/graphql', 'Bearer t', '/some/where/graphql', 'Bearer t']);
});
