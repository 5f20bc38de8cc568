// The page of a job in the console: all that is told of it, what can be done with it there, and what becomes of the page.
//   JOBLINK_PROGRAM=target/debug/joblink node --test console-job.mjs
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { accessibleInBoth, browser, fits, open, Server } from './console-world.mjs';

let chromium;
let server;
let signed;
/** People of `signed`, all of one organization, by what they are called: their tokens. */
const people = {};

before(async () => {
  [chromium, server, signed] = await Promise.all([browser(), Server.start('--workers', '1'), Server.start('--auth', 'jwt')]);
  const organization = signed.organization('One');
  for (const [name, role] of Object.entries({ owner: 'member', colleague: 'member', administrator: 'org_admin' })) {
    const id = signed.person({ username: name, full_name: `The ${name}`, organization_id: organization });
    people[name] = { id, token: signed.token(id, role, 1, organization) };
  }
});
after(() => Promise.all([chromium?.close(), server?.end(), signed?.end()]));

async function using(server, options, use) {
  const { page, problems, origins } = await open(chromium, options);
  await use(page);
  await page.context().close();
  assert.deepEqual(problems, []);
  assert.deepEqual([...origins], [new URL(server.base).host], 'a request to another origin');
}

const refused = /status of 401/;
const go = (page, of, id) => page.goto(`${of.base}/console/jobs/${id}`);
const title = (page, text) => page.getByRole('heading', { level: 1, name: text, exact: true });
const region = (page, name) => page.getByRole('region', { name });
const dialog = page => page.getByRole('alertdialog').filter({ has: page.getByRole('heading') });
const toast = (page, text) => page.getByRole('region', { name: /News/ }).getByText(text).waitFor();
const button = (page, name) => page.getByRole('button', { name, exact: true });
/** What stands beside a word in a list of facts. */
const fact = (page, term) => page.locator(`dt:text-is("${term}") + dd`);

async function signIn(page, of, id, { token }) {
  await go(page, of, id);
  await page.getByRole('textbox', { name: 'Bearer token' }).fill(token);
  await button(page, 'Sign In').click();
}

async function ended(of, name, rows, options = {}, status = 'COMPLETED') {
  const id = await of.upload(name, rows, options);
  await of.until(id, status, options.token);
  return id;
}

/** A job that a worker is at for some time. */
async function running(name) {
  const id = await server.upload(name, 100_000);
  await server.until(id, 'RUNNING');
  return id;
}

test('all that is known of a job is on its page, wide and narrow, in light and dark', () =>
  using(server, {}, async page => {
    const id = await ended(server, 'all of it.csv', 130, { bad: 15 });
    await page.goto(`${server.base}/console/jobs`);
    await page.getByRole('link', { name: 'all of it.csv' }).click();
    await title(page, 'all of it.csv').waitFor();
    assert.equal(new URL(page.url()).pathname, `/console/jobs/${id}`);
    assert.equal(await page.title(), 'all of it.csv · Joblink');
    await fact(page, 'Job').getByText(id).waitFor();
    assert.match(await fact(page, 'Rows').innerText(), /^130\s+130 read, 115 stored, 15 not stored$/);
    const phases = page.getByRole('list', { name: 'Phases' }).getByRole('listitem');
    const steps = (await phases.allInnerTexts()).map(text => text.split('\n')[0]);
    assert.deepEqual(steps, ['Created', 'Started', 'Completed']);

    const risks = page.getByRole('figure', { name: /Risk levels/ });
    await risks.getByText('of 115 predictions').waitFor();
    const counts = (await risks.getByRole('listitem').allInnerTexts()).map(text => text.replace(/\s+/g, ' ').trim());
    const { levels } = await server.ask(
      'query($id: ID!) { levels: quarterlyPredictions(filter: {jobId: $id, riskLevel: [LOW]}) { totalCount } }',
      { id },
    );
    assert.equal(counts.length, 4);
    assert.match(counts[0], new RegExp(`^Low below 2% ${levels.totalCount} `));

    const errors = page.getByRole('region', { name: '15 rows not stored' });
    assert.equal(await errors.getByRole('row').count(), 11);
    await errors.getByText('The first 10 are shown; the file has all of them.').waitFor();
    const files = region(page, 'Files');
    assert.deepEqual(await files.getByRole('rowheader').allInnerTexts(), ['Input', 'Results', 'Log']);
    const would = region(page, 'What deleting would do');
    await would.getByText('115 quarterly').waitFor();
    await would.getByText('115 created via bulk upload').waitFor();
    assert.match(await fact(would, 'Files').innerText(), /^3, .*kB$/);

    const predictions = region(page, 'Predictions');
    await predictions.getByText('1–50 of 115').waitFor();
    await accessibleInBoth(page, 'a job');
    await page.setViewportSize({ width: 360, height: 740 });
    await fits(page, 'a job');
    await accessibleInBoth(page, 'a narrow job');
    await page.setViewportSize({ width: 1280, height: 800 });
    const first = await predictions.getByRole('rowheader').first().innerText();
    await button(page, 'Next page').click();
    await predictions.getByText('51–100 of 115').waitFor();
    await page.reload();
    await predictions.getByText('51–100 of 115').waitFor();
    await button(page, 'Previous page').click();
    await predictions.getByText('1–50 of 115').waitFor();
    // Until the page is there the one before it is shown.
    await predictions.locator('.list-table:not(.behind)').waitFor();
    assert.equal(await predictions.getByRole('rowheader').first().innerText(), first);
    await page.getByRole('link', { name: 'Jobs' }).last().click();
    await title(page, 'Jobs').waitFor();
  }));

test('a job is followed while it is at work, is cancelled, frees its storage, and is run again', () =>
  using(server, {}, async page => {
    const id = await running('followed.csv');
    await go(page, server, id);
    await title(page, 'followed.csv').waitFor();
    const bar = page.getByRole('progressbar');
    const at = async () => Number(await bar.getAttribute('aria-valuenow'));
    const first = await at();
    for (const end = Date.now() + 20_000; (await at()) <= first; ) {
      assert.ok(Date.now() < end, 'the progress stands still');
      await page.waitForTimeout(50);
    }
    await region(page, 'What deleting would do').getByText('deleting it cancels it').waitFor();
    await page.getByText('Log and results follow when the job ends.').waitFor();
    await accessibleInBoth(page, 'a job at work');

    await button(page, 'Cancel Job').click();
    await dialog(page).getByLabel('Reason (optional)').fill('wrong file');
    await dialog(page).getByLabel('Notes (optional)').fill('The right one follows.');
    await button(page, 'Confirm Cancellation').click();
    await toast(page, 'Job cancelled successfully');
    await page.getByText('It can be deleted to free its storage.').waitFor();
    const cancellation = await fact(page, 'Cancellation').innerText();
    assert.ok(/wrong file\s+The right one follows\.\s+.*by Local user/.test(cancellation), cancellation);
    const phases = await page.getByRole('list', { name: 'Phases' }).getByRole('listitem').allInnerTexts();
    assert.deepEqual(phases.map(text => text.split('\n')[0]), ['Created', 'Started', 'Cancellation asked for', 'Cancelled']);
    await region(page, 'Files').getByText('results.csv').waitFor();
    await accessibleInBoth(page, 'a cancelled job');
    await page.setViewportSize({ width: 360, height: 740 });
    await fits(page, 'a cancelled job');
    await page.setViewportSize({ width: 1280, height: 800 });

    // A part of the file is stored: what becomes of that is said first.
    await button(page, 'Retry Job').click();
    const { job } = await server.ask('query($id: ID!) { job(id: $id) { progress { succeeded } } }', { id });
    const stored = job.progress.succeeded.toLocaleString('en-GB');
    await dialog(page).getByText(`It has stored ${stored} rows already: as long as their predictions are there, the new job reports these rows as errors`).waitFor();
    await accessibleInBoth(page, 'the question before a retry');
    await page.setViewportSize({ width: 360, height: 740 });
    await fits(page, 'the question before a retry');
    await page.setViewportSize({ width: 1280, height: 800 });
    await dialog(page).getByRole('button', { name: 'Retry Job' }).click();
    await toast(page, 'A new job runs the file again');
    const repeated = page.getByRole('region', { name: /News/ }).getByRole('link', { name: 'Show the job that it repeats' });
    assert.equal(await repeated.getAttribute('href'), `/console/jobs/${id}`);
    await page.waitForURL(url => url.pathname.startsWith('/console/jobs/') && !url.pathname.endsWith(id));
    const again = new URL(page.url()).pathname.split('/').at(-1);
    await fact(page, 'Job').getByText(again).waitFor();
    await server.ask('mutation($id: ID!) { deleteJob(id: $id, force: true, deletePredictions: true) { deletedJobId } }', { id: again });
    await title(page, 'This job was deleted').waitFor();
  }));

test('a job that is being cancelled says for how long', () =>
  using(server, {}, async page => {
    const id = await ended(server, 'slow to end.csv', 3);
    server.age(2, id);
    const now = new Date().toISOString().replace('T', ' ').replace('Z', '+00:00');
    // As the program of an existing installation leaves it, which nobody here ends.
    const cancelling = "origin = NULL, status = 'cancelling', completed_at = NULL, cancel_reason = 'user_request', cancelled_at = $1";
    server.database.change(`UPDATE bulk_upload_jobs SET ${cancelling} WHERE id = $2`, now, id);
    await go(page, server, id);
    const last = page.getByRole('list', { name: 'Phases' }).getByRole('listitem').last();
    await last.getByText('Cancelling', { exact: true }).waitFor();
    assert.match(await last.innerText(), /for (less than )?[\d.]+ s so far/);
    await server.ask('mutation($id: ID!) { deleteJob(id: $id, force: true) { deletedJobId } }', { id });
  }));

test('what is asked about a job at work stays as it is while the job goes on', () =>
  using(server, {}, async page => {
    const id = await running('goes on meanwhile.csv');
    await go(page, server, id);
    await button(page, 'Delete Job').click();
    const question = dialog(page);
    const confirms = question.getByRole('button', { name: 'Cancel & Delete' });
    await confirms.waitFor();
    await question.evaluate(node => {
      window.looks = 0;
      const count = () => (window.looks += node.querySelector('.dialog-skeleton') ? 1 : 0);
      new MutationObserver(count).observe(node, { childList: true, subtree: true });
    });
    await confirms.focus();
    // Progress is told twice a second.
    const progress = () => page.locator('.job-progress .progress-text').innerText();
    for (let changes = 0, seen = await progress(); changes < 4; ) {
      await page.waitForFunction(seen => document.querySelector('.job-progress .progress-text')?.innerText !== seen, seen);
      seen = await progress();
      changes++;
    }
    assert.equal(await page.evaluate(() => window.looks), 0, 'it was asked anew');
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Cancel & Delete', 'the focus is lost');
    await confirms.click();
    await toast(page, 'Job deleted successfully');
    await title(page, 'This job was deleted').waitFor();
  }));

test('what takes the server longer than news take is waited for all the same', () =>
  using(server, {}, async page => {
    const id = await running('slow to look up.csv');
    // The first preview is held back until the page has asked twice more for what the job makes.
    const lost = [];
    page.on('requestfailed', request => request.postData()?.includes('query DeletionPreview') && lost.push(request.url()));
    let asked = 0;
    let release;
    const held = new Promise(resolve => (release = resolve));
    let isFirst = true;
    await page.route('**/graphql', async route => {
      const text = route.request().postData() ?? '';
      if (text.includes('query JobPredictions') && ++asked === 4) release();
      if (text.includes('query DeletionPreview') && isFirst) {
        isFirst = false;
        await held;
      }
      await route.continue().catch(() => {});
    });
    await go(page, server, id);
    await region(page, 'What deleting would do').getByText('deleting it cancels it').waitFor();
    assert.deepEqual(lost, [], 'an answer was dropped');
    assert.ok(asked >= 4, 'it was not waited for');
    await server.ask('mutation($id: ID!) { deleteJob(id: $id, force: true, deletePredictions: true) { deletedJobId } }', { id });
    await title(page, 'This job was deleted').waitFor();
  }));

test('a failed job says why, and the list runs it again too', () =>
  using(server, {}, async page => {
    const id = await ended(server, 'all bad.csv', 4, { bad: 4 }, 'FAILED');
    await go(page, server, id);
    await page.getByText('No row could be stored').first().waitFor();
    await region(page, 'Predictions').getByText('None is linked to this job.').waitFor();
    await accessibleInBoth(page, 'a failed job');
    await page.goto(`${server.base}/console/jobs?q=${id}`);
    await page.locator(`[data-job-id="${id}"]`).getByRole('button', { name: /^Actions for/ }).click();
    await page.getByRole('menuitem', { name: 'Retry Job' }).click();
    await page.waitForURL(url => /jobs\/[^/]+$/.test(url.pathname) && !url.pathname.endsWith(id));
    await title(page, 'all bad.csv').waitFor();
  }));

test('files are downloaded with the sign-in, and what is in the way is said', () =>
  using(signed, { expected: /status of 40[14]/ }, async page => {
    const { token } = people.owner;
    const id = await ended(signed, 'to be fetched.csv', 9, { token, bad: 2 });
    await signIn(page, signed, id, people.owner);
    await title(page, 'to be fetched.csv').waitFor();
    const { job } = await signed.ask('query($id: ID!) { job(id: $id) { artifacts { id kind name size sha256 } } }', { id }, token);
    for (const { name, size, sha256 } of job.artifacts.filter(({ kind }) => kind !== 'LOG')) {
      const [download] = await Promise.all([page.waitForEvent('download'), button(page, `Download ${name}`).click()]);
      assert.equal(download.suggestedFilename(), name);
      const bytes = await readFile(await download.path());
      assert.equal(bytes.length, size);
      assert.equal(createHash('sha256').update(bytes).digest('hex'), sha256);
    }
    await rm(join(signed.folder, 'artifacts', 'jobs', id, 'output'), { recursive: true });
    await button(page, 'Download job.log').click();
    await page.getByRole('alert').getByText('job.log could not be downloaded. The file is gone from the artifact store.').waitFor();
    await accessibleInBoth(page, 'a download that failed');
  }));

test('an administrator puts a job on hold and lifts that; a member is told whom to ask', () =>
  using(signed, { expected: refused }, async page => {
    const id = await ended(signed, 'to be held.csv', 3, { token: people.owner.token });
    await signIn(page, signed, id, people.administrator);
    await button(page, 'Put on Hold').click();
    const question = dialog(page);
    assert.equal(await question.getByRole('heading').innerText(), 'Put Job on Hold?');
    const puts = question.getByRole('button', { name: 'Put on Hold' });
    assert.ok(await puts.isDisabled(), 'without a reason');
    const reason = question.getByLabel('Reason');
    assert.ok(await reason.evaluate(field => field === document.activeElement), 'the dialog begins elsewhere');
    await reason.fill('é'.repeat(501));
    await question.getByText('501 of 500 characters').waitFor();
    assert.ok(await puts.isDisabled(), 'with too long a reason');
    await reason.fill('an audit');
    await accessibleInBoth(page, 'the question before a hold');
    await page.setViewportSize({ width: 360, height: 740 });
    await fits(page, 'the question before a hold');
    await page.setViewportSize({ width: 1280, height: 800 });
    await puts.click();
    await toast(page, 'Job put on hold');
    const would = region(page, 'What deleting would do');
    assert.match(await fact(would, 'On hold').innerText(), /^an audit\s+Since .*by The administrator\. Nobody can delete the job until the hold is lifted\.$/);
    assert.ok(await button(page, 'Delete Job').isDisabled());
    await page.locator('#why-not').getByText('On hold: an audit. An administrator can lift the hold.').waitFor();
    assert.equal(await button(page, 'Remove Files').count(), 0);
    await accessibleInBoth(page, 'a held job');

    const other = await open(chromium, { expected: refused });
    await signIn(other.page, signed, id, people.owner);
    await region(other.page, 'What deleting would do').getByText('An administrator can lift it.').waitFor();
    assert.equal(await button(other.page, 'Lift Hold').count(), 0);
    assert.equal(await button(other.page, 'Put on Hold').count(), 0);
    assert.deepEqual(other.problems, []);
    await other.page.context().close();

    await button(page, 'Lift Hold').click();
    await question.getByText('It is on hold because: an audit').waitFor();
    await accessibleInBoth(page, 'the question before a hold is lifted');
    await question.getByRole('button', { name: 'Lift Hold' }).click();
    await toast(page, 'Hold lifted');
    await would.getByText('3 quarterly').waitFor();
    await page.locator('#why-not').waitFor({ state: 'detached' });
    assert.ok(await button(page, 'Delete Job').isEnabled());
  }));

test('who may only look is told whom to ask, also where the rights end while a dialog is open', () =>
  using(signed, { expected: refused }, async page => {
    const id = await ended(signed, 'not for all.csv', 3, { token: people.owner.token });
    await signIn(page, signed, id, people.colleague);
    await page.getByText('You may not delete this job. Ask The owner, or an administrator of your organization.').waitFor();
    const would = region(page, 'What deleting would do');
    await would.getByText('Ask its creator, or an administrator of your organization.').waitFor();
    for (const name of ['Delete Job', 'Cancel Job', 'Retry Job', 'Remove Files', 'Put on Hold']) assert.equal(await button(page, name).count(), 0, name);
    await button(page, 'Download results.csv').waitFor();
    await accessibleInBoth(page, 'a job of somebody else');

    // The job gets another owner, as an older program may do it, between the question and the answer.
    const other = await open(chromium, { expected: refused });
    await signIn(other.page, signed, id, people.owner);
    await button(other.page, 'Remove Files').click();
    signed.database.change('UPDATE bulk_upload_jobs SET user_id = $1 WHERE id = $2', people.colleague.id, id);
    const question = dialog(other.page);
    await question.getByRole('button', { name: 'Remove Files' }).click();
    const said = /^Only the job's creator or an administrator of the organization may clean it\. Ask its creator, or an administrator of your organization\.$/;
    await question.getByRole('alert').getByText(said).waitFor();
    await accessibleInBoth(other.page, 'a refusal');
    assert.deepEqual(other.problems, []);
    await other.page.context().close();
  }));

test('the files of a job are removed, and the job stays', () =>
  using(server, {}, async page => {
    const id = await ended(server, 'to be cleaned.csv', 5, { bad: 5 }, 'FAILED');
    await go(page, server, id);
    await button(page, 'Remove Files').click();
    const question = dialog(page);
    await question.getByText('Without its input the job cannot be retried.').waitFor();
    await question.getByText('This action cannot be undone.').waitFor();
    await accessibleInBoth(page, 'the question before files are removed');
    await page.keyboard.press('Escape');
    await question.waitFor({ state: 'detached' });
    await page.waitForFunction(() => document.activeElement?.textContent === 'Remove Files');
    await page.keyboard.press('Enter');
    await question.getByRole('button', { name: 'Remove Files' }).dblclick();
    await toast(page, 'Files removed');
    await region(page, 'Files').getByText(/^3 files of .* were removed on .* at/).waitFor();
    await button(page, 'Retry Job').waitFor({ state: 'detached' });
    await page.getByRole('region', { name: '5 rows not stored' }).waitFor();
    await accessibleInBoth(page, 'a job without files');
    assert.ok(await page.evaluate(() => document.activeElement.id === 'content'), 'the focus is lost');
  }));

test('a job is deleted on its page by the keyboard alone, and its receipt is there', () =>
  using(server, {}, async page => {
    const id = await ended(server, 'deleted here.csv', 6);
    await go(page, server, id);
    await button(page, 'Delete Job').waitFor();
    const tabTo = async text => {
      for (let tabs = 0; (await page.evaluate(() => document.activeElement?.textContent)) !== text; tabs++) {
        assert.ok(tabs < 40, `"${text}" cannot be reached`);
        await page.keyboard.press('Tab');
      }
    };
    await tabTo('Delete Job');
    await page.keyboard.press('Enter');
    await dialog(page).getByText('6 quarterly').waitFor();
    while (!(await page.evaluate(() => document.activeElement.type === 'checkbox'))) await page.keyboard.press('Tab');
    await page.keyboard.press('Space');
    await dialog(page).getByText('1 job and 6 predictions').waitFor();
    await tabTo('Delete Permanently');
    await page.keyboard.press('Enter');
    await toast(page, 'Job deleted successfully');
    await title(page, 'This job was deleted').waitFor();
    await page.getByText(/deleted here\.csv was deleted on .* at .* by Local user\./).waitFor();
    await accessibleInBoth(page, 'a job that was deleted');
    await page.setViewportSize({ width: 360, height: 740 });
    await fits(page, 'a job that was deleted');
    await page.getByRole('main').getByRole('link', { name: 'Show the receipt' }).click();
    await page.getByText('6 quarterly deleted').waitFor();
    await page.goBack();
    await title(page, 'This job was deleted').waitFor();
  }));

test('a job that is deleted elsewhere says so while it is watched, and one that never was says that', () =>
  using(server, {}, async page => {
    const id = await ended(server, 'watched.csv', 3);
    await go(page, server, id);
    await title(page, 'watched.csv').waitFor();
    await page.getByRole('status', { name: 'Connection', exact: true }).getByText('Live').waitFor();
    await server.ask('mutation($id: ID!) { deleteJob(id: $id) { deletedJobId } }', { id });
    await title(page, 'This job was deleted').waitFor();
    await go(page, server, 'nobody');
    await title(page, 'No such job').waitFor();
    await accessibleInBoth(page, 'no job');
    await go(page, server, '%');
    await title(page, 'No such job').waitFor();
  }));

test('a page keeps what it shows while the server is gone, and shows what happened when it is back', () =>
  using(server, { expected: /ERR_CONNECTION|WebSocket|ERR_FAILED/, isUnseen: true }, async page => {
    const id = await ended(server, 'stays.csv', 3);
    const lost = route => (route.request().postData()?.includes('query Job(') ? route.abort() : route.continue());
    await page.route('**/graphql', lost);
    await go(page, server, id);
    const alert = page.getByRole('alert').filter({ hasText: 'The job could not be loaded' });
    await alert.waitFor();
    await accessibleInBoth(page, 'a job that could not be loaded');
    await page.unroute('**/graphql', lost);
    await alert.getByRole('button', { name: 'Retry' }).click();
    await title(page, 'stays.csv').waitFor();
    await region(page, 'Predictions').getByText('1–3 of 3').waitFor();
    await region(page, 'What deleting would do').getByText('3 quarterly').waitFor();
    await page.getByRole('status', { name: 'Connection', exact: true }).getByText('Live').waitFor();

    await server.stop();
    await page.getByText(/The server cannot be reached. Trying again every \d+ seconds./).waitFor();
    await title(page, 'stays.csv').waitFor();
    await region(page, 'Predictions').getByText('1–3 of 3').waitFor();
    await accessibleInBoth(page, 'a job without a server');
    await server.begin();
    await server.ask('mutation($id: ID!) { deleteJob(id: $id) { deletedJobId } }', { id });
    await button(page, 'Try Now').click({ timeout: 2000 }).catch(() => {});
    await title(page, 'This job was deleted').waitFor();
  }));
