// Makes pictures of the console's pages in docs/console: wide and narrow, light and dark. See tests/screenshots.
//   JOBLINK_PROGRAM=target/debug/joblink node screenshots.mjs FOLDER [NAME…]
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { past } from './console-past.mjs';
import { browser, open, Server } from './console-world.mjs';

const [folder, ...only] = process.argv.slice(2);
assert.ok(folder, 'usage: node screenshots.mjs FOLDER [NAME…]');

/** How good the pictures are, in percent: above this they only grow. */
const QUALITY = 70;
const WINDOWS = { wide: { width: 1280, height: 800 }, narrow: { width: 360, height: 740 } };

const table = (page, name) => page.getByRole('grid', { name }).waitFor();
/** Names of files that are gone come a little after the table. */
const named = async (page, name) => {
  await table(page, name);
  await page.getByText('broken export.csv', { exact: true }).first().waitFor();
};
const heading = (page, name) => page.getByRole('heading', { name }).first().waitFor();

/** Each page: its name, whose server, its address, and what is done there before it is shown. */
const PAGES = [
  ['sign-in', 'signed', () => '/console', page => heading(page, 'Sign in to Joblink')],
  ['jobs', 'local', () => '/console/jobs', page => page.locator('[data-job-id]').first().waitFor()],
  [
    'delete-job',
    'local',
    () => '/console/jobs?q=sample',
    async page => {
      await page.getByRole('button', { name: /^Actions for/ }).first().click();
      await page.getByRole('menuitem', { name: 'Delete Job' }).click();
      await page.getByRole('alertdialog').getByText('This action cannot be undone.').waitFor();
    },
  ],
  ['job', 'local', ({ job }) => `/console/jobs/${job}`, page => page.getByText('5 rows not stored').waitFor()],
  ['upload', 'local', () => '/console/upload', page => heading(page, 'Upload')],
  ['predictions', 'local', () => '/console/predictions', page => table(page, 'Predictions')],
  ['receipts', 'local', () => '/console/receipts', page => table(page, 'Receipts')],
  ['receipt', 'local', ({ deleted }) => `/console/receipts/${deleted}`, page => page.getByText('that nothing is left').waitFor()],
  ['audit', 'local', () => '/console/audit', page => named(page, 'Audit log')],
  ['retention', 'local', () => '/console/retention', page => table(page, 'What would be done')],
  [
    'retention-question',
    'local',
    () => '/console/retention',
    async page => {
      await page.getByRole('button', { name: 'Run Retention' }).click();
      await page.getByRole('alertdialog').getByText('This action cannot be undone.').waitFor();
    },
  ],
  ['retention-runs', 'local', () => '/console/retention/runs', page => table(page, 'Runs')],
  ['retention-run', 'local', ({ retention }) => `/console/retention/runs/${retention}`, page => named(page, 'What was done')],
  ['backfill', 'local', () => '/console/backfill', page => table(page, 'Runs')],
  ['backfill-jobs', 'local', ({ backfill }) => `/console/backfill/${backfill}`, page => table(page, 'Decisions')],
  [
    'backfill-left',
    'local',
    ({ backfill }) => `/console/backfill/${backfill}/unresolved`,
    page => table(page, 'Predictions without a link'),
  ],
];

/** Jobs of all kinds, a deletion, a run of retention and one of the backfill; gives the ids that addresses name. */
async function populate(server) {
  await past(server);
  const first = await server.upload('outdated.csv', 40);
  await server.until(first, 'COMPLETED');
  await server.ask('mutation($id: ID!) { deleteJob(id: $id, deletePredictions: true, reason: "Uploaded by mistake") { deletedJobId } }', { id: first });
  const due = async (name, hours, rows, status, bad = 0) => {
    const id = await server.upload(name, rows, { bad, prefix: name.replace(/\W/g, '').toUpperCase() });
    await server.until(id, status);
    server.age(hours, id);
    return id;
  };
  await due('portfolio 2019.csv', 2400, 120, 'COMPLETED');
  await due('portfolio 2020.csv', 1300, 90, 'COMPLETED', 3);
  await due('broken export.csv', 800, 4, 'FAILED', 4);
  const { runRetention } = await server.ask('mutation { runRetention { run { id } } }');
  const retention = runRetention.run.id;
  for (;;) {
    const { node } = await server.ask('query($id: ID!) { node(id: $id) { ... on RetentionRun { finishedAt } } }', { id: retention });
    if (node.finishedAt) break;
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  await due('portfolio 2021.csv', 400, 160, 'COMPLETED', 2);
  await due('portfolio 2022.csv', 210, 75, 'COMPLETED');
  await due('empty cells.csv', 30, 6, 'FAILED', 6);
  const held = await due('annual report.csv', 20, 60, 'COMPLETED');
  await server.ask('mutation($id: ID!) { holdJob(id: $id, reason: "Under audit until December") { userErrors { message } } }', { id: held });
  const job = await due('suppliers.csv', 3, 250, 'COMPLETED', 5);
  // A job of the earlier program that is at work: nobody here stores more of it.
  const running = await due('customers.csv', 0, 180, 'COMPLETED');
  const atWork = "origin = NULL, status = 'processing', completed_at = NULL, total_rows = 500";
  server.database.change(`UPDATE bulk_upload_jobs SET ${atWork} WHERE id = $1`, running);
  const { backfillRuns } = await server.ask('{ backfillRuns { nodes { id } } }');
  return { deleted: first, job, retention, backfill: backfillRuns.nodes[0].id };
}

/** Puts in the place of what differs each time: ids, times to the second, how long something took. */
function settle() {
  const still = new CSSStyleSheet();
  still.replaceSync('* { caret-color: transparent !important; animation: none !important }');
  document.adoptedStyleSheets = [still];
  const ids = new Map();
  const id = found => {
    if (!ids.has(found)) ids.set(found, `01a20000-0000-7000-8000-${`${ids.size + 1}`.padStart(12, '0')}`);
    return ids.get(found);
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode;
    text.nodeValue = text.nodeValue
      .replace(/[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}/g, id)
      .replace(/\d{1,2} \w{3,4} \d{4}, \d\d:\d\d:\d\d/g, '22 Nov 2026, 14:30:00')
      .replace(/\d{1,2} \w{3,4} \d{4} at \d\d:\d\d:\d\d/g, '22 Nov 2026 at 14:30:00')
      .replace(/\d{1,2} \w{3,4} \d{4}(?!,| at)/g, '1 Oct 2026')
      .replace(/[\da-f]{64}/g, '0123456789abcdef'.repeat(4))
      .replace(/^(just now|\d+ min ago)$/g, '2 min ago')
      .replace(/(?<=took |queued for |ran for |^)(less than )?\d+\.\d s$/g, '0.2 s');
  }
}

const chromium = await browser();
const servers = { local: await Server.start('--demo'), signed: await Server.start('--auth', 'jwt') };
let total = 0;
try {
  const ids = await populate(servers.local);
  await mkdir(folder, { recursive: true });
  for (const [name, server, address, act] of PAGES.filter(([name]) => only.length === 0 || only.includes(name))) {
    for (const [size, viewport] of Object.entries(WINDOWS)) {
      const { page, problems } = await open(chromium, { viewport, expected: /status of 401|WebSocket/ });
      await page.goto(`${servers[server].base}${address(ids)}`);
      await act(page);
      const session = await page.context().newCDPSession(page);
      for (const colorScheme of ['light', 'dark']) {
        await page.emulateMedia({ colorScheme });
        await page.evaluate(settle);
        await page.evaluate(() => new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve))));
        const { data } = await session.send('Page.captureScreenshot', { format: 'webp', quality: QUALITY });
        const picture = Buffer.from(data, 'base64');
        total += picture.length;
        await writeFile(join(folder, `${name}-${size}-${colorScheme}.webp`), picture);
      }
      await page.context().close();
      assert.deepEqual(problems, [], name);
    }
    console.log(name);
  }
} finally {
  await Promise.all([chromium.close(), ...Object.values(servers).map(server => server.end())]);
}
console.log(`${(total / 1e6).toFixed(2)} MB in ${folder}`);
