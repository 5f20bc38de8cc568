// A past for the console to show: jobs of an earlier program whose predictions do not say which job made them, and what the
// backfill, run by its own command, found out about them.
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const migration = join(dirname(process.env.JOBLINK_PROGRAM), 'migration');

/** Runs `migration backfill …` on the database of a server, and gives what it prints. */
export async function backfill(server, ...words) {
  const env = { ...process.env, DATABASE_URL: `sqlite://${server.database}` };
  const { stdout } = await promisify(execFile)(migration, ['backfill', ...words], { env });
  return stdout;
}

/** Makes of jobs that have completed what an earlier program left so many hours ago: nothing says which predictions they made. */
export function adopt(server, hours, ...jobs) {
  const text = `hours = f"-{sys.argv[2]} hours"
def shifted(*columns):
    return ", ".join(f"{column} = strftime('%Y-%m-%d %H:%M:%f', {column}, '{hours}')" for column in columns)
for id in sys.argv[3:]:
    job = uuid.UUID(id).bytes
    database.execute(f"UPDATE bulk_upload_jobs SET origin = NULL, {shifted('created_at', 'started_at', 'completed_at', 'updated_at')} WHERE id = ?", (job,))
    for table in ("annual_predictions", "quarterly_predictions"):
        times = shifted("predicted_at", "created_at", "updated_at")
        database.execute(f"UPDATE {table} SET job_id = NULL, job_link = NULL, {times} WHERE job_id = ?", (job,))`;
  server.sql(text, `${hours}`, ...jobs);
}

/** Makes of the last predictions of adopted jobs what somebody made by hand so many hours later. */
export function byHand(server, hours, count) {
  const text = `for table in ("annual_predictions", "quarterly_predictions"):
    rows = database.execute(f"SELECT id FROM {table} WHERE job_id IS NULL AND job_link IS NULL ORDER BY predicted_at DESC LIMIT ?", (int(sys.argv[3]),)).fetchall()
    for row in rows:
        later = f"'+{sys.argv[2]} hours'"
        times = ", ".join(f"{column} = strftime('%Y-%m-%d %H:%M:%f', {column}, {later})" for column in ("predicted_at", "created_at"))
        database.execute(f"UPDATE {table} SET {times} WHERE id = ?", row)`;
  server.sql(text, `${hours}`, `${count}`);
}

/** Makes adopted jobs have been at work at the same time, and their files be lost. */
export async function confuse(server, ...jobs) {
  const text = `ids = [uuid.UUID(id).bytes for id in sys.argv[2:]]
places = ", ".join("?" * len(ids))
times = database.execute(f"SELECT min(started_at), max(completed_at) FROM bulk_upload_jobs WHERE id IN ({places})", ids).fetchone()
database.execute(f"UPDATE bulk_upload_jobs SET started_at = ?, completed_at = ? WHERE id IN ({places})", (*times, *ids))`;
  server.sql(text, ...jobs);
  for (const job of jobs) await rm(join(server.folder, 'artifacts', 'jobs', job), { recursive: true });
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
  server.sql('database.execute("UPDATE bulk_upload_jobs SET total_rows = total_rows + 1 WHERE id = ?", (uuid.UUID(sys.argv[2]).bytes,))', east);
  adopt(server, 500, west, again);
  await confuse(server, west, again);
  const printed = await backfill(server, 'run', '--artifacts', join(server.folder, 'artifacts'), '--unresolved', join(server.folder, 'left.csv'));
  return { made, printed };
}
