// How soon the console can be used: prints a line of JSON for each visit, with the milliseconds from the beginning of the
// navigation until the first job's row is painted and its button takes a click, which is then given.
//   node interactive.mjs http://127.0.0.1:8080 COUNT
// Each visit is a first one, with nothing kept by the browser, followed by a second one of the same browser.
import assert from 'node:assert/strict';
import { browser } from './console-world.mjs';

const [base, count] = process.argv.slice(2);
assert.ok(base && Number(count) > 0, 'usage: node interactive.mjs URL COUNT');

/** Notes in the page when the first row is there, painted, and not covered by anything. */
function watch() {
  const look = () => {
    const button = document.querySelector('[data-job-id] button.more');
    const box = button?.getBoundingClientRect();
    const top = box && document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    if (!top || !button.contains(top)) return requestAnimationFrame(look);
    // The frame with it is painted, and whatever held the page up is done, when the one after it begins.
    requestAnimationFrame(() => setTimeout(() => (globalThis.interactive = performance.now())));
  };
  requestAnimationFrame(look);
}

async function visit(page) {
  await page.goto(`${base}/console`, { waitUntil: 'commit' });
  await page.waitForFunction(() => globalThis.interactive !== undefined, undefined, { polling: 'raf' });
  const milliseconds = await page.evaluate(() => globalThis.interactive);
  await page.locator('[data-job-id] button.more').first().click();
  await page.getByRole('menuitem').first().waitFor();
  return milliseconds;
}

const chromium = await browser();
for (let at = 0; at < Number(count); at++) {
  const context = await chromium.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en-GB' });
  const page = await context.newPage();
  await page.addInitScript(watch);
  const first = await visit(page);
  const again = await visit(page);
  console.log(JSON.stringify({ first, again }));
  await context.close();
}
await chromium.close();
