// A few hundred documents, valid and invalid, sent to the server and to graphql-js over the same schema and values.
//   JOBLINK_SEED=random    other documents, or those of a number; the seed is printed
//   JOBLINK_ROUNDS=1000    how many valid ones; each is broken twice
//
// Every difference is a fault to mend, but for those in allowances.ts. What the generators keep away from: the server's own limits,
// the descriptions of built-in scalars, and texts with a NUL, which the server refuses in queries.
// Ids are new in each run, so a seed gives the same documents but for those.
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import type { ExecutionResult } from 'graphql';
import { url, within } from '../apps/server.ts';
import { completed, connect } from '../apps/upload.ts';
import { type Answered, compare } from './compare.ts';
import { Reference, referenceSchema } from './reference.ts';
import type { Request } from './request.ts';
import type { Pool } from './valid.ts';

const wanted = process.env['JOBLINK_SEED'];
const seed = wanted === 'random' ? randomInt(2 ** 31) : Number(wanted ?? 20261122);
const rounds = Number(process.env['JOBLINK_ROUNDS'] ?? 160);

const socket = connect();
after(() => socket.dispose());

async function answer(request: Request): Promise<Answered> {
  const headers = { 'content-type': 'application/json', accept: 'application/graphql-response+json' };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(request) });
  return { status: response.status, body: (await response.json()) as ExecutionResult };
}

const ask = async (request: Request): Promise<ExecutionResult> => (await answer(request)).body;

/** A subscription that was taken tells at once how its job stands; only of jobs that are not there nothing comes. */
async function subscribe(request: Request): Promise<boolean> {
  return await new Promise(resolve => {
    const silent = setTimeout(() => end(true), 2000);
    const stop = socket.subscribe(
      { query: request.query, variables: request.variables, ...(request.operationName ? { operationName: request.operationName } : {}) },
      { next: () => end(true), error: () => end(false), complete: () => end(true) },
    );
    function end(taken: boolean): void {
      clearTimeout(silent);
      stop();
      resolve(taken);
    }
  });
}

/** Jobs of several kinds and receipts of deletions whose files are gone: nothing changes from here on. */
async function settle(): Promise<void> {
  const [kept, held, deleted, released] = [await completed(3), await completed(2), await completed(2), await completed(2)];
  assert.ok(kept);
  const change = async (query: string, id: string): Promise<void> => {
    const { data, errors } = await ask({ query, variables: { id } });
    assert.equal(errors, undefined);
    assert.deepEqual(Object.values(data ?? {}), [{ userErrors: [] }]);
  };
  await change('mutation($id: ID!) { holdJob(id: $id, reason: "kept for the test") { userErrors { code } } }', held);
  await change('mutation($id: ID!) { deleteJob(id: $id, deletePredictions: true) { userErrors { code } } }', deleted);
  await change('mutation($id: ID!) { deleteJob(id: $id) { userErrors { code } } }', released);
  for (;;) {
    const pending = await ask({ query: '{ deletionReceipts(filter: {purgePending: true}) { totalCount } }', variables: {} });
    if ((pending.data?.['deletionReceipts'] as { totalCount: number }).totalCount === 0) return;
    await new Promise(resolve => setTimeout(resolve, 100));
  }
}

/** Ids and cursors of what is there. */
async function pool(): Promise<Pool> {
  const page = '{ edges { cursor node { id } } }';
  const lists = ['jobs', 'annualPredictions', 'quarterlyPredictions', 'companies', 'deletionReceipts'];
  const query = `{ viewer { user { id } } ${lists.map(list => `${list}(first: 8) ${page}`).join(' ')}
    files: jobs(first: 8) { nodes { artifacts { id } predictions(first: 3) { edges { cursor } } rowErrors { edges { cursor } } } }
    receipts: deletionReceipts(first: 3) { nodes { jobId } } }`;
  const { data } = await ask({ query, variables: {} });
  const text = JSON.stringify(data);
  const all = (key: string): string[] => [...new Set([...text.matchAll(new RegExp(`"${key}":"([^"]+)"`, 'g'))].map(match => match[1] as string))];
  const jobs = (data?.['jobs'] as { edges: { node: { id: string } }[] }).edges.map(edge => edge.node.id);
  return { ids: [...all('id'), ...all('jobId'), ...jobs, ...jobs], jobs, cursors: all('cursor') };
}

let values: Pool;
before(async () => {
  await within(60, 'the data stand still', settle());
  values = await pool();
});

test('the server and graphql-js refuse the same documents and answer the others alike', async context => {
  context.diagnostic(`JOBLINK_SEED=${seed} JOBLINK_ROUNDS=${rounds}`);
  const schema = referenceSchema(readFileSync(new URL('../../../schema.graphql', import.meta.url), 'utf8'));
  const { differences, counts } = await compare({ answer, subscribe }, new Reference(schema, ask), values, seed, rounds);
  context.diagnostic(JSON.stringify(counts));
  for (const { number, made, request, why } of differences) {
    console.log(`\n# ${number} (${made})\n${request.query}\n${JSON.stringify(request.variables)} ${request.operationName ?? ''}\n=> ${why}`);
  }
  assert.equal(differences.length, 0, `${differences.length} of ${counts['documents']} documents differ; JOBLINK_SEED=${seed}`);
  // The documents are worth comparing: most valid ones are executed, few are beyond the server's limits.
  assert.ok((counts['executed'] ?? 0) > rounds / 2 && (counts['refused'] ?? 0) > rounds / 2, JSON.stringify(counts));
  assert.ok((counts['beyond a limit'] ?? 0) < rounds / 10, JSON.stringify(counts));
});
