// The package in a page, as a browser runs it: no build, no other origin's help.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join, normalize } from 'node:path';
import { test } from 'node:test';
import { file, url } from './world.js';

const PAGE = `<!doctype html><script type="module">
  import { Joblink, UserErrors } from '/dist/index.js';
  const tell = told => fetch('/told', { method: 'POST', body: JSON.stringify(told) });
  try {
    const { url, name, text } = await (await fetch('/given')).json();
    const joblink = new Joblink({ url });
    const file = new File([text], name);
    const sent = [];
    const onProgress = ({ sent: bytes, total }) => sent.push([bytes, total]);
    const { id } = await joblink.uploadFile(file, 'QUARTERLY', { onProgress });
    const { status, artifacts } = await joblink.waitFor(id);
    const input = await (await joblink.download(artifacts.find(({ kind }) => kind === 'INPUT'))).text();
    const leave = AbortSignal.abort(new Error('enough'));
    const left = await joblink.uploadFile(file, 'QUARTERLY', { onProgress, signal: leave }).catch(error => error.message);
    const receipt = await joblink.deleteJob(id, { deletePredictions: true });
    const again = await joblink.deleteJob(id).catch(error => [error instanceof UserErrors, error.code, error.receipt.id === receipt.id]);
    const gone = await new Joblink({ url: 'http://127.0.0.1:1', attempts: 1 }).uploadFile(file, 'ANNUAL', { onProgress }).catch(error => error.code);
    await tell({ sent: sent.at(-1), size: file.size, status, isSame: input === text, left, deleted: receipt.deletedQuarterlyPredictions, again, gone });
  } catch (error) {
    await tell({ error: String(error) });
  }
</script>`;

test('a page uploads with progress, waits and deletes', async context => {
  const source = file(20);
  const given = JSON.stringify({ url, name: source.name, text: await source.text() });
  const folder = await mkdtemp(join(tmpdir(), 'joblink-page-'));
  const told = new Promise<string>((resolve, reject) => {
    const server = createServer(async (request, response) => {
      const path = normalize(request.url ?? '/');
      if (path === '/told') {
        const chunks = await request.toArray();
        response.end();
        resolve(Buffer.concat(chunks as Buffer[]).toString());
      } else if (path.startsWith('/dist/')) {
        response.writeHead(200, { 'content-type': 'text/javascript' }).end(await readFile(join(import.meta.dirname, '..', path)));
      } else {
        response.writeHead(200, { 'content-type': path === '/given' ? 'application/json' : 'text/html' }).end(path === '/given' ? given : PAGE);
      }
    });
    const port = Number(process.env['JOBLINK_PAGE_PORT']);
    server.on('error', reject).listen(port, '127.0.0.1', () => {
      const flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-sync'];
      const browser = spawn('chromium', [...flags, `--user-data-dir=${folder}`, `http://127.0.0.1:${port}/`], { stdio: 'ignore' });
      browser.on('error', reject);
      context.after(async () => {
        const ended = new Promise(end => browser.once('exit', end));
        browser.kill();
        await ended;
        server.closeAllConnections();
        server.close();
        await rm(folder, { recursive: true, force: true, maxRetries: 5 });
      });
    });
    setTimeout(() => reject(new Error('the page said nothing for a minute')), 60_000).unref();
  });
  const outcome = JSON.parse(await told) as { readonly size: number };
  assert.deepEqual(outcome, {
    sent: [outcome.size, outcome.size],
    size: source.size,
    status: 'COMPLETED',
    isSame: true,
    left: 'enough',
    deleted: 20,
    again: [true, 'JOB_ALREADY_DELETED', true],
    gone: 'UNREACHABLE',
  });
});
