// The list of jobs of the console, live and not, full and empty, by mouse and by the keyboard alone.
//   JOBLINK_PROGRAM=target/debug/joblink node --test console-jobs.mjs
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { accessibleInBoth, browser, fits, open, Server } from './console-world.mjs';

let chromium;
let server;
let crowded;
let empty;
/** The jobs of `server`, by the names of their files. */
const made = {};

before(async () => {
  [chromium, server, crowded, empty] = await Promise.all([
    browser(),
    Server.start('--workers', '1'),
    Server.start('--workers', '0'),
    Server.start(),
  ]);
  for (const [name, rows, bad] of [['Alpha.csv', 40, 0], ['beta.csv', 30, 3], ['gamma.csv', 5, 5]]) {
    made[name] = await server.upload(name, rows, { bad });
    await server.until(made[name], name === 'gamma.csv' ? 'FAILED' : 'COMPLETED');
  }
  await server.ask('mutation($id: ID!) { holdJob(id: $id, reason: "an audit") { userErrors { message } } }', { id: made['Alpha.csv'] });
  // A hundred thousand jobs, one a minute, as an installation of some years may have them.
  await crowded.upload('first.csv', 1);
  const { viewer } = await crowded.ask('{ viewer { user { id } } }');
  const rows = Array.from({ length: 100_000 }, (_, at) => {
    const time = new Date(Date.UTC(2026, 0, 1, 0, at)).toISOString().replace('T', ' ').replace('Z', '000');
    return {
      id: randomUUID(),
      user_id: viewer.user.id,
      job_type: 'quarterly',
      status: at % 10 === 0 ? 'failed' : 'completed',
      original_filename: `file ${`${at}`.padStart(6, '0')}.csv`,
      ...{ file_size: 269, total_rows: 1, processed_rows: 1, successful_rows: 1, failed_rows: 0 },
      ...{ created_at: time, started_at: time, completed_at: time, origin: 'joblink' },
    };
  });
  crowded.database.insert('bulk_upload_jobs', rows);
});
after(() => Promise.all([chromium?.close(), server?.end(), crowded?.end(), empty?.end()]));

async function using(server, options, use) {
  const { page, problems, origins } = await open(chromium, options);
  await use(page);
  await page.context().close();
  assert.deepEqual(problems, []);
  assert.deepEqual([...origins], [new URL(server.base).host], 'a request to another origin');
}

const row = (page, id) => page.locator(`[data-job-id="${id}"]`);
const ids = page => page.locator('[data-job-id]').evaluateAll(rows => rows.map(row => row.dataset.jobId));
const connection = (page, text) => page.getByRole('status', { name: 'Connection', exact: true }).getByText(text).waitFor();
const isSelected = async (page, id) => (await row(page, id).getAttribute('aria-selected')) === 'true';
/** Waits until the focus is among the rows. */
const isInTable = page => page.waitForFunction(() => document.activeElement?.closest('[role=grid]'));
/** Waits until the list is of these files, in this order. */
async function lists(page, ...names) {
  const shown = () => page.locator('[data-job-id] .file-name').allInnerTexts();
  for (const end = Date.now() + 10_000; Date.now() < end && `${await shown()}` !== `${names}`; ) await page.waitForTimeout(30);
  assert.deepEqual(await shown(), names);
}

test('an empty list says how jobs are made', () =>
  using(empty, {}, async page => {
    await page.goto(`${empty.base}/console/jobs`);
    await page.getByRole('heading', { name: 'No jobs yet' }).waitFor();
    await accessibleInBoth(page, 'an empty list');
    await page.setViewportSize({ width: 360, height: 740 });
    await fits(page, 'an empty list');
    // The first job appears by itself.
    const id = await empty.upload('first.csv', 3);
    await row(page, id).getByText('Completed').waitFor();
  }));

test('jobs are shown with their state, progress, hold and error, wide and narrow, in light and dark', () =>
  using(server, {}, async page => {
    await page.goto(`${server.base}/console/jobs`);
    await lists(page, 'gamma.csv', 'beta.csv', 'Alpha.csv');
    const [alpha, beta, gamma] = ['Alpha.csv', 'beta.csv', 'gamma.csv'].map(name => row(page, made[name]));
    await gamma.getByText('Failed', { exact: true }).waitFor();
    await gamma.getByText('No row could be stored').waitFor();
    await beta.getByText('30 of 30 rows · 3 not stored').waitFor();
    assert.equal(await beta.getByRole('progressbar').getAttribute('aria-valuetext'), '30 of 30 rows');
    await alpha.getByText('On hold').waitFor();
    await alpha.getByText('Local user').waitFor();
    await accessibleInBoth(page, 'a list');
    await page.setViewportSize({ width: 360, height: 740 });
    await fits(page, 'a list');
    await accessibleInBoth(page, 'a narrow list');
    // There the filters are folded away, so that the first job is seen, and the order is a choice of its own.
    const { y, height } = await gamma.boundingBox();
    assert.ok(y + height < 740, `the first job ends at ${y + height} px`);
    const folded = page.getByRole('button', { name: 'Filters', exact: true });
    assert.equal(await page.getByRole('button', { name: /^Status:/ }).count(), 0);
    await folded.focus();
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Kind: All' }).click();
    await page.getByRole('menuitemradio', { name: 'Annual' }).click();
    await page.getByRole('heading', { name: 'No job matches' }).waitFor();
    const one = page.getByRole('button', { name: 'Filters (1)' });
    assert.equal(await one.getAttribute('aria-expanded'), 'true');
    await fits(page, 'filters of a narrow list');
    await accessibleInBoth(page, 'filters of a narrow list');
    await page.getByRole('group', { name: 'Filters' }).getByRole('button', { name: 'Clear Filters' }).click();
    await lists(page, 'gamma.csv', 'beta.csv', 'Alpha.csv');
    await folded.click();
    assert.equal(await folded.getAttribute('aria-expanded'), 'false');
    await page.getByRole('button', { name: 'Sort: Newest first' }).click();
    await page.getByRole('menuitemradio', { name: 'Oldest first' }).click();
    await lists(page, 'Alpha.csv', 'beta.csv', 'gamma.csv');
  }));

test('the list is sorted, narrowed and searched, which its address keeps', () =>
  using(server, {}, async page => {
    await page.goto(`${server.base}/console/jobs`);
    await page.getByRole('columnheader', { name: 'File' }).click();
    await lists(page, 'Alpha.csv', 'beta.csv', 'gamma.csv');
    await page.getByRole('columnheader', { name: 'File' }).click();
    await lists(page, 'gamma.csv', 'beta.csv', 'Alpha.csv');
    assert.equal(await page.getByRole('columnheader', { name: 'File' }).getAttribute('aria-sort'), 'descending');

    await page.getByRole('button', { name: 'Status: All' }).click();
    await page.getByRole('menuitemcheckbox', { name: 'Completed' }).click();
    await lists(page, 'beta.csv', 'Alpha.csv');
    await accessibleInBoth(page, 'a menu of choices');
    await page.keyboard.press('Escape');
    await page.getByRole('searchbox').fill('ALPH');
    await lists(page, 'Alpha.csv');
    await page.reload();
    await lists(page, 'Alpha.csv');
    assert.equal(await page.getByRole('searchbox').inputValue(), 'ALPH');

    await page.getByRole('searchbox').fill('nothing like it');
    await page.getByRole('heading', { name: 'No job matches' }).waitFor();
    await accessibleInBoth(page, 'a list without a match');
    await page.getByRole('group', { name: 'Filters' }).getByRole('button', { name: 'Clear Filters' }).click();
    await lists(page, 'gamma.csv', 'beta.csv', 'Alpha.csv');
    assert.equal(await page.getByRole('searchbox').inputValue(), '');

    await page.getByRole('searchbox').fill(made['beta.csv'].slice(0, 36));
    await lists(page, 'beta.csv');
    await page.getByRole('button', { name: 'Clear the search' }).click();
    await page.getByRole('button', { name: 'More Filters' }).click();
    const more = page.getByRole('dialog', { name: 'More Filters' });
    await accessibleInBoth(page, 'more filters');
    await more.getByText('Created by me').click();
    await lists(page, 'gamma.csv', 'beta.csv', 'Alpha.csv');
    await more.getByLabel('Created until').fill('2020-02-29');
    await page.getByRole('button', { name: 'Clear Filters' }).last().waitFor();
    await lists(page);
    await more.getByLabel('Created until').fill('');
    await more.getByLabel('Finished from').fill('2020-02-29');
    await lists(page, 'gamma.csv', 'beta.csv', 'Alpha.csv');
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'More Filters (2)' }).waitFor();
  }));

test('what happens on the server is shown at once, and what is selected stays selected', () =>
  using(server, {}, async page => {
    await page.goto(`${server.base}/console/jobs?sort=file.up`);
    await connection(page, 'Live');
    await row(page, made['beta.csv']).getByRole('checkbox').click({ force: true });
    await page.getByText('1 job selected').waitFor();

    const id = await server.upload('a live one.csv', 60_000);
    await row(page, id).getByText('Running').waitFor();
    const bar = row(page, id).getByRole('progressbar');
    const at = async () => Number(await bar.getAttribute('aria-valuenow'));
    const first = await at();
    for (const end = Date.now() + 20_000; (await at()) <= first; ) {
      assert.ok(Date.now() < end, 'the progress stands still');
      await page.waitForTimeout(50);
    }
    await row(page, id).getByRole('checkbox').click({ force: true });
    await page.getByText('2 jobs selected').waitFor();
    await accessibleInBoth(page, 'a selection');
    await page.getByRole('columnheader', { name: 'Status' }).click();
    await page.getByRole('columnheader', { name: 'Status' }).click();
    assert.ok((await isSelected(page, id)) && (await isSelected(page, made['beta.csv'])), 'the selection is gone');

    await server.ask('mutation($id: ID!) { deleteJob(id: $id, force: true, deletePredictions: true) { deletedJobId } }', { id });
    await row(page, id).waitFor({ state: 'detached' });
    await page.getByText('1 job selected').waitFor();
    assert.ok(await isSelected(page, made['beta.csv']));
  }));

test('rows are selected by the keyboard alone', () =>
  using(server, {}, async page => {
    await page.goto(`${server.base}/console/jobs?sort=file.up`);
    await lists(page, 'Alpha.csv', 'beta.csv', 'gamma.csv');
    const [alpha, beta, gamma] = ['Alpha.csv', 'beta.csv', 'gamma.csv'].map(name => made[name]);
    const focused = () => page.evaluate(() => document.activeElement?.closest('[data-job-id]')?.getAttribute('data-job-id') ?? document.activeElement?.role);
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the content');
    await page.keyboard.press('Enter');
    for (let tabs = 0; !(await page.evaluate(() => document.activeElement.closest('[role=grid]'))); tabs++) {
      assert.ok(tabs < 15, 'the table cannot be reached');
      await page.keyboard.press('Tab');
    }
    while ((await focused()) !== alpha) await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Space');
    assert.ok(await isSelected(page, alpha));
    await page.keyboard.press('Shift+ArrowDown');
    await page.keyboard.press('Shift+ArrowDown');
    await page.getByText('3 jobs selected').waitFor();
    assert.equal(await focused(), gamma);
    await page.keyboard.press('Space');
    await page.getByText('2 jobs selected').waitFor();
    assert.ok((await isSelected(page, beta)) && !(await isSelected(page, gamma)));
    await page.keyboard.press('ControlOrMeta+A');
    await page.getByText('3 jobs selected').waitFor();
    // What can be done with them is behind the rows, and the focus is among these again when it is gone.
    for (let tabs = 0; (await page.evaluate(() => document.activeElement.textContent)) !== 'Clear Selection'; tabs++) {
      assert.ok(tabs < 5, 'what can be done with a selection cannot be reached');
      await page.keyboard.press('Tab');
    }
    await page.keyboard.press('Enter');
    assert.ok(!(await isSelected(page, alpha)));
    await isInTable(page);
    await page.keyboard.press('ControlOrMeta+A');
    await page.getByText('3 jobs selected').waitFor();
    // A menu that is open is closed by Escape, and no more than that.
    await row(page, beta).getByRole('button', { name: /^Actions for/ }).click();
    await page.getByRole('menu').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('menu').waitFor({ state: 'detached' });
    await page.getByText('3 jobs selected').waitFor();
    await page.keyboard.press('Escape');
    await page.getByText('3 jobs selected').waitFor({ state: 'detached' });
    await isInTable(page);
    await row(page, beta).getByRole('checkbox', { name: 'Select beta.csv', exact: true }).waitFor();
  }));

test('a selection is kept while a job is looked at, and loses what goes meanwhile', () =>
  using(server, {}, async page => {
    const id = await server.upload('short of life.csv', 2);
    await server.until(id, 'COMPLETED');
    await page.goto(`${server.base}/console/jobs?sort=file.up`);
    await connection(page, 'Live');
    for (const each of [made['beta.csv'], made['gamma.csv'], id]) await row(page, each).getByRole('checkbox').click({ force: true });
    await page.getByText('3 jobs selected').waitFor();
    await row(page, made['beta.csv']).getByRole('link', { name: 'beta.csv' }).click();
    await page.getByRole('heading', { level: 1, name: 'beta.csv' }).waitFor();
    await server.ask('mutation($id: ID!) { deleteJob(id: $id, deletePredictions: true) { deletedJobId } }', { id });
    await page.goBack();
    await page.getByText('2 jobs selected').waitFor();
    assert.ok((await isSelected(page, made['beta.csv'])) && (await isSelected(page, made['gamma.csv'])));
  }));

test('the focus stays where there is something to do, and what was announced is not read again', () =>
  using(server, {}, async page => {
    await page.goto(`${server.base}/console/jobs?sort=file.up&status=COMPLETED`);
    await lists(page, 'Alpha.csv', 'beta.csv');
    const announced = page.locator('[data-announcer]');
    await announced.getByText('2 jobs').waitFor({ state: 'attached' });
    await page.waitForFunction(() => document.querySelector('[data-announcer]').textContent === '');
    await page.getByRole('group', { name: 'Filters' }).getByRole('button', { name: 'Clear Filters' }).focus();
    await page.keyboard.press('Enter');
    await lists(page, 'Alpha.csv', 'beta.csv', 'gamma.csv');
    await isInTable(page);
    await page.getByRole('searchbox').fill('nothing like it');
    await page.getByRole('main').getByRole('button', { name: 'Clear Filters' }).last().focus();
    await page.getByRole('heading', { name: 'No job matches' }).waitFor();
    await page.keyboard.press('Enter');
    await lists(page, 'Alpha.csv', 'beta.csv', 'gamma.csv');
    await page.waitForFunction(() => document.activeElement.closest('.list-table, .filters'));
  }));

test('a list of 100,000 jobs is paged without slowing down, and a selection goes over its pages', () =>
  using(crowded, { isUnseen: true }, async page => {
    await page.goto(`${crowded.base}/console/jobs?sort=created.up`);
    await page.getByText('1–50 of 100,001').waitFor();
    await connection(page, 'Live');
    const first = await ids(page);
    assert.equal(first.length, 50);
    await row(page, first[0]).getByRole('checkbox').click({ force: true });

    const asked = [];
    page.on('request', request => request.url().endsWith('/graphql') && asked.push(request.postDataJSON().operationName));
    const elements = () => page.locator('*').count();
    const size = await elements();
    const times = [];
    for (let at = 51; at <= 501; at += 50) {
      const began = performance.now();
      await page.getByRole('button', { name: 'Next page' }).click();
      await page.getByText(`${at}–${at + 49} of 100,001`).waitFor();
      await page.locator('.jobs-table:not(.behind)').waitFor();
      times.push(performance.now() - began);
    }
    assert.equal((await ids(page)).length, 50, 'rows of other pages are still there');
    assert.deepEqual(asked, times.map(() => 'Jobs'), 'a page is one request');
    assert.ok((await elements()) < size + 200, `${size} elements became ${await elements()}`);
    times.sort((a, b) => a - b);
    console.log(`a page of 50 among 100,000: ${Math.round(times[5])} ms`);

    await page.getByRole('checkbox', { name: 'Select all jobs of this page' }).click({ force: true });
    await page.getByText('51 jobs selected').waitFor();
    await page.goBack();
    await page.getByText('451–500 of 100,001').waitFor();
    await page.getByRole('button', { name: 'Previous page' }).click();
    await page.getByText('401–450 of 100,001').waitFor();
    await page.goto(`${crowded.base}/console/jobs?sort=created.up&status=FAILED`);
    await page.getByText('1–50 of 10,000').waitFor();
    // A button that leads nowhere any more gives the focus on.
    await page.getByRole('button', { name: 'Next page' }).click();
    await page.getByText('51–100 of 10,000').waitFor();
    await page.locator('.jobs-table:not(.behind)').waitFor();
    await page.getByRole('button', { name: 'Previous page' }).focus();
    await page.keyboard.press('Enter');
    await page.getByText('1–50 of 10,000').waitFor();
    await page.waitForFunction(() => document.activeElement?.matches('[aria-label="Next page"]'));
    await page.getByRole('searchbox').fill('file 0999');
    await page.getByText('1–10 of 10').waitFor();
  }));

test('where there is no connection for events the list asks again, and says so', () =>
  using(empty, { expected: /WebSocket/ }, async page => {
    await page.routeWebSocket(/graphql/, socket => socket.close({ code: 1011 }));
    await page.goto(`${empty.base}/console/jobs`);
    await page.getByText('Live updates are off. The page is refreshed every 5 seconds.').waitFor();
    await accessibleInBoth(page, 'a list that is not live');
    const id = await empty.upload('asked for.csv', 3);
    await row(page, id).getByText('Completed').waitFor();
  }));

test('what happens before the connection for events is there is shown too', () =>
  using(empty, {}, async page => {
    const id = await empty.upload('gone before.csv', 3);
    await empty.until(id, 'COMPLETED');
    let connect;
    const held = new Promise(resolve => (connect = resolve));
    await page.routeWebSocket(/graphql/, async socket => {
      await held;
      socket.connectToServer();
    });
    await page.goto(`${empty.base}/console/jobs`);
    await row(page, id).waitFor();
    await empty.ask('mutation($id: ID!) { deleteJob(id: $id) { deletedJobId } }', { id });
    connect();
    await connection(page, 'Live');
    await row(page, id).waitFor({ state: 'detached' });
  }));

test('what was told to nobody is shown all the same: soon after the connection, and once a minute where the page is seen', () =>
  using(empty, {}, async page => {
    const jobs = [await empty.upload('told to nobody.csv', 3), await empty.upload('of an older program.csv', 3)];
    for (const id of jobs) await empty.until(id, 'COMPLETED');
    const [gone, stays] = jobs;
    // The server is connected to, and takes the subscription, when the test lets it.
    let accept;
    let watch;
    const accepted = new Promise(resolve => (accept = resolve));
    const watched = new Promise(resolve => (watch = resolve));
    await page.routeWebSocket(/graphql/, socket => {
      const connected = socket.connectToServer();
      connected.onMessage(async message => {
        if (message.includes('connection_ack')) await accepted;
        socket.send(message);
      });
      socket.onMessage(async message => {
        if (message.includes('"subscribe"')) await watched;
        connected.send(message);
      });
    });
    await page.clock.install();
    await page.goto(`${empty.base}/console/jobs`);
    await row(page, stays).waitFor();
    await page.clock.pauseAt(Date.now() + 1000);
    const asked = page.waitForRequest(request => request.postData()?.includes('query Jobs'));
    accept();
    await connection(page, 'Live');
    await (await (await asked).response()).finished();
    await empty.ask('mutation($id: ID!) { deleteJob(id: $id) { deletedJobId } }', { id: gone });
    watch();
    await page.clock.runFor(2000);
    await row(page, gone).waitFor({ state: 'detached' });

    const rename = name => empty.database.change('UPDATE bulk_upload_jobs SET original_filename = $1 WHERE id = $2', name, stays);
    rename('renamed.csv');
    await page.clock.fastForward(60_000);
    await row(page, stays).getByText('renamed.csv', { exact: true }).waitFor();
    // Nobody sees the page: nothing is asked until somebody does.
    await page.evaluate(() => Object.defineProperty(document, 'hidden', { configurable: true, value: true }));
    rename('renamed again.csv');
    let requests = 0;
    page.on('request', () => requests++);
    for (let minute = 0; minute < 3; minute++) await page.clock.fastForward(60_000);
    await page.evaluate(() => fetch('/healthz'));
    assert.equal(requests, 1, 'a page that nobody sees asks');
    await page.evaluate(() => {
      delete document.hidden;
      document.dispatchEvent(new Event('visibilitychange'));
    });
    await row(page, stays).getByText('renamed again.csv', { exact: true }).waitFor();
  }));

test('a hold is shown to all who look at the list, and that it was lifted', () =>
  using(server, {}, async page => {
    await page.goto(`${server.base}/console/jobs`);
    await connection(page, 'Live');
    const held = row(page, made['beta.csv']).getByText('On hold');
    await row(page, made['beta.csv']).waitFor();
    assert.equal(await held.count(), 0);
    await server.ask('mutation($id: ID!) { holdJob(id: $id, reason: "a question") { userErrors { message } } }', { id: made['beta.csv'] });
    await held.waitFor();
    await server.ask('mutation($id: ID!) { releaseJobHold(id: $id) { userErrors { message } } }', { id: made['beta.csv'] });
    await held.waitFor({ state: 'detached' });
  }));

test('a server that is gone is said, and what was missed is there when it is back', () =>
  using(empty, { expected: /ERR_CONNECTION|WebSocket/ }, async page => {
    const first = await empty.upload('before.csv', 3);
    await page.goto(`${empty.base}/console/jobs`);
    await connection(page, 'Live');
    await row(page, first).getByText('Completed').waitFor();
    const before = await ids(page);
    await empty.stop();
    await page.getByText(/The server cannot be reached. Trying again every \d+ seconds./).waitFor();
    await connection(page, 'Offline');
    assert.deepEqual(await ids(page), before, 'what was shown is gone');
    await accessibleInBoth(page, 'a list without a server');
    await page.setViewportSize({ width: 360, height: 740 });
    await fits(page, 'a list without a server');
    await page.getByRole('button', { name: 'Try Now' }).click();
    await empty.begin();
    const id = await empty.upload('meanwhile.csv', 3);
    await connection(page, 'Live');
    await row(page, id).getByText('Completed').waitFor();
    assert.equal(await page.getByText('The server cannot be reached').count(), 0);
  }));

test('a list that cannot be loaded offers to try again', () =>
  using(server, { expected: /ERR_FAILED/, isUnseen: true }, async page => {
    const lost = route => (route.request().postData()?.includes('query Jobs') ? route.abort() : route.continue());
    await page.route('**/graphql', lost);
    await page.goto(`${server.base}/console/jobs`);
    const alert = page.getByRole('alert').filter({ hasText: 'The jobs could not be loaded' });
    await alert.waitFor();
    await accessibleInBoth(page, 'a list that could not be loaded');
    await page.unroute('**/graphql', lost);
    await alert.getByRole('button', { name: 'Retry' }).click();
    await lists(page, 'gamma.csv', 'beta.csv', 'Alpha.csv');
  }));
