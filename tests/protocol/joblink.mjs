// A running Joblink: how the checks ask it, and how they start one of their own.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** How long to wait for what should happen at once, in milliseconds. */
const patience = 60_000;

/** The address and the program from the command line. */
export function told(usage) {
  const [base, program] = process.argv.slice(2);
  if (!base || !program) {
    console.error(`usage: node ${usage}`);
    process.exit(1);
  }
  return { url: new URL('/graphql', base).href, program };
}

/** Fails where a promise is not kept in a minute. */
export function soon(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), patience);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Asks by HTTP; fails where the answer has errors. */
export async function ask(url, query, variables = {}) {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query, variables }) });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  return data;
}

/** Uploads a small file of a company that no other file names, and gives the id of its job. */
export async function upload(url) {
  const header = 'company_symbol,company_name,sector,market_cap,reporting_year,reporting_quarter,total_debt_to_ebitda,sga_margin,long_term_debt_to_total_capital,return_on_capital';
  const company = `P${process.hrtime.bigint().toString(36).toUpperCase()}`;
  const rows = ['Q1', 'Q2', 'Q3'].map(quarter => `${company},Protocol,Energy,1,2024,${quarter},1,2,3,4`);
  const form = new FormData();
  const query = 'mutation($file: Upload!) { createJob(input: {kind: QUARTERLY, source: {file: $file}}) { job { id } userErrors { message } } }';
  form.append('operations', JSON.stringify({ query, variables: { file: null } }));
  form.append('map', JSON.stringify({ 0: ['variables.file'] }));
  form.append('0', new Blob([[header, ...rows, ''].join('\n')]), 'protocol.csv');
  const response = await fetch(url, { method: 'POST', headers: { 'apollo-require-preflight': '1' }, body: form });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  assert.deepEqual(data.createJob.userErrors, []);
  return data.createJob.job.id;
}

/** Deletes a job with all that it made. */
export const deleteJob = 'mutation($id: ID!) { deleteJob(id: $id, deletePredictions: true, force: true) { deletedJobId } }';
/** What happens to all jobs. */
export const watchAll = 'subscription { jobEvents { type jobId job { status } } }';
/** What happens to one. */
export const watchOne = 'subscription($id: ID!) { jobEvents(jobId: $id) { type jobId job { status } } }';

/** Makes jobs and deletes them until all of these are kept: a subscription may begin a moment after it was asked for. */
export async function stirUntil(url, ...kept) {
  let over = false;
  const all = soon(Promise.all(kept), 'events').finally(() => (over = true));
  while (!over) {
    const id = await upload(url);
    await ask(url, deleteJob, { id });
    await Promise.race([all, new Promise(resolve => setTimeout(resolve, 50))]);
  }
  return all;
}

/** A server of one's own, with a database of its own, which outlives it. */
export async function own(program) {
  const folder = await mkdtemp(join(tmpdir(), 'joblink-protocol-'));
  const environment = { ...process.env, DATABASE_URL: 'sqlite://joblink.db?mode=rwc', JOBLINK_ARTIFACTS: 'artifacts' };
  let running;
  return {
    /** Starts it, on a free port or the one that it had, and gives its address. */
    async start(at = 'http://127.0.0.1:0') {
      const arguments_ = ['serve', '--listen', new URL(at).host];
      running = spawn(program, arguments_, { cwd: folder, env: environment, stdio: ['ignore', 'pipe', 'ignore'] });
      for await (const line of createInterface(running.stdout)) {
        const found = line.match(/^GraphQL +(\S+)$/);
        if (found) return found[1];
      }
      throw new Error('joblink ended before it served');
    },
    /** Stops it as a person would. */
    async stop() {
      const ended = new Promise(resolve => running.once('exit', resolve));
      running.kill('SIGTERM');
      assert.equal(await soon(ended, 'the end of the server'), 0, 'the server must stop in order');
    },
    /** Removes what it left. */
    remove: () => rm(folder, { recursive: true }),
  };
}
