// What the tests of the console share: a server of their own, a browser, and what a clean page never does.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';
import { database, later } from './console-database.mjs';

const program = process.env.JOBLINK_PROGRAM;
if (!program) throw new Error('JOBLINK_PROGRAM says which program to test: target/debug/joblink');

const secret = 'a secret of the tests of the console, long enough';
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** How long to wait for what should happen soon, in milliseconds. */
export const PATIENCE = 30_000;

/** A port that was free a moment ago, for servers that come back where they were. */
const freePort = () =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject).listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

/** A Joblink with a database and files of its own, which can be stopped and started again at the same address. */
export class Server {
  #process;

  static async start(...settings) {
    const server = new Server();
    server.settings = settings;
    server.folder = await mkdtemp(join(tmpdir(), 'joblink-console-'));
    server.database = database(server.folder);
    server.port = await freePort();
    server.base = `http://127.0.0.1:${server.port}`;
    await server.begin();
    return server;
  }

  async begin() {
    const env = {
      ...process.env,
      DATABASE_URL: this.database.url,
      JOBLINK_ARTIFACTS: join(this.folder, 'artifacts'),
      JOBLINK_LISTEN: `127.0.0.1:${this.port}`,
      JOBLINK_JWT_SECRET: secret,
    };
    this.#process = spawn(program, ['serve', ...this.settings], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    const lines = createInterface({ input: this.#process.stdout });
    await new Promise((resolve, reject) => {
      this.#process.once('exit', code => reject(new Error(`joblink serve ended with ${code} before it listened`)));
      lines.on('line', line => line.includes('/healthz') && resolve());
    });
    lines.close();
    this.#process.stdout.resume();
  }

  /** Ends the program and keeps what it stored. */
  async stop() {
    if (!this.#process || this.#process.exitCode !== null) return;
    const ended = new Promise(resolve => this.#process.once('exit', resolve));
    this.#process.kill('SIGKILL');
    await ended;
  }

  async end() {
    await this.stop();
    this.database.end();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Makes jobs as old as if they had been made, and had ended, so many hours earlier. */
  age(hours, ...ids) {
    const earlier = later(-hours, 'created_at', 'started_at', 'completed_at');
    for (const id of ids) this.database.change(`UPDATE bulk_upload_jobs SET ${earlier} WHERE id = $1`, id);
  }

  /** A user who may sign in, and their token. */
  user(name, role = 'operator', hours = 1) {
    const id = this.person({ username: name });
    return { id, token: this.token(id, role, hours) };
  }

  /** Somebody whom the server knows from now on; gives their id. */
  person({ username, full_name = username, ...rest }) {
    const id = randomUUID();
    const email = `${username}@example.com`.replaceAll(' ', '-');
    this.database.insert('users', [{ id, username, email, full_name, hashed_password: '!', is_active: true, ...rest }]);
    return id;
  }

  /** An organization; gives its id. */
  organization(name) {
    const id = randomUUID();
    this.database.insert('organizations', [{ id, name, slug: `o-${id}`, join_token: id.slice(0, 32) }]);
    return id;
  }

  token(id, role = 'operator', hours = 1, organization = undefined) {
    const env = { ...process.env, JOBLINK_JWT_SECRET: secret };
    const of = organization ? ['--org', organization] : [];
    return execFileSync(program, ['token', id, '--role', role, '--hours', `${hours}`, ...of], { env, encoding: 'utf8' }).trim();
  }

  async ask(query, variables = {}, token = undefined) {
    const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
    const response = await fetch(`${this.base}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query, variables }) });
    const { data, errors } = await response.json();
    assert.equal(errors, undefined, JSON.stringify(errors));
    return data;
  }

  /** Uploads quarterly rows of companies that no other file names, unless by their prefix, and gives the id of the job. */
  async upload(name, rows, { bad = 0, token, prefix = `C${process.hrtime.bigint().toString(36).toUpperCase()}` } = {}) {
    const header = 'company_symbol,company_name,sector,market_cap,reporting_year,reporting_quarter,total_debt_to_ebitda,sga_margin,long_term_debt_to_total_capital,return_on_capital';
    const line = (_, row) => `${prefix}${row},Company ${row},Energy,1000000,2024,Q1,${row < bad ? 'many' : '3.1'},20.5,40.7,${row % 30}`;
    const form = new FormData();
    const query =
      'mutation($file: Upload!) { createJob(input: {kind: QUARTERLY, source: {file: $file}}) { job { id } userErrors { message } } }';
    form.append('operations', JSON.stringify({ query, variables: { file: null } }));
    form.append('map', JSON.stringify({ 0: ['variables.file'] }));
    form.append('0', new Blob([[header, ...Array.from({ length: rows }, line), ''].join('\n')]), name);
    const headers = { 'apollo-require-preflight': '1', ...(token && { authorization: `Bearer ${token}` }) };
    const response = await fetch(`${this.base}/graphql`, { method: 'POST', headers, body: form });
    const { data, errors } = await response.json();
    assert.equal(errors, undefined, JSON.stringify(errors));
    assert.deepEqual(data.createJob.userErrors, []);
    return data.createJob.job.id;
  }

  /** Waits until a job has this status. */
  async until(id, status, token) {
    await this.#becomes(id, job => job?.status === status, status, token);
  }

  /** Waits until a job has stored so many predictions. */
  async progress(id, count) {
    await this.#becomes(id, job => job?.progress.succeeded >= count, `at ${count} predictions`);
  }

  async #becomes(id, is, what, token) {
    for (const end = Date.now() + PATIENCE; Date.now() < end; await new Promise(resolve => setTimeout(resolve, 50))) {
      const { job } = await this.ask('query($id: ID!) { job(id: $id) { status progress { succeeded } } }', { id }, token);
      if (is(job)) return;
    }
    assert.fail(`the job ${id} did not become ${what}`);
  }
}

export const browser = () =>
  chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });

/**
 * A page, and whatever went wrong on it. Chromium reports what the policy blocks as an error of the console, and what
 * a server refuses or that it is gone likewise: `expected` says which of these a test brings about itself. A page that
 * `isUnseen` does not look now and then for what it was not told: a test knows each request.
 */
export async function open(browser, { expected = /^$/, isUnseen = false, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en-GB', reducedMotion: 'reduce', ...options });
  const page = await context.newPage();
  if (isUnseen) await page.addInitScript(() => Object.defineProperty(document, 'hidden', { value: true }));
  page.setDefaultTimeout(PATIENCE);
  const problems = [];
  const note = problem => expected.test(problem) || problems.push(problem);
  const origins = new Set();
  const seen = url => {
    const { protocol, host } = new URL(url);
    if (protocol !== 'data:') origins.add(host);
  };
  page.on('request', request => seen(request.url()));
  page.on('websocket', socket => seen(socket.url()));
  // The console asks for nothing that cannot be understood; where it did, this says what it was.
  page.on('response', async response => {
    if (response.status() === 400) console.log(response.url(), response.request().postData(), await response.text().catch(String));
  });
  page.on('pageerror', error => note(`page error: ${error}`));
  page.on('console', message => ['error', 'warning'].includes(message.type()) && note(`console: ${message.text()}`));
  return { page, problems, origins };
}

/** Fails where axe finds anything. */
export async function accessible(page, what) {
  await page.evaluate(axe);
  const violations = await page.evaluate(async () => {
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
    const { violations } = await globalThis.axe.run(document, { runOnly: { type: 'tag', values: tags } });
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(node => `${node.html} ${node.failureSummary}`).join(' | ')}`);
  });
  assert.deepEqual(violations, [], what);
}

/** The same in light and dark colours. */
export async function accessibleInBoth(page, what) {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await accessible(page, `${what}, ${colorScheme}`);
  }
  await page.emulateMedia({ colorScheme: 'light' });
}

/** Whether a page fits its window: nothing is to be scrolled sideways. */
export async function fits(page, what) {
  const [wide, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(wide <= window, `${what}: ${wide} px wide in a window of ${window} px`);
}
