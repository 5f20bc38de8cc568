// Opens the server's GraphiQL page in headless Chromium and uses it as a person would.
//   node graphiql.mjs http://127.0.0.1:PORT [screenshot.png]
// Prints "graphiql: ok" and exits 0, or says what failed and exits 1.
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

const [base, screenshot] = process.argv.slice(2);
if (!base) {
  console.error('usage: node graphiql.mjs http://127.0.0.1:PORT [screenshot.png]');
  process.exit(1);
}
const { origin } = new URL(base);
const secret = 'not-for-the-disk';

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
});

const problems = [];
const workers = new Set();

/** Notes whatever a clean page would not do. Chromium reports what the CSP blocks as a console error. */
function watch(page) {
  page.on('request', request => {
    const { protocol, origin: to } = new URL(request.url());
    if (protocol !== 'data:' && to !== origin) problems.push(`request to another origin: ${request.url()}`);
  });
  page.on('requestfailed', request => problems.push(`failed request: ${request.url()} ${request.failure()?.errorText}`));
  page.on('response', response => response.ok() || problems.push(`status ${response.status()}: ${response.url()}`));
  page.on('pageerror', error => problems.push(`page error: ${error}`));
  page.on('worker', worker => workers.add(new URL(worker.url()).pathname.split('/').pop()));
  page.on('console', message => message.type() === 'error' && problems.push(`console error: ${message.text()}`));
}

/** Waits until GraphiQL has stored the text under this key. */
const stored = (page, key, text) =>
  page.waitForFunction(([key, text]) => localStorage.getItem(`graphiql:${key}`)?.includes(text), [key, text]);

async function use(page) {
  await page.goto(new URL('/graphiql', base).href);
  assert.equal(await page.title(), 'Joblink GraphiQL');
  const editor = page.locator('.graphiql-query-editor .monaco-editor');
  const response = page.locator('.graphiql-response');
  await editor.locator('.view-line', { hasText: 'viewer' }).first().waitFor();

  // The first query of a new user answers.
  await page.locator('.graphiql-execute-button').click();
  await response.locator('.view-line', { hasText: '"viewer"' }).first().waitFor();
  const answer = await response.locator('.view-lines').innerText();
  assert.doesNotMatch(answer, /"errors"/, 'the default query must not fail');
  if (screenshot) await page.screenshot({ path: screenshot });

  // The schema arrived, so the docs show its root types.
  await page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
  const docs = page.locator('.graphiql-doc-explorer');
  await docs.getByRole('link', { name: 'Query', exact: true }).click();
  await docs.getByRole('link', { name: 'jobs', exact: true }).waitFor();

  // The second tab holds a sample mutation.
  await page.getByRole('tab', { name: 'Delete' }).click();
  await editor.locator('.view-line', { hasText: 'deleteJob' }).waitFor();

  // The third tab watches jobs over a WebSocket, on which the headers go with the first message.
  const variables = page.locator('.graphiql-editor-tool .graphiql-editor:not(.hidden) .monaco-editor');
  await page.getByRole('tab', { name: 'Watch' }).click();
  await editor.locator('.view-line', { hasText: 'jobEvents' }).first().waitFor();
  const [id] = answer.match(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/);
  await variables.click();
  await page.keyboard.press('ControlOrMeta+A');
  await page.keyboard.press('Delete'); // else the editor puts the new text between braces
  await page.keyboard.insertText(JSON.stringify({ id }));
  await page.getByRole('button', { name: 'Headers', exact: true }).click();
  await variables.click();
  await page.keyboard.insertText(JSON.stringify({ 'x-secret': secret }));
  await stored(page, 'tabState', id);
  const introduction = page.waitForEvent('websocket').then(socket => socket.waitForEvent('framesent'));
  await page.locator('.graphiql-execute-button').click();
  assert.deepEqual(JSON.parse((await introduction).payload), { type: 'connection_init', payload: { 'x-secret': secret } });
  await response.locator('.view-line', { hasText: '"STATUS"' }).first().waitFor();
  await page.locator('.graphiql-execute-button').click(); // stops it
  await page.getByRole('button', { name: 'Variables', exact: true }).click();

  // The GraphQL worker completes a field name of the server's schema; Monaco closes the braces.
  await page.getByRole('button', { name: 'New tab' }).click();
  await editor.click();
  await page.keyboard.type('{ viewer { rol');
  await page.locator('.suggest-widget .monaco-list-row', { hasText: 'role' }).first().waitFor();
  await page.keyboard.press('Enter');

  // A header is sent, and is not kept on disk: it may be a bearer token.
  await page.getByRole('button', { name: 'Headers', exact: true }).click();
  await page.locator('.graphiql-editor-tool .graphiql-editor:not(.hidden) .monaco-editor').click();
  await page.keyboard.insertText(JSON.stringify({ 'x-secret': secret }));
  await stored(page, 'tabState', '{ role'); // the history takes its query from there
  const sent = page.waitForRequest(request => request.postData()?.includes('{ role'));
  await page.locator('.graphiql-execute-button').click();
  assert.equal((await sent).headers()['x-secret'], secret);
  await response.locator('.view-line', { hasText: '"role"' }).first().waitFor();
  await stored(page, 'queries', '{ role');
  assert.ok(!(await page.evaluate(() => JSON.stringify(localStorage))).includes(secret), 'the header was stored');

  assert.deepEqual([...workers].sort(), ['editor.worker.js', 'graphql.worker.js', 'json.worker.js']);
}

const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
page.setDefaultTimeout(20_000);
watch(page);
await use(page).catch(error => problems.push(error.message));
await browser.close();

for (const problem of problems) console.error(`graphiql: ${problem}`);
if (!problems.length) console.log('graphiql: ok');
process.exit(problems.length ? 1 : 0);
