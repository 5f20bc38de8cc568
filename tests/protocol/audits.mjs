// Runs all audits of GraphQL over HTTP (npm graphql-http) against a server: what it must, should and may do alike.
//   node audits.mjs http://127.0.0.1:PORT
// Prints each audit that is not ok and exits 1, or how many were ok.
import { serverAudits } from 'graphql-http';

const [base] = process.argv.slice(2);
if (!base) {
  console.error('usage: node audits.mjs http://127.0.0.1:PORT');
  process.exit(1);
}

/** As many as the pinned version has. */
const expected = 61;

const audits = serverAudits({ url: new URL('/graphql', base).href });
const results = await Promise.all(audits.map(audit => audit.fn()));
const failed = results.filter(result => result.status !== 'ok');
for (const { id, name, status, reason } of failed) console.error(`${status} ${id} ${name}: ${reason}`);
if (failed.length || results.length !== expected) {
  console.error(`audits: ${results.length - failed.length} ok of ${results.length}, ${expected} expected`);
  process.exit(1);
}
console.log(`audits: ${results.length} ok`);
