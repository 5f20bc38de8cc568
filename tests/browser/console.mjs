// The frame of the console: how it is served, who is let in, and what happens when they no longer are.
//   JOBLINK_PROGRAM=target/debug/joblink node --test console.mjs
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { accessibleInBoth, browser, fits, open, Server } from './console-world.mjs';

let chromium;
let local;
let signed;
const refused = /console: Failed to load resource: the server responded with a status of 401|console: WebSocket connection/;

before(async () => {
  [chromium, local, signed] = await Promise.all([browser(), Server.start('--demo'), Server.start('--auth', 'jwt')]);
});
after(() => Promise.all([chromium?.close(), local?.end(), signed?.end()]));

/** A page on which nothing may go wrong, and which asks nobody but its server. */
async function using(server, options, use) {
  const { page, problems, origins } = await open(chromium, options);
  await use(page);
  await page.context().close();
  assert.deepEqual(problems, []);
  assert.deepEqual([...origins], [new URL(server.base).host], 'a request to another origin');
}

const jobs = page => page.getByRole('heading', { name: 'Jobs', exact: true });
const signIn = page => page.getByRole('heading', { name: 'Sign in to Joblink' });

test('the address of the server leads to the console, where this machine is let in without a sign-in', () =>
  using(local, {}, async page => {
    let bytes = 0;
    const session = await page.context().newCDPSession(page);
    await session.send('Network.enable');
    session.on('Network.loadingFinished', ({ encodedDataLength }) => (bytes += encodedDataLength));
    const response = await page.goto(local.base);
    assert.equal(new URL(page.url()).pathname, '/console');
    const policy = response.headers()['content-security-policy'];
    assert.ok(policy.includes("default-src 'none'") && !/unsafe|\*|http/.test(policy), policy);
    await page.locator('[data-job-id]').first().waitFor();
    assert.equal(await page.title(), 'Jobs · Joblink');
    assert.ok(bytes > 100_000 && bytes < 300_000, `the first load takes ${bytes} bytes`);
    await page.locator('.account').getByText('Local user', { exact: true }).waitFor();
    await page.getByText('All times are in the zone UTC.').waitFor();
    await page.getByRole('status', { name: 'Connection', exact: true }).getByText('Live').waitFor();
  }));

test('an address of nothing says so, and leads back', () =>
  using(local, {}, async page => {
    await page.goto(`${local.base}/console/nothing/here`);
    await page.getByRole('heading', { name: 'Nothing is at this address' }).waitFor();
    await accessibleInBoth(page, 'an address of nothing');
    await page.getByRole('link', { name: 'Show the Jobs' }).click();
    await jobs(page).waitFor();
    await page.goBack();
    await page.getByRole('heading', { name: 'Nothing is at this address' }).waitFor();
  }));

test('a server that does not answer is said, and asked once more', () =>
  using(local, { expected: /ERR_FAILED/ }, async page => {
    await page.route('**/graphql', route => route.abort());
    await page.goto(`${local.base}/console`);
    const alert = page.getByRole('alert');
    await alert.getByText('The server cannot be reached.').waitFor();
    await accessibleInBoth(page, 'a server that does not answer');
    await page.unroute('**/graphql');
    await alert.getByRole('button', { name: 'Retry' }).click();
    await jobs(page).waitFor();
  }));

test('who is not signed in pastes a token, by the keyboard alone, and it is kept in memory', () =>
  using(signed, { expected: refused }, async page => {
    const { token } = signed.user('mary');
    await page.goto(`${signed.base}/console`);
    await signIn(page).waitFor();
    await accessibleInBoth(page, 'the sign-in');
    const field = page.getByRole('textbox', { name: 'Bearer token' });
    assert.ok(await field.evaluate(element => element === document.activeElement), 'the field has no focus');

    const submit = async () => {
      await page.keyboard.press('Tab'); // "stay signed in"
      await page.keyboard.press('Tab');
      await page.keyboard.press('Enter');
    };
    await submit();
    await page.getByRole('alert').getByText('Paste a token first.').waitFor();
    await field.focus();
    await page.keyboard.insertText('not.a.token');
    await submit();
    await page.getByRole('alert').getByText('does not accept this token').waitFor();
    await accessibleInBoth(page, 'a refused sign-in');
    await field.focus();
    await page.keyboard.press('ControlOrMeta+A');
    // As it comes out of a terminal: with the scheme before it, and broken.
    await page.keyboard.insertText(`Bearer ${token.slice(0, 60)}\n${token.slice(60)}\n`);
    await page.keyboard.press('Enter');
    await jobs(page).waitFor();
    await page.getByRole('status', { name: 'Connection', exact: true }).getByText('Live').waitFor();

    assert.deepEqual(await page.evaluate(() => ({ ...localStorage, ...sessionStorage })), {}, 'the token was stored');
    assert.equal(new URL(page.url()).search, '');
    await page.reload();
    await signIn(page).waitFor();
  }));

test('a token is kept on the device where its user says so, until they sign out', () =>
  using(signed, { expected: refused }, async page => {
    const { token } = signed.user('nina');
    await page.goto(`${signed.base}/console`);
    await page.getByRole('textbox', { name: 'Bearer token' }).fill(token);
    await page.getByText('Stay signed in on this device').click();
    await page.getByRole('button', { name: 'Sign In' }).click();
    await jobs(page).waitFor();
    await page.reload();
    await jobs(page).waitFor();
    const account = page.getByRole('button', { name: 'Account of nina' });
    await account.click();
    await page.getByRole('menuitem', { name: 'Sign out' }).waitFor();
    await accessibleInBoth(page, 'the account');
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await signIn(page).waitFor();
    assert.deepEqual(await page.evaluate(() => ({ ...localStorage })), {});
    await page.reload();
    await signIn(page).waitFor();
  }));

test('who is signed out while at work signs in again, and goes on where they were', () =>
  using(signed, { expected: refused }, async page => {
    const { id, token } = signed.user('olga');
    const active = is => signed.database.change('UPDATE users SET is_active = $1 WHERE id = $2', is, id);
    await page.goto(`${signed.base}/console`);
    await page.getByRole('textbox', { name: 'Bearer token' }).fill(token);
    await page.getByRole('button', { name: 'Sign In' }).click();
    await page.getByRole('heading', { name: 'No jobs yet' }).waitFor();
    active(false);
    // What is asked next is refused, once the server no longer trusts what it remembers (a second).
    const search = page.getByRole('searchbox', { name: 'Search by file name or job id' });
    const again = page.getByRole('dialog', { name: 'Sign in again' });
    for (let text = 'a'; !(await again.isVisible()); text += 'a') {
      await search.fill(text);
      await again.waitFor({ timeout: 1500 }).catch(() => {});
    }
    const searched = await page.locator('input[type=search]').inputValue();
    await accessibleInBoth(page, 'the second sign-in');
    await page.keyboard.press('Escape');
    assert.ok(await again.isVisible(), 'Escape closed the sign-in');
    active(true);
    await again.getByRole('textbox', { name: 'Bearer token' }).fill(signed.token(id));
    await again.getByRole('button', { name: 'Sign In' }).click();
    await again.waitFor({ state: 'detached' });
    assert.equal(await search.inputValue(), searched, 'what was searched for is gone');
    await page.getByRole('heading', { name: 'No job matches' }).waitFor();
    await page.getByRole('status', { name: 'Connection', exact: true }).getByText('Live').waitFor();
  }));

test('sign-in and frame fit a narrow window', () =>
  using(signed, { expected: refused, viewport: { width: 360, height: 740 } }, async page => {
    const { token } = signed.user('paula with a name that is rather long');
    await page.goto(`${signed.base}/console`);
    await signIn(page).waitFor();
    await fits(page, 'the sign-in');
    await page.getByRole('textbox', { name: 'Bearer token' }).fill(token);
    await page.getByRole('button', { name: 'Sign In' }).click();
    await jobs(page).waitFor();
    await fits(page, 'the jobs');
    await accessibleInBoth(page, 'the narrow frame');
  }));
