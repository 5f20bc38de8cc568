// A past for the console to show: jobs of an earlier program whose predictions do not say which job made them, and what the
// backfill, run by its own command, found out about them.
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { later } from './console-database.mjs';

const migration = join(dirname(process.env.JOBLINK_PROGRAM), 'migration');

/** Runs `migration backfill …` on the database of a server, and gives what it prints. */
export async function backfill(server, ...words) {
  const env = { ...process.env, DATABASE_URL: server.database.url };
  const { stdout } = await promisify(execFile)(migration, ['backfill', ...words], { env });
  return stdout;
}

const TABLES = ['annual_predictions', 'quarterly_predictions'];

/** Makes of jobs that have completed what an earlier program left so many hours ago: nothing says which predictions they made. */
export function adopt({ database }, hours, ...jobs) {
  for (const job of jobs) {
    const times = later(-hours, 'created_at', 'started_at', 'completed_at', 'updated_at');
    database.change(`UPDATE bulk_upload_jobs SET origin = NULL, ${times} WHERE id = $1`, job);
    for (const table of TABLES) {
      const times = later(-hours, 'predicted_at', 'created_at', 'updated_at');
      database.change(`UPDATE ${table} SET job_id = NULL, job_link = NULL, ${times} WHERE job_id = $1`, job);
    }
  }
}

/** Makes of the last predictions of adopted jobs what somebody made by hand so many hours later. */
export function byHand({ database }, hours, count) {
  for (const table of TABLES) {
    const last = `SELECT id FROM ${table} WHERE job_id IS NULL AND job_link IS NULL ORDER BY predicted_at DESC LIMIT ${count}`;
    database.change(`UPDATE ${table} SET ${later(hours, 'predicted_at', 'created_at')} WHERE id IN (${last})`);
  }
}

/** Makes two adopted jobs have been at work at the same time, and their files be lost. */
export async function confuse({ database, folder }, one, other) {
  const of = what => `(SELECT ${what} FROM bulk_upload_jobs WHERE id IN ($1, $2))`;
  const times = `started_at = ${of('min(started_at)')}, completed_at = ${of('max(completed_at)')}`;
  database.change(`UPDATE bulk_upload_jobs SET ${times} WHERE id IN ($1, $2)`, one, other);
  for (const job of [one, other]) await rm(join(folder, 'artifacts', 'jobs', job), { recursive: true });
}

/**
 * A whole past, and a run of the backfill: two jobs that it links, one whose file disagrees with its count, two that it cannot
 * tell apart, predictions by hand. Gives the ids of the jobs by their names, and what the run printed.
 */
export async function past(server) {
  const made = {};
  for (const [name, rows] of [['north 2021', 30], ['south 2021', 24], ['east 2022', 12], ['west 2022', 9], ['west 2022 again', 7]]) {
    made[name] = await server.upload(`${name}.csv`, rows, { prefix: name.replace(/\W/g, '').toUpperCase() });
    await server.until(made[name], 'COMPLETED');
  }
  const { 'east 2022': east, 'west 2022': west, 'west 2022 again': again } = made;
  adopt(server, 2000, made['north 2021'], made['south 2021']);
  byHand(server, 30, 4);
  adopt(server, 1000, east);
  server.database.change('UPDATE bulk_upload_jobs SET total_rows = total_rows + 1 WHERE id = $1', east);
  adopt(server, 500, west, again);
  await confuse(server, west, again);
  const printed = await backfill(server, 'run', '--artifacts', join(server.folder, 'artifacts'), '--unresolved', join(server.folder, 'left.csv'));
  return { made, printed };
}
