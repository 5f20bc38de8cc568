// Uploading in the console: files that are dropped or chosen, the job that is made of them, and the rows that were not stored.
//   JOBLINK_PROGRAM=target/debug/joblink node --test console-upload.mjs
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { workbook } from './workbook.mjs';
import { accessibleInBoth, browser, fits, open, Server } from './console-world.mjs';

let chromium;
let server;
before(async () => {
  [chromium, server] = await Promise.all([browser(), Server.start()]);
});
after(() => Promise.all([chromium?.close(), server?.end()]));

async function using(options, use) {
  const { page, problems, origins } = await open(chromium, options);
  await page.goto(`${server.base}/console/upload`);
  await page.getByRole('heading', { name: 'Upload' }).waitFor();
  await use(page);
  await page.context().close();
  assert.deepEqual(problems, []);
  assert.deepEqual([...origins], [new URL(server.base).host], 'a request to another origin');
}

const QUARTERLY = 'company_symbol,company_name,sector,market_cap,reporting_year,reporting_quarter,total_debt_to_ebitda,sga_margin,long_term_debt_to_total_capital,return_on_capital';
const ANNUAL = 'company_symbol;company_name;sector;market_cap;reporting_year;long_term_debt_to_total_capital;total_debt_to_ebitda;net_income_margin;ebit_to_interest_expense;return_on_assets';

let companies = 0;
/** A file of quarterly rows, some of which are bad. */
function quarterly(name, rows, bad = 0) {
  const company = `U${++companies}X`;
  const line = (_, row) => `${company}${row},Company ${row},Energy,1000000,2024,Q1,${row < bad ? '=many' : '3.1'},20.5,40.7,${row % 30}`;
  return { name, mimeType: 'text/csv', buffer: Buffer.from([QUARTERLY, ...Array.from({ length: rows }, line), ''].join('\n')) };
}

const choose = (page, file) => page.locator('.drop input[type=file]').setInputFiles(file);
const kind = (page, name) => page.getByRole('radio', { name });
const upload = page => page.getByRole('button', { name: 'Upload', exact: true });
const count = async () => (await server.ask('{ jobs { totalCount } }')).jobs.totalCount;

test('a file is chosen, its kind is known by its header, and the rows that were not stored are listed and downloaded', () =>
  using({}, async page => {
    await accessibleInBoth(page, 'no file');
    await choose(page, quarterly('with errors.csv', 170, 120));
    await page.getByText('Detected from the file’s columns.').waitFor();
    assert.ok(await kind(page, 'Quarterly').isChecked());
    await accessibleInBoth(page, 'a file');
    await upload(page).click();
    await page.getByText('50 rows stored, 120 not stored.').waitFor();
    await page.getByText('Completed', { exact: true }).waitFor();
    await page.getByRole('heading', { name: '120 rows not stored' }).waitFor();
    assert.equal(await page.getByRole('row').count(), 51);
    const first = page.getByRole('row').nth(1);
    await first.getByText('Invalid value').waitFor();
    await first.getByText('total_debt_to_ebitda', { exact: true }).waitFor();
    await accessibleInBoth(page, 'rows that were not stored');
    await page.setViewportSize({ width: 360, height: 740 });
    await fits(page, 'rows that were not stored');
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download as CSV' }).click()]);
    assert.equal(download.suggestedFilename(), 'with errors-errors.csv');
    const lines = (await readFile(await download.path(), 'utf8')).trim().split('\r\n');
    assert.equal(lines.length, 121);
    assert.equal(lines[0], 'line,column,code,message');
    assert.match(lines[1], /^2,"total_debt_to_ebitda",INVALID_VALUE,"/);

    await page.getByRole('link', { name: 'Show the Job' }).click();
    await page.getByRole('heading', { level: 1, name: 'with errors.csv' }).waitFor();
  }));

test('a file is dropped', () =>
  using({}, async page => {
    const path = join(server.folder, 'dropped.csv');
    await writeFile(path, quarterly('dropped.csv', 3).buffer);
    // As the system does it: a page can only make a drop of which a browser knows no file.
    const session = await page.context().newCDPSession(page);
    const { x, y, width, height } = await page.locator('.drop').boundingBox();
    const data = { items: [], files: [path], dragOperationsMask: 1 };
    for (const type of ['dragEnter', 'dragOver', 'drop']) {
      await session.send('Input.dispatchDragEvent', { type, x: x + width / 2, y: y + height / 4, data });
    }
    await page.getByText('dropped.csv').waitFor();
    await upload(page).click();
    await page.getByText('3 rows stored, 0 not stored.').waitFor();
    await page.getByRole('button', { name: 'Upload Another File' }).click();
    await page.getByText('Drop a CSV or Excel file here').waitFor();
  }));

test('a file is uploaded by the keyboard alone', () =>
  using({ viewport: { width: 360, height: 740 } }, async page => {
    await fits(page, 'no file');
    const isOn = async text => (await page.evaluate(() => document.activeElement?.textContent)) === text;
    const tabTo = async text => {
      for (let tabs = 0; !(await isOn(text)); tabs++) {
        assert.ok(tabs < 15, `"${text}" cannot be reached`);
        await page.keyboard.press('Tab');
      }
    };
    await tabTo('Choose a File');
    const [chooser] = await Promise.all([page.waitForEvent('filechooser'), page.keyboard.press('Enter')]);
    // An annual file, whose header the guess has to tell from a quarterly one.
    const text = `${ANNUAL}\nK1;Keys;Energy;1000000;2023;30.5;2.5;10.1;6.2;5.5\n`;
    await chooser.setFiles({ name: 'by keyboard.csv', mimeType: 'text/csv', buffer: Buffer.from(text) });
    await page.getByText('Detected from the file’s columns.').waitFor();
    assert.ok(await kind(page, 'Annual').isChecked());
    await fits(page, 'a file');
    for (let tabs = 0; !(await upload(page).evaluate(button => button === document.activeElement)); tabs++) {
      assert.ok(tabs < 15, 'the button cannot be reached');
      await page.keyboard.press('Tab');
    }
    await page.keyboard.press('Enter');
    await page.getByText('1 row stored, 0 not stored.').waitFor();
    await fits(page, 'a job');
  }));

test('a file that is refused is said, and the kind is asked for where the file does not tell', () =>
  using({}, async page => {
    const before = await count();
    await choose(page, { name: 'notes.csv', mimeType: 'text/csv', buffer: Buffer.from('one,two\n1,2\n') });
    await page.getByText('The file’s columns fit neither kind. Choose the kind of figures that it has.').waitFor();
    assert.ok(await upload(page).isDisabled());
    const alert = page.getByRole('alert');
    // What the page says that each kind needs is what the server finds missing.
    const needed = page.getByRole('region', { name: 'Columns that a file needs' });
    const listed = term => needed.locator(`dt:text-is("${term}") + dd code`).allInnerTexts();
    for (const name of ['Quarterly', 'Annual']) {
      await page.locator('.radio').getByText(name).click();
      await upload(page).click();
      await alert.getByText(/^The file lacks \d+ columns that this kind needs:$/).waitFor();
      const lacking = await alert.locator('code').allInnerTexts();
      assert.deepEqual(lacking.toSorted(), [...(await listed('Both kinds')), ...(await listed(name))].toSorted(), name);
    }
    await accessibleInBoth(page, 'a file that was refused');
    const another = alert.getByRole('button', { name: 'Choose Another File' });
    const [chooser] = await Promise.all([page.waitForEvent('filechooser'), another.press('Enter')]);
    await chooser.setFiles(quarterly('better.csv', 2));
    await alert.waitFor({ state: 'detached' });
    await page.waitForFunction(() => document.activeElement.closest('.upload-card'));
    await page.getByText('better.csv').waitFor();
    assert.ok(await kind(page, 'Quarterly').isChecked());
    await upload(page).click();
    await page.getByText('2 rows stored, 0 not stored.').waitFor();
    assert.equal(await count(), before + 1);
  }));

test('an empty file is refused at once', () =>
  using({}, async page => {
    const asked = [];
    page.on('request', request => request.method() === 'POST' && asked.push(request.url()));
    await choose(page, { name: 'nothing.csv', mimeType: 'text/csv', buffer: Buffer.from('') });
    await page.getByRole('alert').getByText('nothing.csv is empty. Choose a file with a header and at least one row.').waitFor();
    assert.equal(await upload(page).count(), 0);
    assert.deepEqual(asked.filter(url => url.includes('/uploads')), []);
    await accessibleInBoth(page, 'an empty file');
    // Who hears the page is told what the place for the file is.
    await page.getByRole('button', { name: /^File to upload/ }).waitFor({ state: 'attached' });
  }));

test('the kind of a workbook is known by the header of its first sheet that is shown', () =>
  using({}, async page => {
    const annual = ANNUAL.split(';');
    const values = ['XB1', 'Books', '1000000', 'Energy', '2023', '30.5', '2.5', '10.1', '6.2', '5.5'];
    const order = ['company_symbol', 'company_name', 'market_cap', 'sector', 'reporting_year', ...annual.slice(5)];
    for (const form of ['shared', 'inline']) {
      await choose(page, { name: `${form}.xlsx`, mimeType: 'application/octet-stream', buffer: workbook(form, [order, values]) });
      await page.getByText(`${form}.xlsx`).waitFor();
      await page.getByText('Detected from the file’s columns.').waitFor();
      assert.ok(await kind(page, 'Annual').isChecked(), form);
    }
    await upload(page).click();
    await page.getByText('1 row stored, 0 not stored.').waitFor();
    await page.getByRole('button', { name: 'Upload Another File' }).click();
    await choose(page, { name: 'no workbook.xlsx', mimeType: 'application/octet-stream', buffer: Buffer.from('not a workbook') });
    await page.getByText('The file’s columns could not be read here. Choose the kind of figures that it has.').waitFor();
    assert.ok(await upload(page).isDisabled());
  }));

test('an upload that failed is made again, and makes one job', () =>
  using({ expected: /ERR_CONNECTION|WebSocket/ }, async page => {
    const before = await count();
    await choose(page, quarterly('once.csv', 4));
    await page.getByText('Detected from the file’s columns.').waitFor();
    await server.stop();
    await upload(page).click();
    await page.getByRole('alert').getByText('The server cannot be reached.').waitFor();
    await server.begin();
    // The answer to the next attempt is lost as well, after the job was made.
    let lost = 0;
    await page.route('**/graphql', async route => {
      if (lost || !route.request().postData()?.includes('mutation CreateJob')) return route.continue();
      lost++;
      await route.fetch();
      return route.abort('connectionreset');
    });
    const retry = page.getByRole('button', { name: 'Retry' });
    await retry.click();
    await page.getByRole('alert').getByText('The server cannot be reached.').waitFor();
    assert.equal(lost, 1);
    await retry.click();
    await page.getByText('4 rows stored, 0 not stored.').waitFor();
    assert.equal(await count(), before + 1);
  }));

test('an upload is stopped, and ends when its page is left', () =>
  using({ expected: /ERR_ABORTED/ }, async page => {
    const before = await count();
    const session = await page.context().newCDPSession(page);
    await session.send('Network.enable');
    await session.send('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 200_000 });
    await choose(page, quarterly('slow.csv', 60_000));
    await upload(page).click();
    await page.getByText(/Sending: [1-9]\d?%/).waitFor();
    await accessibleInBoth(page, 'an upload');
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByRole('alert').getByText('The upload was stopped.').waitFor();
    const [, request] = await Promise.all([
      page.getByRole('button', { name: 'Retry' }).click(),
      page.waitForRequest(/uploads/),
    ]);
    await page.getByText(/Sending/).waitFor();
    const [failed] = await Promise.all([
      page.waitForEvent('requestfailed', failed => failed === request),
      page.getByRole('link', { name: 'Jobs', exact: true }).click(),
    ]);
    assert.match(failed.failure().errorText, /ABORTED/);
    await page.getByRole('heading', { name: 'Jobs', exact: true }).waitFor();
    assert.equal(await count(), before);
  }));
