// The lists of the console beside that of jobs: predictions and their deletion, receipts, and the audit log.
//   JOBLINK_PROGRAM=target/debug/joblink node --test console-lists.mjs
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { accessibleInBoth, browser, fits, open, Server } from './console-world.mjs';

let chromium;
let server;
let signed;
let crowded;
let empty;
/** The jobs of `server`, by the names of their files. */
const made = {};
/** Who signs in at `signed`. */
const people = {};

before(async () => {
  [chromium, server, signed, crowded, empty] = await Promise.all([
    browser(),
    Server.start('--demo'),
    Server.start('--auth', 'jwt'),
    Server.start(),
    Server.start('--workers', '0'),
  ]);
  for (const [name, rows, bad] of [['north.csv', 70, 0], ['held.csv', 4, 0], ['released.csv', 6, 0], ['deleted.csv', 8, 2]]) {
    made[name] = await server.upload(name, rows, { bad });
    await server.until(made[name], 'COMPLETED');
  }
  const deletion = 'mutation($id: ID!, $all: Boolean) { deleteJob(id: $id, deletePredictions: $all, reason: "sent twice") { deletedJobId } }';
  await server.ask(deletion, { id: made['released.csv'], all: false });
  await server.ask(deletion, { id: made['deleted.csv'], all: true });
  await server.ask('mutation($id: ID!) { holdJob(id: $id, reason: "an audit") { userErrors { message } } }', { id: made['held.csv'] });
  await server.ask(deletion, { id: made['held.csv'], all: true });

  await signed.ask('{ __typename }');
  const organization = signed.organization('North');
  for (const [name, role] of [['mary', 'member'], ['nina', 'member'], ['olga', 'org_admin'], ['otto with a name that is rather long', 'operator']]) {
    const id = signed.person({ username: name, organization_id: role === 'operator' ? null : organization });
    people[name] = { id, token: signed.token(id, role, 1, role === 'operator' ? undefined : organization) };
  }
  made['of mary.csv'] = await signed.upload('of mary.csv', 3, { token: people.mary.token });
  await signed.until(made['of mary.csv'], 'COMPLETED', people.mary.token);

  await crowded.until(await crowded.upload('first.csv', 1), 'COMPLETED');
  // A hundred thousand predictions, as an installation of some years may have them.
  const { viewer, companies } = await crowded.ask('{ viewer { user { id } } companies(first: 1) { nodes { id } } }');
  const crowd = Array.from({ length: 100_000 }, (_, at) => ({
    id: randomUUID(),
    company_id: companies.nodes[0].id,
    created_by: viewer.user.id,
    access_level: 'personal',
    reporting_year: `${2015 + (at % 10)}`,
    reporting_quarter: 'Q1',
    risk_level: at % 2 ? 'HIGH' : 'LOW',
    confidence: 0.95,
    predicted_at: '2026-01-01 00:00:00.000000',
    created_at: '2026-01-01 00:00:00.000000',
  }));
  crowded.database.insert('quarterly_predictions', crowd);
});
after(() => Promise.all([chromium?.close(), server?.end(), signed?.end(), crowded?.end(), empty?.end()]));

async function using(server, options, use) {
  const { page, problems, origins } = await open(chromium, options);
  await use(page);
  await page.context().close();
  assert.deepEqual(problems, []);
  assert.deepEqual([...origins], [new URL(server.base).host], 'a request to another origin');
}

/** A page on which somebody is signed in. */
const usingAs = (name, options, use) =>
  using(signed, { expected: /status of 401|WebSocket/, ...options }, async page => {
    await page.addInitScript(token => localStorage.setItem('joblink.token', token), people[name].token);
    await use(page);
  });

const rows = page => page.locator('[data-row-id]');
const ids = page => rows(page).evaluateAll(rows => rows.map(row => row.dataset.rowId));
const dialog = page => page.getByRole('alertdialog').filter({ has: page.getByRole('heading') });
const toast = (page, text) => page.getByRole('region', { name: /News/ }).getByText(text).waitFor();
const filters = page => page.getByRole('group', { name: 'Filters' });
/** Waits until the page counts so many. */
const counts = (page, text) => page.locator('.page-count').getByText(text, { exact: true }).waitFor();
const predictions = async (filter, kind = 'quarterly') =>
  (await server.ask(`query($filter: PredictionFilter) { list: ${kind}Predictions(first: 100, filter: $filter) { totalCount nodes { id company { symbol name } } } }`, { filter })).list;
const focused = page => page.evaluate(() => document.activeElement?.closest('[data-row-id]')?.dataset.rowId ?? document.activeElement?.role);
async function choose(page, button, ...items) {
  await filters(page).getByRole('button', { name: button }).click();
  for (const name of items) await page.locator('[role^=menuitem]').getByText(name, { exact: true }).click();
  if (await page.getByRole('menu').isVisible()) await page.keyboard.press('Escape');
  await page.getByRole('menu').waitFor({ state: 'detached' });
}
const wide = page => page.setViewportSize({ width: 1280, height: 800 });
async function narrow(page, what) {
  await page.setViewportSize({ width: 360, height: 740 });
  await fits(page, what);
  await accessibleInBoth(page, `${what}, narrow`);
  await wide(page);
}

test('lists without anything say what will be there', () =>
  using(empty, {}, async page => {
    for (const [path, text] of [['predictions', 'No annual predictions yet'], ['predictions?kind=QUARTERLY', 'No quarterly predictions yet'], ['receipts', 'No receipts yet'], ['audit', 'No entries yet']]) {
      await page.goto(`${empty.base}/console/${path}`);
      await page.getByRole('heading', { name: text }).waitFor();
      await accessibleInBoth(page, text);
      await narrow(page, text);
    }
  }));

test('the way to the pages is a menu where there is no room, by the keyboard alone', () =>
  using(server, { viewport: { width: 360, height: 740 } }, async page => {
    await page.goto(`${server.base}/console/jobs`);
    await rows(page).first().waitFor();
    const button = page.getByRole('button', { name: 'Menu' });
    await button.focus();
    await page.keyboard.press('Enter');
    const menu = page.getByRole('dialog', { name: 'Menu' });
    await menu.waitFor();
    await accessibleInBoth(page, 'the menu');
    assert.deepEqual(await menu.getByRole('link').allInnerTexts(), ['Jobs', 'Predictions', 'Receipts', 'Audit log', 'Retention', 'Backfill', 'Upload', 'GraphiQL']);
    assert.equal(await menu.getByRole('link', { name: 'Jobs' }).getAttribute('aria-current'), 'page');
    await page.keyboard.press('Escape');
    await menu.waitFor({ state: 'detached' });
    await page.waitForFunction(() => document.activeElement?.textContent === 'Menu');
    await page.keyboard.press('Enter');
    while ((await page.evaluate(() => document.activeElement.textContent)) !== 'Receipts') await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Receipts', exact: true }).waitFor();
    await menu.waitFor({ state: 'detached' });
    // Between the two there is no width at which something has no room.
    for (const width of [720, 1180, 1181]) {
      await page.setViewportSize({ width, height: 740 });
      await fits(page, `${width} px`);
    }
  }));

test('only pages that one may use are offered, and the others say whom to ask', async () => {
  await usingAs('mary', {}, async page => {
    await page.goto(`${signed.base}/console/jobs`);
    await rows(page).first().waitFor();
    const main = page.getByRole('navigation', { name: 'Main' });
    assert.deepEqual(await main.getByRole('link').allInnerTexts(), ['Jobs', 'Predictions', 'Receipts', 'Upload', 'GraphiQL']);
    await page.goto(`${signed.base}/console/audit`);
    await page.getByRole('heading', { name: 'Only administrators and operators see the entries' }).waitFor();
    await page.getByText('Ask an administrator of your organization, or an operator of the server, for what you need').waitFor();
    assert.equal(await filters(page).count(), 0);
    await accessibleInBoth(page, 'a forbidden list');
    await narrow(page, 'a forbidden list');
  });
  await usingAs('olga', {}, async page => {
    await page.goto(`${signed.base}/console/audit`);
    await page.getByText('Create job').first().waitFor();
    const main = page.getByRole('navigation', { name: 'Main' });
    assert.deepEqual(await main.getByRole('link').allInnerTexts(), ['Jobs', 'Predictions', 'Receipts', 'Audit log', 'Upload', 'GraphiQL']);
  });
  await usingAs('otto with a name that is rather long', { viewport: { width: 1181, height: 740 } }, async page => {
    await page.goto(`${signed.base}/console/jobs`);
    await rows(page).first().waitFor();
    await page.getByRole('link', { name: 'Backfill' }).waitFor();
    await fits(page, 'all entries beside a long name');
  });
});

test('a page whose code cannot be fetched offers to try again', () =>
  using(server, { expected: /ERR_FAILED/, isUnseen: true }, async page => {
    await page.goto(`${server.base}/console/jobs`);
    await rows(page).first().waitFor();
    const lost = route => route.abort();
    await page.route('**/console/assets/*.js', lost);
    await page.getByRole('link', { name: 'Predictions' }).click();
    const alert = page.getByRole('alert').filter({ hasText: 'The page could not be loaded' });
    await alert.waitFor();
    await accessibleInBoth(page, 'a page that could not be loaded');
    await page.unroute('**/console/assets/*.js', lost);
    await alert.getByRole('button', { name: 'Retry' }).click();
    await rows(page).first().waitFor();
    assert.equal(await page.title(), 'Predictions · Joblink');
  }));

test('predictions are shown with company, period, risk, probability and where they come from', () =>
  using(server, {}, async page => {
    await page.goto(`${server.base}/console/predictions`);
    const kinds = page.getByRole('navigation', { name: 'Kind' });
    await kinds.getByText('60').waitFor();
    await kinds.getByRole('link', { name: 'Quarterly' }).click();
    const [of] = (await predictions({ jobId: made['north.csv'] })).nodes;
    const row = page.locator(`[data-prediction-id="${of.id}"]`);
    await row.getByText(of.company.symbol, { exact: true }).waitFor();
    await row.getByText('2024 Q1').waitFor();
    await row.getByText('created via bulk upload').waitFor();
    await row.getByText(/^\d+\.\d\d%$/).waitFor();
    await row.getByText(/^(Low|Medium|High|Critical)$/).waitFor();
    await row.getByText('Local user').waitFor();
    assert.equal(await row.getByRole('link', { name: 'north.csv' }).getAttribute('href'), `/console/jobs/${made['north.csv']}`);
    await accessibleInBoth(page, 'predictions');
    await narrow(page, 'predictions');
    assert.equal(await page.title(), 'Predictions · Joblink');
  }));

test('a probability that was rounded to the bound of a level is not said to have reached it', () =>
  using(server, {}, async page => {
    const job = made['north.csv'];
    const nodes = (await predictions({ jobId: job })).nodes.slice(30);
    const cases = [[0.02, 'LOW', '< 2.00%'], [0.02, 'MEDIUM', '2.00%'], [0.05, 'MEDIUM', '< 5.00%'], [0.15, 'CRITICAL', '> 15.00%']];
    for (const [at, [probability, level]] of cases.entries()) {
      const change = 'UPDATE quarterly_predictions SET ensemble_probability = $1, logistic_probability = $2, risk_level = $3 WHERE id = $4';
      server.database.change(change, probability, probability, level, nodes[at].id);
    }
    await page.goto(`${server.base}/console/predictions?kind=QUARTERLY&job=${job}`);
    for (const [at, [, , text]] of cases.entries()) {
      await page.locator(`[data-prediction-id="${nodes[at].id}"]`).getByText(text, { exact: true }).waitFor();
    }
  }));

test('predictions are narrowed by all that they have, which the address keeps', () =>
  using(server, {}, async page => {
    await page.goto(`${server.base}/console/predictions?kind=QUARTERLY`);
    await counts(page, '80 predictions');
    await choose(page, /^Job:/, 'Not linked');
    await counts(page, '6 predictions');
    await page.getByText('its job was deleted').first().waitFor();
    await page.getByText('released', { exact: true }).first().waitFor();
    await choose(page, /^Job:/, 'Linked');
    await counts(page, '74 predictions');
    await filters(page).getByRole('button', { name: 'Clear Filters' }).click();
    await counts(page, '80 predictions');
    await choose(page, /^Link source:/, 'Released');
    await counts(page, '6 predictions');
    await accessibleInBoth(page, 'a narrowed list');
    await choose(page, /^Link source:/, 'Created via bulk upload');
    await counts(page, '80 predictions');
    await filters(page).getByRole('button', { name: 'Clear Filters' }).click();

    await choose(page, /^Quarter:/, 'Q2');
    await page.getByRole('heading', { name: 'No prediction matches' }).waitFor();
    await accessibleInBoth(page, 'predictions without a match');
    await choose(page, /^Quarter:/, 'Q1');
    await counts(page, '80 predictions');
    const year = page.getByRole('textbox', { name: 'Year, four digits' });
    await year.fill('2023');
    await counts(page, '0 predictions');
    await year.fill('2024');
    await counts(page, '80 predictions');
    const high = (await predictions({ riskLevel: ['MEDIUM', 'HIGH', 'CRITICAL'] })).totalCount;
    await choose(page, /^Risk:/, 'Medium', 'High', 'Critical');
    await counts(page, high === 1 ? '1 prediction' : `${high} predictions`);
    await page.reload();
    await counts(page, high === 1 ? '1 prediction' : `${high} predictions`);
    assert.equal(await year.inputValue(), '2024');
    await filters(page).getByRole('button', { name: 'Clear Filters' }).first().click();
    await counts(page, '80 predictions');
    assert.equal(await year.inputValue(), '');
    await choose(page, /^By:/, 'Me');
    await page.getByRole('button', { name: 'By: Me' }).waitFor();
    await counts(page, '80 predictions');

    // Those of one job, as its page leads to them.
    await page.goto(`${server.base}/console/predictions?kind=QUARTERLY&job=${made['held.csv']}`);
    await counts(page, '4 predictions');
    await filters(page).getByRole('button', { name: /^Of job: .*, remove this filter$/ }).click();
    await counts(page, '80 predictions');
  }));

test('a company is found by a part of its name, by the keyboard alone', () =>
  using(server, {}, async page => {
    const { nodes } = await predictions({ jobId: made['north.csv'] });
    const { symbol } = nodes[42].company;
    await page.goto(`${server.base}/console/predictions?kind=QUARTERLY`);
    await counts(page, '80 predictions');
    const button = page.getByRole('button', { name: 'Company: All' });
    await button.focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Company' }).waitFor();
    await page.keyboard.type(symbol.toLowerCase());
    await page.waitForFunction(() => document.querySelectorAll('[role=dialog] [role=menuitem]').length === 1);
    // The one that was active among those that matched before is left half a second after it is gone.
    await page.waitForFunction(() => {
      const active = document.activeElement.getAttribute('aria-activedescendant');
      return active === null || document.getElementById(active) !== null;
    });
    await accessibleInBoth(page, 'the companies that match');
    await narrow(page, 'the companies that match');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await counts(page, '1 prediction');
    const chip = page.getByRole('button', { name: `Company: ${symbol}, remove this filter` });
    await chip.waitFor();
    await page.reload();
    await counts(page, '1 prediction');
    await chip.focus();
    await page.keyboard.press('Enter');
    await counts(page, '80 predictions');
    // The chip is gone: the focus is beside it.
    await page.waitForFunction(() => document.activeElement?.closest('.filters'));
    await button.click();
    await page.getByRole('dialog').getByRole('searchbox').fill('nobody is called like this');
    await page.getByText('No company matches.').waitFor();
  }));

test('selected predictions of two pages are deleted by the keyboard alone', () =>
  using(server, {}, async page => {
    await page.goto(`${server.base}/console/predictions?kind=QUARTERLY&job=${made['north.csv']}`);
    await counts(page, '70 predictions');
    const [first, second] = await ids(page);
    for (let tabs = 0; !(await page.evaluate(() => document.activeElement.closest('[role=grid]'))); tabs++) {
      assert.ok(tabs < 30, 'the table cannot be reached');
      await page.keyboard.press('Tab');
    }
    while ((await focused(page)) !== first) await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Space');
    await page.keyboard.press('Shift+ArrowDown');
    await page.getByText('2 predictions selected').waitFor();
    await accessibleInBoth(page, 'selected predictions');
    await page.getByRole('button', { name: 'Next page' }).focus();
    await page.keyboard.press('Enter');
    await page.getByText('51–70 of 70').waitFor();
    const third = (await ids(page))[3];
    await page.locator(`[data-row-id="${third}"]`).focus();
    await page.keyboard.press('Space');
    await page.getByText('3 predictions selected').waitFor();

    await page.getByRole('button', { name: 'Delete Selected Predictions' }).focus();
    await page.keyboard.press('Enter');
    const question = dialog(page);
    await question.getByText('This deletes 3 predictions').waitFor();
    await question.getByText('This action cannot be undone.').waitFor();
    await question.getByText('3 quarterly').waitFor();
    await question.getByText('3 created via bulk upload').waitFor();
    await accessibleInBoth(page, 'the question before predictions are deleted');
    await narrow(page, 'the question before predictions are deleted');
    // Enter deletes nothing unless the button has the focus; Escape answers no.
    await page.keyboard.press('Enter');
    await page.keyboard.press('Escape');
    await question.waitFor({ state: 'detached' });
    assert.equal((await predictions({ jobId: made['north.csv'] })).totalCount, 70);
    await page.waitForFunction(() => document.activeElement?.textContent === 'Delete Selected Predictions');

    await page.keyboard.press('Enter');
    await question.getByText('3 quarterly').waitFor();
    const button = question.getByRole('button', { name: 'Delete Permanently' });
    for (let tabs = 0; !(await button.evaluate(button => button === document.activeElement)); tabs++) {
      assert.ok(tabs < 6, 'the button cannot be reached');
      await page.keyboard.press('Tab');
    }
    await page.keyboard.press('Enter');
    await toast(page, '3 predictions deleted successfully');
    await question.waitFor({ state: 'detached' });
    await counts(page, '67 predictions');
    assert.equal(await page.getByRole('group', { name: 'Selected predictions' }).count(), 0);
    const left = (await server.ask('query($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: [first, second, third] })).nodes;
    assert.deepEqual(left, [null, null, null]);
    // The focus is in the list again.
    await page.waitForFunction(() => document.activeElement?.closest('[data-row-id], #content'));
  }));

test('predictions that stay are named with the reason, and the others go', () =>
  using(server, {}, async page => {
    const [held, free] = [await predictions({ jobId: made['held.csv'] }), await predictions({ jobId: made['north.csv'] })];
    await page.goto(`${server.base}/console/predictions?kind=QUARTERLY&job=${made['held.csv']}`);
    await counts(page, '4 predictions');
    await page.getByRole('checkbox', { name: 'Select all predictions of this page' }).click({ force: true });
    await filters(page).getByRole('button', { name: /^Of job:/ }).click();
    await page.locator(`[data-row-id="${free.nodes[0].id}"]`).getByRole('checkbox').click({ force: true });
    await page.getByText('5 predictions selected').waitFor();
    await page.getByRole('button', { name: 'Delete Selected Predictions' }).click();
    await dialog(page).getByText('This deletes 5 predictions').waitFor();
    await dialog(page).getByRole('button', { name: 'Delete Permanently' }).click();
    await page.getByRole('heading', { name: 'Some predictions were not deleted' }).waitFor();
    await toast(page, '1 prediction deleted successfully');
    const refused = dialog(page).getByRole('listitem');
    assert.equal(await refused.count(), 4);
    await refused.filter({ hasText: held.nodes[0].company.symbol }).getByText('The job is on hold: an audit. An administrator can lift the hold.').waitFor();
    await accessibleInBoth(page, 'predictions that stay');
    await dialog(page).getByRole('button', { name: 'Close' }).click();
    await page.getByText('4 predictions selected').waitFor();
    assert.equal((await predictions({ jobId: made['held.csv'] })).totalCount, 4);
  }));

test('who may not delete a prediction is told who may', () =>
  usingAs('nina', {}, async page => {
    await page.goto(`${signed.base}/console/predictions?kind=QUARTERLY`);
    await counts(page, '3 predictions');
    await rows(page).first().getByRole('checkbox').click({ force: true });
    await page.getByRole('button', { name: 'Delete Selected Predictions' }).click();
    await page.getByRole('heading', { name: 'Delete Prediction?' }).waitFor();
    await dialog(page).getByRole('button', { name: 'Delete Permanently' }).click();
    await dialog(page).getByText('Only the prediction\'s creator or an administrator of the organization may delete it.').waitFor();
    await dialog(page).getByRole('button', { name: 'Close' }).click();
    await counts(page, '3 predictions');
  }));

test('predictions that somebody else deleted meanwhile are said, and are no fault', () =>
  using(server, {}, async page => {
    const { nodes } = await predictions({ jobId: made['north.csv'] });
    const [gone, here] = nodes.map(({ id }) => id);
    await page.goto(`${server.base}/console/predictions?kind=QUARTERLY&job=${made['north.csv']}`);
    for (const id of [gone, here]) await page.locator(`[data-row-id="${id}"]`).getByRole('checkbox').click({ force: true });
    await server.ask('mutation($ids: [ID!]!) { deletePredictions(ids: $ids) { deletedIds } }', { ids: [gone] });
    await page.getByRole('button', { name: 'Delete Selected Predictions' }).click();
    await toast(page, '1 prediction had been deleted before.');
    await dialog(page).getByText('This deletes 1 prediction').waitFor();
    // And after the question was asked.
    await server.ask('mutation($ids: [ID!]!) { deletePredictions(ids: $ids) { deletedIds } }', { ids: [here] });
    await dialog(page).getByRole('button', { name: 'Delete Permanently' }).click();
    await dialog(page).waitFor({ state: 'detached' });
    await page.locator(`[data-row-id="${here}"]`).waitFor({ state: 'detached' });
  }));

test('a list of 100,000 predictions has one page of them, one request for each, and many are deleted at once', () =>
  using(crowded, { expected: /ERR_FAILED/, isUnseen: true }, async page => {
    const asked = [];
    page.on('request', request => request.url().endsWith('/graphql') && asked.push(request.postDataJSON()?.operationName));
    await page.goto(`${crowded.base}/console/predictions?kind=QUARTERLY`);
    await page.getByText('1–50 of 100,001').waitFor();
    const all = page.getByRole('checkbox', { name: 'Select all predictions of this page' });
    const elements = () => page.locator('*').count();
    const size = await elements();
    const seen = new Set(await ids(page));
    await all.click({ force: true });
    for (let at = 51; at <= 1001; at += 50) {
      const before = asked.length;
      await page.getByRole('button', { name: 'Next page' }).click();
      await page.getByText(`${at.toLocaleString('en-GB')}–${(at + 49).toLocaleString('en-GB')} of 100,001`).waitFor();
      await page.locator('.list-table:not(.behind)').waitFor();
      assert.deepEqual(asked.slice(before), ['QuarterlyPredictions'], 'a page is one request');
      await all.click({ force: true });
      for (const id of await ids(page)) seen.add(id);
    }
    assert.equal(seen.size, 1050, 'pages overlap');
    assert.equal((await ids(page)).length, 50, 'rows of other pages are still there');
    assert.ok((await elements()) < size + 200, `${size} elements became ${await elements()}`);
    await page.getByText('1,050 predictions selected').waitFor();

    await page.getByRole('button', { name: 'Delete Selected Predictions' }).click();
    const question = dialog(page);
    await question.getByText('This deletes 1,050 predictions').waitFor();
    const button = question.getByRole('button', { name: /Delete Permanently$/ });
    assert.ok(await button.isDisabled(), 'the number was not typed');
    const typed = question.getByRole('textbox', { name: 'Type 1,050, the number of predictions, to confirm' });
    await typed.fill('1,049');
    assert.ok(await button.isDisabled(), 'another number was typed');
    await typed.fill('1050');
    await accessibleInBoth(page, 'a question with a number to type');

    // The fourth request is lost: what went before it stays gone, and the rest goes with the next attempt.
    let sent = 0;
    const lost = route => (route.request().postData()?.includes('mutation DeletePredictions') && ++sent === 4 ? route.abort() : route.continue());
    await page.route('**/graphql', lost);
    await button.dblclick();
    await question.getByText('The server cannot be reached. Retry: what was deleted meanwhile is not deleted twice.').waitFor();
    // News go after some seconds, which axe may need.
    await toast(page, '300 predictions deleted successfully');
    await accessibleInBoth(page, 'a deletion that failed');
    assert.equal(sent, 4, 'it was sent twice');
    await question.getByText('This deletes 750 predictions').waitFor();
    await question.getByRole('button', { name: 'Retry: Delete Permanently' }).click();
    await question.waitFor({ state: 'detached' });
    await counts(page, '98,951 predictions');
    assert.equal((await crowded.ask('{ quarterlyPredictions { totalCount } }')).quarterlyPredictions.totalCount, 98_951);
    // The page that was shown went whole: the one in its place is shown.
    await rows(page).first().waitFor();
  }));

test('receipts say what went, are narrowed, and lead to what was done with their job and back', () =>
  using(server, {}, async page => {
    await page.goto(`${server.base}/console/receipts`);
    await counts(page, '2 receipts');
    const [kept, whole] = ['released.csv', 'deleted.csv'].map(name => page.locator(`[data-receipt-of="${made[name]}"]`));
    await kept.getByText('6 kept').waitFor();
    await whole.getByText('6 deleted').waitFor();
    await whole.getByText('Removed', { exact: true }).waitFor();
    await whole.getByText(/^3 files, /).waitFor();
    await accessibleInBoth(page, 'receipts');
    await narrow(page, 'receipts');

    await page.getByRole('searchbox').fill('RELEASED');
    await counts(page, '1 receipt');
    await page.getByRole('searchbox').fill(made['deleted.csv']);
    await whole.waitFor();
    await counts(page, '1 receipt');
    await page.reload();
    await whole.waitFor();
    await filters(page).getByRole('button', { name: 'Clear Filters' }).click();
    await counts(page, '2 receipts');
    await choose(page, /^Files:/, 'Still to be removed');
    await page.getByRole('heading', { name: 'No receipt matches' }).waitFor();
    await accessibleInBoth(page, 'receipts without a match');
    await choose(page, /^Files:/, 'Nothing is left');
    await counts(page, '2 receipts');
    await choose(page, /^Deleted:/, 'By retention');
    await counts(page, '0 receipts');
    await filters(page).getByRole('button', { name: 'Clear Filters' }).first().click();
    await kept.getByRole('link', { name: 'Local user' }).click();
    await page.getByRole('button', { name: 'By: Me' }).waitFor();
    await counts(page, '2 receipts');
    await page.getByRole('button', { name: /^When:/ }).click();
    await page.getByLabel('When until').fill('2020-02-29');
    await counts(page, '0 receipts');
    await accessibleInBoth(page, 'the days of receipts');
    await page.getByLabel('When until').fill('');
    await counts(page, '2 receipts');
    await page.keyboard.press('Escape');

    await whole.getByRole('link', { name: 'deleted.csv' }).click();
    await page.getByRole('heading', { name: 'Deletion receipt' }).waitFor();
    await page.getByText('sent twice').waitFor();
    await accessibleInBoth(page, 'a receipt');
    await narrow(page, 'a receipt');
    await page.getByRole('link', { name: 'All entries for this job' }).click();
    await page.getByRole('heading', { name: 'Audit log' }).waitFor();
    await counts(page, '2 entries');
    const deletion = rows(page).filter({ hasText: 'Delete job' });
    await deletion.getByText('Done').waitFor();
    await deletion.getByText('6 quarterly predictions deleted', { exact: true }).waitFor();
    await rows(page).filter({ hasText: 'Create job' }).getByText('File with 8 rows').waitFor();
    await deletion.getByRole('link', { name: 'deleted.csv', exact: true }).click();
    await page.getByRole('heading', { name: 'Deletion receipt' }).waitFor();
    await page.getByRole('main').getByRole('link', { name: 'Receipts', exact: true }).click();
    await page.getByRole('heading', { name: 'Receipts', exact: true }).waitFor();
  }));

test('a job that is deleted elsewhere is among the receipts at once', () =>
  using(server, {}, async page => {
    await page.goto(`${server.base}/console/receipts`);
    await rows(page).first().waitFor();
    await page.getByRole('status', { name: 'Connection', exact: true }).getByText('Live').waitFor();
    const id = await server.upload('elsewhere.csv', 2);
    await server.until(id, 'COMPLETED');
    await server.ask('mutation($id: ID!) { deleteJob(id: $id, deletePredictions: true) { deletedJobId } }', { id });
    await page.locator(`[data-receipt-of="${id}"]`).getByText('2 deleted').waitFor();
  }));

test('the audit log says what was done and tried, and is narrowed', () =>
  using(server, {}, async page => {
    await page.goto(`${server.base}/console/audit`);
    const refused = rows(page).filter({ hasText: 'JOB_ON_HOLD' });
    await refused.first().getByText('Refused').waitFor();
    await refused.last().getByText('Delete job').waitFor();
    await refused.last().getByText('The job is on hold: an audit').waitFor();
    await accessibleInBoth(page, 'the audit log');
    await narrow(page, 'the audit log');
    await choose(page, /^Outcome:/, 'Refused');
    await page.waitForFunction(() => [...document.querySelectorAll('[data-row-id]')].every(row => row.textContent.includes('Refused')));
    await choose(page, /^Action:/, 'Hold job', 'Cancel job');
    await page.getByRole('heading', { name: 'No entry matches' }).waitFor();
    await choose(page, /^Outcome:/, 'Done');
    await counts(page, '1 entry');
    await rows(page).first().getByText('Reason: an audit', { exact: true }).waitFor();
    await rows(page).first().getByRole('link', { name: 'held.csv', exact: true }).waitFor();
    await page.reload();
    await counts(page, '1 entry');
    await rows(page).first().getByRole('link', { name: 'All entries for this job' }).click();
    await filters(page).getByRole('button', { name: 'Clear Filters' }).waitFor();
    await page.getByRole('button', { name: 'Action: 2 chosen' }).waitFor();
    assert.equal(await page.getByRole('searchbox').inputValue(), made['held.csv']);
    await choose(page, /^Action:/, 'Hold job', 'Cancel job');
    await counts(page, '2 entries');
    // What is chosen before a search was sent is kept with it.
    await page.getByRole('searchbox').fill('');
    await rows(page).first().getByRole('link', { name: 'Local user' }).click();
    await page.waitForURL(url => !url.searchParams.has('target'));
    await page.getByRole('button', { name: 'By: Me' }).waitFor();
    await page.getByRole('button', { name: /^When:/ }).click();
    await page.getByLabel('When from').fill('2100-01-01');
    await counts(page, '0 entries');
    await page.keyboard.press('Escape');
  }));

test('administrators see by name who did what, and narrow the log to one of them', () =>
  usingAs('olga', {}, async page => {
    await page.goto(`${signed.base}/console/audit`);
    await rows(page).first().getByRole('link', { name: 'nina' }).waitFor();
    await rows(page).filter({ hasText: 'Create job' }).getByRole('link', { name: 'mary', exact: true }).click();
    await page.getByRole('button', { name: 'By: mary, remove this filter' }).waitFor();
    await counts(page, '1 entry');
    await page.getByRole('button', { name: 'By: mary, remove this filter' }).click();
    await counts(page, '2 entries');
  }));

test('lists that cannot be loaded offer to try again', () =>
  using(server, { expected: /ERR_FAILED/, isUnseen: true }, async page => {
    const asks = /query (Annual|Quarterly|Receipts|AuditLog)/;
    const lost = route => (asks.test(route.request().postData() ?? '') ? route.abort() : route.continue());
    for (const [path, text] of [['predictions', 'predictions'], ['receipts', 'receipts'], ['audit', 'entries']]) {
      await page.route('**/graphql', lost);
      await page.goto(`${server.base}/console/${path}`);
      const alert = page.getByRole('alert').filter({ hasText: `The ${text} could not be loaded` });
      await alert.waitFor();
      await accessibleInBoth(page, `${text} that could not be loaded`);
      await page.unroute('**/graphql', lost);
      await alert.getByRole('button', { name: 'Retry' }).click();
      await rows(page).first().waitFor();
    }
  }));

test('what is asked for a page is given up when the page is left', () =>
  using(server, { expected: /ERR_ABORTED/, isUnseen: true }, async page => {
    await page.goto(`${server.base}/console/jobs`);
    await page.getByRole('status', { name: 'Connection', exact: true }).getByText('Live').waitFor();
    for (const [name, query] of [['Predictions', 'query AnnualPredictions'], ['Receipts', 'query Receipts'], ['Audit log', 'query AuditLog']]) {
      const isAsked = request => request.postData()?.includes(query) ?? false;
      await page.route('**/graphql', route => (isAsked(route.request()) ? undefined : route.continue()));
      const [request] = await Promise.all([page.waitForRequest(isAsked), page.getByRole('link', { name }).click()]);
      const [failed] = await Promise.all([
        page.waitForEvent('requestfailed', failed => failed === request),
        page.getByRole('link', { name: 'Jobs', exact: true }).click(),
      ]);
      assert.match(failed.failure().errorText, /ABORTED/);
      await page.unroute('**/graphql');
    }
    await rows(page).first().waitFor();
  }));

test('a list stays while the server is gone, and is fresh when it is back', () =>
  using(empty, { expected: /ERR_CONNECTION|WebSocket/ }, async page => {
    await page.goto(`${empty.base}/console/audit`);
    await page.getByRole('heading', { name: 'No entries yet' }).waitFor();
    await page.getByRole('status', { name: 'Connection', exact: true }).getByText('Live').waitFor();
    await empty.stop();
    await page.getByText(/The server cannot be reached. Trying again every \d+ seconds./).waitFor();
    await page.getByRole('heading', { name: 'No entries yet' }).waitFor();
    await empty.begin();
    await empty.upload('meanwhile.csv', 2);
    await rows(page).getByText('Create job').waitFor();
  }));

test('a page that was gone to while the server was away comes when it is back', () =>
  using(empty, { expected: /ERR_CONNECTION|WebSocket/ }, async page => {
    const connection = text => page.getByRole('status', { name: 'Connection', exact: true }).getByText(text).waitFor();
    await page.goto(`${empty.base}/console/jobs`);
    await connection('Live');
    await empty.stop();
    await connection('Offline');
    await page.getByRole('link', { name: 'Receipts' }).click();
    const alert = page.getByRole('alert').filter({ hasText: 'The page could not be loaded' });
    await alert.waitFor();
    await page.getByRole('button', { name: 'Try Now' }).click();
    await connection('Offline');
    await empty.begin();
    await page.getByRole('heading', { name: 'Receipts', exact: true }).waitFor();
    await alert.waitFor({ state: 'detached' });
  }));
