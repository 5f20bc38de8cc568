// Deleting and cancelling jobs in the console: what is shown before, what is done, and what is said afterwards.
//   JOBLINK_PROGRAM=target/debug/joblink node --test console-delete.mjs
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { accessibleInBoth, browser, fits, open, Server } from './console-world.mjs';

let chromium;
let server;
let signed;
before(async () => {
  [chromium, server, signed] = await Promise.all([browser(), Server.start('--workers', '1'), Server.start('--auth', 'jwt')]);
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
const receipt = async (of, jobId, token) =>
  (await of.ask('query($jobId: ID!) { deletionReceipt(jobId: $jobId) { deletedQuarterlyPredictions releasedPredictions force jobStatus } }', { jobId }, token)).deletionReceipt;

/** A job that has ended, with as many predictions. */
async function ended(name, rows) {
  const id = await server.upload(name, rows);
  await server.until(id, 'COMPLETED');
  return id;
}

/** A job that a worker is at for some time. */
async function running(name) {
  const id = await server.upload(name, 100_000);
  await server.until(id, 'RUNNING');
  return id;
}

/** Makes a job active, as the program of an existing installation may do it beside this one: nobody here goes on with it. */
const makeActive = id => server.database.change("UPDATE bulk_upload_jobs SET status = 'processing', origin = 'adopted' WHERE id = $1", id);

async function act(page, id, name) {
  await row(page, id).getByRole('button', { name: /^Actions for/ }).click();
  await page.getByRole('menuitem', { name }).click();
}

const focused = page => page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? '');
/** The focus comes where it belongs within some frames. */
const focusOn = (page, selector) =>
  page.waitForFunction(selector => document.activeElement?.matches(selector), selector, { timeout: 5000 });

test('a job is deleted with its predictions by the keyboard alone', () =>
  using(server, {}, async page => {
    const [first, id] = [await ended('stays.csv', 2), await ended('by keyboard.csv', 20)];
    await page.goto(`${server.base}/console/jobs?q=y`);
    await row(page, id).waitFor();
    await row(page, id).focus();
    for (let keys = 0; !(await focused(page)).startsWith('Actions for'); keys++) {
      assert.ok(keys < 12, 'the actions cannot be reached');
      await page.keyboard.press('ArrowRight');
    }
    await page.keyboard.press('Enter');
    await page.getByRole('menuitem', { name: 'Delete Job' }).waitFor();
    await accessibleInBoth(page, 'the actions of a job');
    await page.keyboard.press('Enter');
    const question = dialog(page);
    await question.getByText('This deletes 1 job').waitFor();
    assert.equal(await question.getByRole('heading').innerText(), 'Delete Job?');
    await question.getByText('This action cannot be undone.').waitFor();
    await question.getByText('20 created via bulk upload').waitFor();
    await accessibleInBoth(page, 'the question before a deletion');

    // The focus stays in it; Enter deletes nothing unless the button has the focus; Escape answers no.
    await page.keyboard.press('Enter');
    const inside = () => page.evaluate(() => document.activeElement.closest('[role=alertdialog]') !== null);
    for (let tabs = 0; tabs < 8; tabs++) {
      await page.keyboard.press('Tab');
      assert.ok(await inside(), 'the focus left the dialog');
    }
    await page.keyboard.press('Escape');
    await question.waitFor({ state: 'detached' });
    await focusOn(page, `[data-job-id="${id}"] button.more`);
    await row(page, id).waitFor();

    await page.keyboard.press('Enter');
    await page.getByRole('menuitem', { name: 'Delete Job' }).waitFor();
    await page.keyboard.press('Enter');
    await question.getByText('20 quarterly').waitFor();
    while (!(await page.evaluate(() => document.activeElement.type === 'checkbox'))) await page.keyboard.press('Tab');
    await page.keyboard.press('Space');
    await question.getByText('1 job and 20 predictions').waitFor();
    while ((await focused(page)) !== 'Delete Permanently') await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await toast(page, 'Job deleted successfully');
    await accessibleInBoth(page, 'the news of a deletion');
    await row(page, id).waitFor({ state: 'detached' });
    await focusOn(page, `[data-job-id="${first}"]`);
    assert.equal((await receipt(server, id)).deletedQuarterlyPredictions, 20);

    await page.getByRole('link', { name: 'Show the receipt' }).click();
    await page.getByRole('heading', { name: 'Deletion receipt' }).waitFor();
    await page.getByText('20 quarterly deleted').waitFor();
    await page.getByText('that nothing is left').waitFor();
    await accessibleInBoth(page, 'a receipt');
    await page.setViewportSize({ width: 360, height: 740 });
    await fits(page, 'a receipt');
    await page.goto(`${server.base}/console/receipts/${first}`);
    await page.getByRole('heading', { name: 'No such receipt' }).waitFor();
    await accessibleInBoth(page, 'no receipt');
  }));

test('without the predictions they are kept, and a double click deletes once', () =>
  using(server, {}, async page => {
    const id = await ended('released.csv', 5);
    let sent = 0;
    page.on('request', request => (sent += request.postData()?.includes('mutation DeleteJob') ? 1 : 0));
    await page.goto(`${server.base}/console`);
    await act(page, id, 'Delete Job');
    await page.getByText('They lose their link to the job for good.').waitFor();
    await page.getByRole('button', { name: 'Delete Permanently' }).dblclick();
    await toast(page, 'Job deleted successfully');
    assert.equal(sent, 1);
    assert.deepEqual(await receipt(server, id), { deletedQuarterlyPredictions: 0, releasedPredictions: 5, force: false, jobStatus: 'COMPLETED' });
  }));

test('news go after five seconds, but not while somebody points at them or has the focus among them', () =>
  using(server, {}, async page => {
    const id = await ended('news.csv', 1);
    await page.clock.install();
    await page.goto(`${server.base}/console`);
    await act(page, id, 'Delete Job');
    await dialog(page).getByText('This deletes 1 job').waitFor();
    await page.clock.pauseAt(Date.now() + 1000);
    await page.getByRole('button', { name: 'Delete Permanently' }).click();
    const news = page.getByRole('region', { name: /News/ }).getByText('Job deleted successfully');
    await news.hover();
    await page.clock.runFor(10_000);
    assert.ok(await news.isVisible(), 'they are gone while somebody points at them');
    await page.getByRole('link', { name: 'Show the receipt' }).focus();
    await page.mouse.move(0, 0);
    await page.clock.runFor(10_000);
    assert.ok(await news.isVisible(), 'they are gone while they have the focus');
    await page.getByRole('main').focus();
    await page.clock.runFor(4000);
    assert.ok(await news.isVisible(), 'they are gone too soon');
    await page.clock.runFor(1500);
    await news.waitFor({ state: 'detached' });
  }));

test('above a thousand predictions their number is typed', () =>
  using(server, { viewport: { width: 360, height: 740 } }, async page => {
    const id = await ended('many.csv', 1234);
    await page.goto(`${server.base}/console`);
    await act(page, id, 'Delete Job');
    const button = page.getByRole('button', { name: 'Delete Permanently' });
    await page.getByText('Also delete the predictions it made').click();
    await page.getByText('1 job and 1,234 predictions').waitFor();
    assert.ok(await button.isDisabled());
    const field = page.getByLabel('Type 1,234, the number of predictions, to confirm');
    await field.fill('1233');
    assert.ok(await button.isDisabled());
    await field.fill('1,234');
    await field.press('Enter');
    await row(page, id).waitFor({ state: 'attached' });
    await fits(page, 'a question');
    await accessibleInBoth(page, 'a question to be typed at');
    await button.click();
    await toast(page, 'Job deleted successfully');
    assert.equal((await receipt(server, id)).deletedQuarterlyPredictions, 1234);
  }));

test('an active job is cancelled and deleted, with a warning', () =>
  using(server, {}, async page => {
    const id = await running('at work.csv');
    await server.progress(id, 1001);
    await page.goto(`${server.base}/console`);
    await act(page, id, 'Delete Job');
    await page.getByText('The job has not ended: deleting it cancels it.').waitFor();
    await accessibleInBoth(page, 'the question before an active job is deleted');
    // What it stores meanwhile goes with it.
    await page.getByText('Also delete the predictions it made').click();
    const [number] = (await page.getByText(/^Type /).innerText()).match(/[\d,]+\d/);
    await page.getByLabel(/^Type /).fill(number);
    const { job } = await server.ask('query($id: ID!) { job(id: $id) { progress { succeeded } } }', { id });
    await server.progress(id, job.progress.succeeded + 1);
    await page.getByRole('button', { name: 'Cancel & Delete' }).click();
    await toast(page, 'Job deleted successfully');
    const { force, deletedQuarterlyPredictions } = await receipt(server, id);
    assert.ok(force && deletedQuarterlyPredictions > job.progress.succeeded);
  }));

test('a stale preview is shown again instead of deleting', () =>
  using(server, {}, async page => {
    const id = await ended('stale.csv', 10);
    await page.goto(`${server.base}/console`);
    await act(page, id, 'Delete Job');
    await page.getByText('Also delete the predictions it made').click();
    await page.getByText('1 job and 10 predictions').waitFor();
    const { job } = await server.ask('query($id: ID!) { job(id: $id) { predictions(first: 1) { nodes { id } } } }', { id });
    await server.ask('mutation($ids: [ID!]!) { deletePredictions(ids: $ids) { deletedIds userErrors { message } } }', { ids: job.predictions.nodes.map(({ id }) => id) });
    const button = page.getByRole('button', { name: 'Delete Permanently' });
    await button.click();
    await page.getByText('The number of predictions has changed since it was shown.').waitFor();
    await page.getByText('1 job and 9 predictions').waitFor();
    await accessibleInBoth(page, 'a preview that was stale');
    assert.equal(await receipt(server, id), null);
    await button.click();
    await toast(page, 'Job deleted successfully');
    assert.equal((await receipt(server, id)).deletedQuarterlyPredictions, 9);
  }));

test('a job that somebody else has deleted is said, and taken away', () =>
  using(server, {}, async page => {
    const id = await ended('elsewhere.csv', 3);
    await page.goto(`${server.base}/console`);
    await act(page, id, 'Delete Job');
    await dialog(page).getByText('3 quarterly').waitFor();
    await server.ask('mutation($id: ID!) { deleteJob(id: $id) { deletedJobId } }', { id });
    await page.getByRole('button', { name: 'Delete Permanently' }).click();
    await toast(page, 'This job has already been deleted.');
    await dialog(page).waitFor({ state: 'detached' });
    await row(page, id).waitFor({ state: 'detached' });
  }));

test('a job that became active meanwhile offers to be deleted by force', () =>
  using(server, {}, async page => {
    const id = await ended('active again.csv', 3);
    await page.goto(`${server.base}/console`);
    await act(page, id, 'Delete Job');
    await page.getByText('3 quarterly').waitFor();
    makeActive(id);
    await page.getByRole('button', { name: 'Delete Permanently' }).click();
    await page.getByText('The job became active meanwhile.').waitFor();
    await page.getByRole('button', { name: 'Force Delete' }).click();
    await toast(page, 'Job deleted successfully');
    assert.ok((await receipt(server, id)).force);
  }));

test('fifty jobs are deleted at once, and those that stay are named with their reasons', () =>
  using(server, {}, async page => {
    const made = [];
    for (let at = 0; at < 50; at++) made.push(await server.upload(`bulk ${at}.csv`, 2));
    await server.until(made.at(-1), 'COMPLETED');
    const [held] = made;
    await server.ask('mutation($id: ID!) { holdJob(id: $id, reason: "an audit") { userErrors { message } } }', { id: held });
    const active = await ended('bulk and active.csv', 2);
    makeActive(active);
    await page.goto(`${server.base}/console/jobs?q=bulk`);
    await row(page, active).waitFor();
    await page.getByRole('checkbox', { name: 'Select all jobs of this page' }).click({ force: true });
    await page.getByText('50 jobs selected').waitFor();
    await page.getByRole('button', { name: 'Next page' }).click();
    await row(page, held).getByRole('checkbox').click({ force: true });
    await page.getByText('51 jobs selected').waitFor();
    await page.getByRole('button', { name: 'Delete Selected Jobs' }).click();
    const question = dialog(page);
    await question.getByText('Cancel and delete 1 active job too').waitFor();
    await question.getByText('1 job stays:').waitFor();
    await question.getByText('An administrator can lift the hold.').waitFor();
    await question.getByText('Also delete the predictions they made').click();
    await question.getByText('49 jobs and 98 predictions').waitFor();
    // The first few by their names.
    await question.getByText('and 44 more').waitFor();
    assert.match((await question.locator('.going').first().getByRole('listitem').allInnerTexts()).join(), /^(bulk \d+\.csv,){5}and 44 more$/);
    await accessibleInBoth(page, 'the question before many deletions');
    await page.setViewportSize({ width: 360, height: 740 });
    await fits(page, 'the question before many deletions');
    // The buttons stand below each other, as wide as the dialog, the one that answers no first.
    const places = await question.locator('.dialog-buttons button').evaluateAll(buttons => buttons.map(button => button.getBoundingClientRect().toJSON()));
    assert.ok(places[0].bottom <= places[1].top && places.every(({ width }) => width > 250), JSON.stringify(places));
    await page.setViewportSize({ width: 1280, height: 800 });
    await question.getByRole('button', { name: 'Delete Permanently' }).click();
    await toast(page, '49 jobs deleted successfully');
    const receipts = page.getByRole('region', { name: /News/ }).getByRole('link', { name: 'Show the receipts' });
    assert.equal(await receipts.getAttribute('href'), '/console/receipts');
    await row(page, held).waitFor();
    await row(page, active).waitFor();
    assert.equal(await page.locator('[data-job-id]').count(), 2);
    await page.getByText('2 jobs selected').waitFor();
    for (const id of made.slice(1)) assert.equal((await receipt(server, id)).deletedQuarterlyPredictions, 2);
    await server.ask('mutation($id: ID!) { deleteJob(id: $id, force: true) { deletedJobId } }', { id: active });
  }));

test('an answer that is lost does not lose the deletion, and what takes long is said', () =>
  using(server, {}, async page => {
    const id = await ended('lost.csv', 3);
    await page.goto(`${server.base}/console`);
    await act(page, id, 'Delete Job');
    // The server does it; its answer arrives nowhere, and that to the next question when the test has seen what is said.
    let seen;
    const isSeen = new Promise(resolve => (seen = resolve));
    await page.route('**/graphql', async route => {
      const asked = route.request().postData() ?? '';
      if (asked.includes('mutation DeleteJob')) return void (await route.fetch().catch(() => {}));
      if (asked.includes('query DeletionPreview')) await isSeen;
      await route.continue();
    });
    await page.getByRole('button', { name: 'Delete Permanently' }).click();
    await page.getByRole('button', { name: 'Deleting...' }).waitFor();
    await page.getByText('Deletion is taking longer than expected. Check back in a few minutes.').waitFor();
    await accessibleInBoth(page, 'a deletion that takes long');
    seen();
    await page.getByText('Job deleted successfully').waitFor();
    await row(page, id).waitFor({ state: 'detached' });
  }));

test('a failed request keeps the dialog, and is made again by Retry', () =>
  using(server, { expected: /ERR_CONNECTION|WebSocket/ }, async page => {
    const id = await ended('again.csv', 3);
    await page.goto(`${server.base}/console`);
    await act(page, id, 'Delete Job');
    await page.getByText('Also delete the predictions it made').click();
    await server.stop();
    await page.getByRole('button', { name: 'Delete Permanently' }).focus();
    await page.keyboard.press('Enter');
    await dialog(page).getByRole('alert').getByText('The server cannot be reached.').waitFor();
    assert.equal(await focused(page), 'Retry: Delete Permanently', 'the button lost the focus while it was at it');
    await accessibleInBoth(page, 'a deletion that failed');
    assert.ok(await page.getByRole('checkbox', { name: 'Also delete the predictions it made' }).isChecked());
    await server.begin();
    await page.getByRole('button', { name: 'Retry: Delete Permanently' }).click();
    await toast(page, 'Job deleted successfully');
    assert.equal((await receipt(server, id)).deletedQuarterlyPredictions, 3);
  }));

test('a job is cancelled with a reason and notes of up to 500 characters', () =>
  using(server, {}, async page => {
    const id = await running('to be cancelled.csv');
    await page.goto(`${server.base}/console`);
    await act(page, id, 'Cancel Job');
    const question = dialog(page);
    assert.equal(await question.getByRole('heading').innerText(), 'Cancel Job?');
    await accessibleInBoth(page, 'the question before a cancellation');
    await page.setViewportSize({ width: 360, height: 740 });
    await fits(page, 'the question before a cancellation');
    await question.getByLabel('Reason (optional)').fill('wrong file');
    const notes = question.getByLabel('Notes (optional)');
    await notes.fill('é'.repeat(501));
    await question.getByText('501 of 500 characters').waitFor();
    assert.ok(await question.getByRole('button', { name: 'Confirm Cancellation' }).isDisabled());
    await notes.fill('é'.repeat(500));
    await question.getByText('500 of 500 characters').waitFor();
    await question.getByRole('button', { name: 'Confirm Cancellation' }).focus();
    await page.keyboard.press('Enter');
    await toast(page, 'Job cancelled successfully');
    await row(page, id).getByText('Cancelled', { exact: true }).waitFor();
    const { job } = await server.ask('query($id: ID!) { job(id: $id) { cancellation { reason notes } } }', { id });
    assert.deepEqual(job.cancellation, { reason: 'wrong file', notes: 'é'.repeat(500) });
  }));

test('who may not delete a job is told whom to ask', () =>
  using(signed, { expected: /status of 401/ }, async page => {
    const organization = signed.organization('One');
    const member = username => signed.person({ username, full_name: `The ${username}`, organization_id: organization });
    const [owner, colleague] = [member('owner'), member('colleague')];
    const token = id => signed.token(id, 'member', 1, organization);
    const id = await signed.upload('not yours.csv', 3, { token: token(owner) });
    await signed.until(id, 'COMPLETED', token(owner));
    await page.goto(`${signed.base}/console`);
    await page.getByRole('textbox', { name: 'Bearer token' }).fill(token(colleague));
    await page.getByRole('button', { name: 'Sign In' }).click();
    await row(page, id).getByRole('button', { name: /^Actions for/ }).click();
    await page.getByText('You may not delete this job. Ask The owner, or an administrator of your organization.').waitFor();
    await accessibleInBoth(page, 'no actions');
    await page.keyboard.press('Escape');
    await row(page, id).getByRole('checkbox').click({ force: true });
    await page.getByRole('button', { name: 'Delete Selected Jobs' }).click();
    await page.getByText('This cannot be deleted:').waitFor();
    await page.getByText('Ask its creator, or an administrator of your organization.').waitFor();
    assert.ok(await page.getByRole('button', { name: 'Delete Permanently' }).isDisabled());
  }));
