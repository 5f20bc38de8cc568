// Retention in the console: the policy in words, what is due, a run of exactly that, and what was done.
//   JOBLINK_PROGRAM=target/debug/joblink node --test console-retention.mjs
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
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

const row = (page, id) => page.locator(`[data-job-id="${id}"]`);
const dialog = page => page.getByRole('alertdialog').filter({ has: page.getByRole('heading') });
const toast = (page, text) => page.getByRole('region', { name: /News/ }).getByText(text).waitFor();
const due = page => page.getByRole('grid', { name: 'What would be done' });
const focused = page => page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? '');
const tabTo = async (page, name) => {
  for (let keys = 0; (await focused(page)) !== name; keys++) {
    assert.ok(keys < 60, `the keyboard does not come to ${name}`);
    await page.keyboard.press('Tab');
  }
};

const status = async id => (await server.ask('query($id: ID!) { job(id: $id) { status dataCleanedAt } }', { id })).job;
const runs = async () => (await server.ask('{ retentionRuns { nodes { id finishedAt cleaned deleted failed bytesFreed } } }')).retentionRuns.nodes;

/** A completed job that is due to be cleaned, and a failed one that is due to be deleted. */
async function dueJobs(name, rows = 3) {
  const completed = await server.upload(`${name} completed.csv`, rows);
  const failed = await server.upload(`${name} failed.csv`, 2, { bad: 2 });
  await server.until(completed, 'COMPLETED');
  await server.until(failed, 'FAILED');
  server.age(200, completed);
  server.age(20, failed);
  return { completed, failed };
}

test('where nothing is due and nothing ever ran, that is said, with the policy in words', () =>
  using(server, {}, async page => {
    await page.goto(`${server.base}/console/retention`);
    await page.getByRole('heading', { name: 'Nothing is due' }).waitFor();
    assert.equal(await page.title(), 'Retention · Joblink');
    const policy = page.getByRole('region', { name: 'Policy' });
    await policy.getByText('Cleaned 7 days after their end').waitFor();
    assert.equal(await policy.getByText('Deleted 12 hours after their end').count(), 2);
    await policy.getByText('Their predictions stay and lose their link').first().waitFor();
    await policy.getByText('So are jobs of an earlier program.').waitFor();
    assert.ok(await page.getByRole('button', { name: 'Run Retention' }).isDisabled());
    await accessibleInBoth(page, 'nothing due');
    await page.getByRole('link', { name: 'Past runs' }).click();
    await page.getByRole('heading', { name: 'No run yet' }).waitFor();
    await accessibleInBoth(page, 'no run');
    await page.setViewportSize({ width: 360, height: 740 });
    await fits(page, 'no run');
  }));

test('what is shown is what is done, by the keyboard alone, and what was done is listed', () =>
  using(server, {}, async page => {
    const { completed, failed } = await dueJobs('shown');
    const held = await server.upload('held.csv', 2);
    await server.until(held, 'COMPLETED');
    server.age(200, held);
    await server.ask('mutation($id: ID!) { holdJob(id: $id, reason: "an audit") { userErrors { message } } }', { id: held });
    await page.goto(`${server.base}/console/retention`);
    await row(page, completed).getByText('Completed jobs are cleaned 7 days after their end').waitFor();
    await row(page, completed).getByText('3 files').waitFor();
    await row(page, failed).getByText('Failed jobs are deleted 12 hours after their end').waitFor();
    assert.equal(await row(page, held).count(), 0);
    const dryRun = page.getByRole('region', { name: 'Dry run' });
    assert.deepEqual(await dryRun.locator('.sums dd').allInnerTexts().then(texts => texts.slice(0, 2)), ['1 job', '1 job']);
    await accessibleInBoth(page, 'what is due');
    await page.setViewportSize({ width: 360, height: 740 });
    await fits(page, 'what is due');
    await page.setViewportSize({ width: 1280, height: 800 });

    // It becomes due while the question is asked: it was not shown, so it stays.
    await tabTo(page, 'Run Retention');
    await page.keyboard.press('Enter');
    await dialog(page).getByText('cleans 1 job and deletes 1 job').waitFor();
    const later = await server.upload('later.csv', 2, { bad: 2 });
    await server.until(later, 'FAILED');
    server.age(12, later);
    await accessibleInBoth(page, 'the question before a run');
    await page.setViewportSize({ width: 360, height: 740 });
    await fits(page, 'the question before a run');
    await page.setViewportSize({ width: 1280, height: 800 });
    assert.ok(await page.evaluate(() => !document.activeElement.matches('.danger')), 'the destructive button has the focus');
    await page.keyboard.press('Escape');
    await dialog(page).waitFor({ state: 'detached' });
    assert.deepEqual(await runs(), []);
    await page.waitForFunction(() => document.activeElement?.textContent === 'Run Retention');
    await page.keyboard.press('Enter');
    await dialog(page).waitFor();
    await tabTo(page, 'Run Retention');
    await page.keyboard.press('Enter');
    await dialog(page).getByRole('heading', { name: 'Retention has run' }).waitFor();
    await dialog(page).getByText('1 job cleaned, 1 job deleted').waitFor();
    await accessibleInBoth(page, 'a run that has ended');

    const [run] = await runs();
    assert.deepEqual([run.cleaned, run.deleted, run.failed], [1, 1, 0]);
    assert.notEqual((await status(completed)).dataCleanedAt, null);
    assert.equal(await status(failed), null);
    assert.equal((await status(later)).status, 'FAILED', 'what was not shown was done');
    assert.equal((await status(held)).dataCleanedAt, null);

    await tabTo(page, 'Show What Was Done');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'What it did' }).waitFor();
    await row(page, completed).getByText('Cleaned', { exact: true }).waitFor();
    await row(page, failed).getByText('Deleted', { exact: true }).waitFor();
    await page.locator('.sums').getByText('Local user', { exact: true }).waitFor();
    assert.equal(await page.getByRole('link', { name: 'Past runs' }).getAttribute('aria-current'), 'true');
    await accessibleInBoth(page, 'a run');
    await page.setViewportSize({ width: 360, height: 740 });
    await fits(page, 'a run');
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.getByRole('link', { name: 'shown failed.csv, its receipt' }).click();
    await page.getByText('By the retention policy').waitFor();

    // The audit log says of it what people read.
    await page.goto(`${server.base}/console/audit`);
    const entry = action => page.locator('[data-row-id]').filter({ hasText: action });
    await entry('Retention run').getByText(/^1 job cleaned, 1 job deleted, .* kB freed$/).waitFor();
    await entry('Clean job').getByText(/^3 files of .* removed; Retention: completed jobs are cleaned 7 days after their end$/).waitFor();
    await entry('Clean job').getByRole('link', { name: 'shown completed.csv', exact: true }).waitFor();
    await entry('Delete job').getByText('It had no predictions', { exact: true }).waitFor();
    await entry('Delete job').getByRole('link', { name: 'shown failed.csv', exact: true }).waitFor();

    await page.goto(`${server.base}/console/retention/runs`);
    await page.getByRole('grid', { name: 'Runs' }).getByText('Local user', { exact: true }).first().waitFor();
    await accessibleInBoth(page, 'past runs');
    await page.setViewportSize({ width: 360, height: 740 });
    await fits(page, 'past runs');
    await page.goto(`${server.base}/console/retention/runs/${completed}`);
    await page.getByRole('heading', { name: 'No such run' }).waitFor();
    await server.ask('mutation($id: ID!) { deleteJob(id: $id) { deletedJobId } }', { id: later });
  }));

test('a job that could not be dealt with is counted and says why, and the next run tries again', () =>
  using(server, {}, async page => {
    const { completed, failed } = await dueJobs('refused');
    server.database.change('CREATE TABLE in_the_way (job uuid REFERENCES bulk_upload_jobs (id))');
    server.database.insert('in_the_way', [{ job: failed }]);
    await page.goto(`${server.base}/console/retention`);
    await row(page, failed).waitFor();
    await page.getByRole('button', { name: 'Run Retention' }).click();
    await dialog(page).getByRole('button', { name: 'Run Retention' }).dblclick();
    await dialog(page).getByText('1 job cleaned, 1 job failed').waitFor();
    await dialog(page).getByText('1 job could not be dealt with').waitFor();
    await accessibleInBoth(page, 'a run that failed for a job');
    assert.equal((await runs()).length, 2, 'a double click began two runs');
    await dialog(page).getByRole('link', { name: 'Show what was done' }).click();
    await row(page, failed).getByText('Failed', { exact: true }).last().waitFor();
    assert.ok((await row(page, failed).locator('.job-error').innerText()).length > 10);
    await row(page, completed).getByText('Cleaned', { exact: true }).waitFor();
    await accessibleInBoth(page, 'what failed');

    server.database.change('DROP TABLE in_the_way');
    await page.getByRole('link', { name: 'Policy and what is due' }).click();
    await row(page, failed).waitFor();
    await page.getByRole('button', { name: 'Run Retention' }).click();
    await dialog(page).getByRole('button', { name: 'Run Retention' }).click();
    await dialog(page).getByText('1 job deleted').waitFor();
    await page.getByRole('heading', { name: 'Nothing is due' }).waitFor();
    assert.equal(await status(failed), null);
  }));

test('many due jobs are shown in pages, and a run is followed to its end', () =>
  using(server, {}, async page => {
    const jobs = [];
    for (let at = 0; at < 60; at++) jobs.push(await server.upload(`page ${at}.csv`, 1, { bad: 1 }));
    for (const id of jobs) await server.until(id, 'FAILED');
    server.age(20, ...jobs);
    await page.goto(`${server.base}/console/retention`);
    await page.getByText('1–50 of 60').waitFor();
    const first = await due(page).locator('[data-job-id]').first().getAttribute('data-job-id');
    await page.getByRole('button', { name: 'Next page' }).click();
    await page.getByText('51–60 of 60').waitFor();
    await page.getByRole('button', { name: 'Previous page' }).click();
    await row(page, first).waitFor();
    await page.getByRole('button', { name: 'Run Retention' }).click();
    await dialog(page).getByText('deletes 60 jobs').waitFor();
    await dialog(page).getByRole('button', { name: 'Run Retention' }).click();
    await dialog(page).getByText('60 jobs deleted').waitFor();
    await dialog(page).getByRole('button', { name: 'Close' }).click();
    await page.getByRole('heading', { name: 'Nothing is due' }).waitFor();
    const [run] = await runs();
    await page.goto(`${server.base}/console/retention/runs/${run.id}`);
    await page.getByText('1–50 of 60').waitFor();
    // All of them are gone, and are called by their names all the same.
    await page.waitForFunction(() => [...document.querySelectorAll('[data-job-id]')].every(row => /page \d+\.csv/.test(row.textContent)));
  }));

test('a run that another server is at is shown, and told when it has ended', () =>
  using(server, {}, async page => {
    // As that server's row says: it has been claimed, and has done a part.
    const [last] = await runs();
    const next = (BigInt(`0x${last.id.replaceAll('-', '')}`) + 1n).toString(16).padStart(32, '0');
    const id = next.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    const kept = 'started_at, at, policy, bytes_freed';
    const set = 'finished_at, triggered_by, cleaned, deleted, failed, lease_token, lease_expires_at';
    server.database.change(
      `INSERT INTO retention_runs (id, ${kept}, ${set})
       SELECT $1, ${kept}, NULL, 'schedule', 2, 1, 0, $2, '2999-01-01 00:00:00+00:00' FROM retention_runs WHERE id = $3`,
      id,
      last.id,
      last.id,
    );
    await page.goto(`${server.base}/console/retention`);
    await page.getByText('A run is under way').waitFor();
    await page.getByText('3 jobs so far').waitFor();
    assert.ok(await page.getByRole('button', { name: 'Run Retention' }).isDisabled());
    await accessibleInBoth(page, 'a run under way');
    await page.setViewportSize({ width: 360, height: 740 });
    await fits(page, 'a run under way');
    await page.setViewportSize({ width: 1280, height: 800 });
    const change = to => server.database.change(`UPDATE retention_runs SET ${to} WHERE id = $1`, id);
    change('deleted = 4');
    await page.getByText('6 jobs so far').waitFor();
    change('deleted = 5, finished_at = started_at, lease_token = NULL, lease_expires_at = NULL');
    await toast(page, 'Retention has run');
    await toast(page, '2 jobs cleaned, 5 jobs deleted');
    await page.getByText('A run is under way').waitFor({ state: 'detached' });
    await page.goto(`${server.base}/console/retention/runs/${id}`);
    await page.locator('.sums').getByText(/Schedule|schedule/).waitFor();
  }));

test('a server that is away is said, and a run that was asked for is asked for again', () =>
  using(server, { expected: /ERR_CONNECTION|WebSocket/ }, async page => {
    const { failed } = await dueJobs('away');
    await page.goto(`${server.base}/console/retention`);
    await row(page, failed).waitFor();
    await page.getByRole('button', { name: 'Run Retention' }).click();
    await dialog(page).getByText('deletes 1 job').waitFor();
    await server.stop();
    await dialog(page).getByRole('button', { name: 'Run Retention' }).click();
    await dialog(page).getByRole('alert').getByText('The server cannot be reached.').waitFor();
    await accessibleInBoth(page, 'a run that was not begun');
    await server.begin();
    await dialog(page).getByRole('button', { name: 'Retry: Run Retention' }).click();
    await dialog(page).getByText('1 job cleaned, 1 job deleted').waitFor();
    assert.equal(await status(failed), null);
  }));

test('a policy that cannot be read is asked for again', () =>
  using(server, { expected: /ERR_FAILED/ }, async page => {
    const isOfRetention = route => (route.request().postData() ?? '').includes('query Retention');
    await page.route('**/graphql', route => (isOfRetention(route) ? route.abort() : route.continue()));
    await page.goto(`${server.base}/console/retention`);
    await page.getByRole('alert').getByText('The server cannot be reached.').waitFor();
    await accessibleInBoth(page, 'a policy that cannot be read');
    await page.unroute('**/graphql');
    await page.getByRole('button', { name: 'Retry' }).click();
    await page.getByRole('heading', { name: 'Nothing is due' }).waitFor();
  }));

test('who is no operator is told whom to ask', () =>
  using(signed, { expected: /status of 401/ }, async page => {
    const { id } = signed.user('mary', 'member');
    await page.goto(`${signed.base}/console/retention`);
    await page.getByRole('textbox', { name: 'Bearer token' }).fill(signed.token(id, 'member'));
    await page.getByRole('button', { name: 'Sign In' }).click();
    await page.getByRole('heading', { name: 'Only operators see the retention policy and run it' }).waitFor();
    await accessibleInBoth(page, 'no operator');
    await page.getByText('Ask an operator of the server for what you need from it, or for the role.').waitFor();
    assert.equal(await page.getByRole('link', { name: 'Past runs' }).count(), 0);
    await page.goto(`${signed.base}/console/retention/runs`);
    await page.getByRole('textbox', { name: 'Bearer token' }).fill(signed.token(id, 'member'));
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Only operators see the runs' }).waitFor();
    assert.equal(await page.getByRole('link', { name: 'Policy and what is due' }).count(), 0);
    await accessibleInBoth(page, 'no operator, past runs');
    await page.setViewportSize({ width: 360, height: 740 });
    await fits(page, 'no operator');
  }));
