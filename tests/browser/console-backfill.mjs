// The backfill in the console: its runs, what each decided and left, and both as files.
//   JOBLINK_PROGRAM=target/debug/joblink node --test console-backfill.mjs
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { backfill, past } from './console-past.mjs';
import { accessibleInBoth, browser, fits, open, Server } from './console-world.mjs';

let chromium;
let server;
let signed;
before(async () => {
  [chromium, server, signed] = await Promise.all([browser(), Server.start(), Server.start('--auth', 'jwt')]);
});
after(() => Promise.all([chromium?.close(), server?.end(), signed?.end()]));

/** A page on which nothing may go wrong but what is expected. */
async function using(server, options, use) {
  const { page, problems, origins } = await open(chromium, options);
  await use(page);
  await page.context().close();
  assert.deepEqual(problems, []);
  assert.deepEqual([...origins], [new URL(server.base).host], 'a request to another origin');
}

const focused = page => page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? '');
const tabTo = async (page, name) => {
  for (let keys = 0; !name.test(await focused(page)); keys++) {
    assert.ok(keys < 60, `the keyboard does not come to ${name}`);
    await page.keyboard.press('Tab');
  }
};
const narrow = async (page, what) => {
  await page.setViewportSize({ width: 360, height: 740 });
  await fits(page, what);
  await page.setViewportSize({ width: 1280, height: 800 });
};
const runs = async () => (await server.ask('{ backfillRuns { nodes { id linked unresolved } } }')).backfillRuns.nodes;
/** What a button of the page downloads. */
async function downloaded(page, press) {
  const [download] = await Promise.all([page.waitForEvent('download'), press()]);
  return { name: download.suggestedFilename(), text: await readFile(await download.path(), 'utf8') };
}

test('where there was no run, the command is named', () =>
  using(server, {}, async page => {
    await page.goto(`${server.base}/console/backfill`);
    await page.getByRole('heading', { name: 'No run yet' }).waitFor();
    await page.getByText('migration backfill plan').waitFor();
    assert.equal(await page.title(), 'Backfill · Joblink');
    await accessibleInBoth(page, 'no run of the backfill');
    await narrow(page, 'no run of the backfill');
  }));

test('a run is shown with what it decided and left, by the keyboard alone, and both are fetched as files', () =>
  using(server, { acceptDownloads: true }, async page => {
    const { made, printed } = await past(server);
    const [run] = await runs();
    assert.ok(run.linked > 0 && run.unresolved > 0, printed);
    await page.goto(`${server.base}/console/backfill`);
    const list = page.getByRole('grid', { name: 'Runs' });
    await list.getByText('Completed').waitFor();
    await accessibleInBoth(page, 'the runs of the backfill');
    await narrow(page, 'the runs of the backfill');
    await list.getByRole('row').nth(1).focus();
    // In a table the arrows lead to what is in a row.
    await page.keyboard.press('ArrowRight');
    assert.match(await focused(page), /^(just now|.* ago)$/);
    await page.keyboard.press('Enter');

    const decisions = page.getByRole('grid', { name: 'Decisions' });
    const of = name => decisions.getByRole('row').filter({ hasText: `${name}.csv` });
    await of('north 2021').getByText('The job’s file').waitFor();
    assert.deepEqual(await of('north 2021').locator('.linked-column').innerText(), '30');
    await of('east 2022').getByText('Its file has 12 rows, the job counted 13').waitFor();
    await accessibleInBoth(page, 'decisions');
    await narrow(page, 'decisions');
    await tabTo(page, /^Download as CSV$/);
    const { name, text } = await downloaded(page, () => page.keyboard.press('Enter'));
    assert.equal(name, `backfill-${run.id}-decisions.csv`);
    const lines = text.trim().split('\n');
    assert.equal(lines[0], 'job_id,evidence,linked,unresolved,note');
    assert.ok(lines.includes(`${made['north 2021']},source_file,30,0,`), text);
    assert.equal(lines.length, 6);

    await page.getByRole('link', { name: 'Left without a link' }).focus();
    await page.keyboard.press('Enter');
    const left = page.getByRole('grid', { name: 'Predictions without a link' });
    await left.getByText('Ambiguous').first().waitFor();
    const both = left.getByRole('row').filter({ hasText: 'west 2022.csv' }).filter({ hasText: 'west 2022 again.csv' });
    assert.ok((await both.count()) > 0, 'the jobs that could have made it are not named');
    await accessibleInBoth(page, 'what is left');
    await narrow(page, 'what is left');
    const file = await downloaded(page, () => page.getByRole('button', { name: 'Download as CSV' }).click());
    assert.equal(file.name, `backfill-${run.id}-unresolved.csv`);
    // The command's own list is in the order in which it decided.
    const sorted = text => text.trim().split('\n').slice(1).sort();
    const written = await readFile(join(server.folder, 'left.csv'), 'utf8');
    assert.deepEqual(sorted(file.text), sorted(written));
    assert.equal(sorted(written).length, run.unresolved);

    await page.goto(`${server.base}/console/backfill/${made['north 2021']}`);
    await page.getByRole('heading', { name: 'No such run' }).waitFor();
    await accessibleInBoth(page, 'no such run');
  }));

test('a download that fails says so, and a run that was undone is marked', () =>
  using(server, { expected: /ERR_CONNECTION|WebSocket/ }, async page => {
    const [run] = await runs();
    await page.goto(`${server.base}/console/backfill/${run.id}`);
    const button = page.getByRole('button', { name: 'Download as CSV' });
    await button.waitFor();
    await server.stop();
    await button.click();
    await page.getByRole('alert').getByText('The server cannot be reached. Try again.').waitFor();
    await accessibleInBoth(page, 'a download that failed');
    await backfill(server, 'undo', run.id, '--yes');
    await server.begin();
    await page.goto(`${server.base}/console/backfill/${run.id}`);
    await page.getByText('Its links were taken back.').waitFor();
    await page.locator('.sums').getByText('Taken back').waitFor();
    assert.equal(await page.locator('.sums dd').last().innerText(), `${run.linked}`);
  }));

test('a list that cannot be read is asked for again', () =>
  using(server, { expected: /ERR_FAILED/, isUnseen: true }, async page => {
    const isOfBackfill = route => (route.request().postData() ?? '').includes('query Backfill');
    await page.route('**/graphql', route => (isOfBackfill(route) ? route.abort() : route.continue()));
    await page.goto(`${server.base}/console/backfill`);
    await page.getByRole('alert').getByText('The server cannot be reached.').waitFor();
    await accessibleInBoth(page, 'runs that cannot be read');
    await page.unroute('**/graphql');
    await page.getByRole('button', { name: 'Retry' }).click();
    await page.getByRole('grid', { name: 'Runs' }).getByText('Undone').waitFor();
  }));

test('operators fetch the files with their token, and others are told whom to ask', () =>
  using(signed, { acceptDownloads: true, expected: /status of 401/ }, async page => {
    const signIn = async token => {
      await page.getByRole('textbox', { name: 'Bearer token' }).fill(token);
      await page.getByRole('button', { name: 'Sign In' }).click();
    };
    const operator = signed.user('olga');
    await backfill(signed, 'run');
    const { backfillRuns } = await signed.ask('{ backfillRuns { nodes { id } } }', {}, operator.token);
    const [{ id }] = backfillRuns.nodes;
    await page.goto(`${signed.base}/console/backfill/${id}`);
    await signIn(operator.token);
    await page.getByRole('heading', { name: 'No job was decided about' }).waitFor();
    const { text } = await downloaded(page, () => page.getByRole('button', { name: 'Download as CSV' }).click());
    assert.equal(text, 'job_id,evidence,linked,unresolved,note\n');

    await page.goto(`${signed.base}/console/backfill`);
    await signIn(signed.user('mary', 'member').token);
    await page.getByRole('heading', { name: 'Only operators see the runs' }).waitFor();
    await accessibleInBoth(page, 'no operator');
    await narrow(page, 'no operator');
  }));
