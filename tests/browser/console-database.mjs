// The databases that the tests of the console run on: a SQLite file, or where JOBLINK_TEST_ON is "postgres" a fresh database
// of the PostgreSQL server that JOBLINK_TEST_POSTGRES names. Both are written to beside Joblink, as an older program does.
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';

const server = process.env.JOBLINK_TEST_POSTGRES;
/** Which database this run is on. */
export const on = process.env.JOBLINK_TEST_ON ?? 'sqlite';
if (on !== 'sqlite' && on !== 'postgres') throw new Error(`JOBLINK_TEST_ON is "${on}": "sqlite" and "postgres" are known`);
if (on === 'postgres' && !server) throw new Error('JOBLINK_TEST_POSTGRES says on which server: postgres://postgres@127.0.0.1:5432/postgres');

// On SQLite a UUID is its 16 bytes.
const PYTHON = `
import json, re, sqlite3, sys, uuid
is_id = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch
stored = lambda value: uuid.UUID(value).bytes if isinstance(value, str) and is_id(value) else value
task = json.load(sys.stdin)
database = sqlite3.connect(sys.argv[1], timeout=30)
database.executemany(task["statement"], [[stored(value) for value in row] for row in task["rows"]])
database.commit()
`;

class Sqlite {
  #file;

  constructor(folder) {
    this.#file = join(folder, 'joblink.db');
  }

  get url() {
    return `sqlite://${this.#file}?mode=rwc`;
  }

  change(statement, ...values) {
    this.#execute(statement.replaceAll('$', '?'), [values]);
  }

  insert(table, rows) {
    const columns = Object.keys(rows[0]);
    this.#execute(`INSERT INTO ${table} (${columns}) VALUES (${columns.map(() => '?')})`, rows.map(Object.values));
  }

  #execute(statement, rows) {
    execFileSync('python3', ['-c', PYTHON, this.#file], { input: JSON.stringify({ statement, rows }), maxBuffer: 2 ** 28 });
  }

  end() {}
}

class Postgres {
  #name = `joblink_${randomUUID().replaceAll('-', '')}`;

  constructor() {
    this.#psql(server, `CREATE DATABASE ${this.#name}`);
  }

  get url() {
    return Object.assign(new URL(server), { pathname: this.#name }).href;
  }

  change(statement, ...values) {
    const literal = value => (typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : `${value}`);
    this.#psql(this.url, statement.replace(/\$(\d+)/g, (_, at) => literal(values[at - 1])));
  }

  insert(table, rows) {
    const cell = value => (value === null ? '' : `"${`${value}`.replaceAll('"', '""')}"`);
    const lines = rows.map(row => Object.values(row).map(cell).join(','));
    this.#psql(this.url, [`COPY ${table} (${Object.keys(rows[0])}) FROM STDIN WITH (FORMAT csv);`, ...lines, '\\.'].join('\n'));
    // Which autovacuum does within a minute.
    this.#psql(this.url, `ANALYZE ${table}`);
  }

  #psql(url, input) {
    const options = ['--no-psqlrc', '--quiet', '--no-password', '--set=ON_ERROR_STOP=1', `--dbname=${url}`];
    execFileSync('psql', options, { input: `${input}\n` });
  }

  end() {
    this.#psql(server, `DROP DATABASE IF EXISTS ${this.#name} WITH (FORCE)`);
  }
}

/** A database of nobody else; `folder` is for a file. */
export const database = folder => (on === 'postgres' ? new Postgres() : new Sqlite(folder));

/** What sets times so many hours later in an UPDATE. */
export const later = (hours, ...columns) =>
  columns
    .map(column => `${column} = ${on === 'postgres' ? `${column} + interval '${hours} hours'` : `strftime('%Y-%m-%d %H:%M:%f', ${column}, '${hours} hours')`}`)
    .join(', ');
