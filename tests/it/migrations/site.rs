//! Databases as operators have them: empty, or of an existing installation.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use flate2::read::GzDecoder;
use migration::lock::WAIT;
use sea_orm::{ConnectionTrait, DatabaseConnection};
use tempfile::TempDir;
use tests::Engine;

/// The tables of an existing installation.
pub const ADOPTED: [&str; 8] = [
    "annual_predictions",
    "bulk_upload_jobs",
    "companies",
    "organization_member_whitelist",
    "organizations",
    "quarterly_predictions",
    "tenants",
    "users",
];
const FIXTURE: &str = include_str!("../../fixtures/adopted.sql");
/// How the fixture's ids begin; two digits follow.
const PREFIX: &str = "00000000-0000-4000-8000-0000000000";
/// All migrations.
pub const MIGRATIONS: usize = 24;

/// A database and one connection to it.
pub struct Site {
    pub engine: Engine,
    pub url: String,
    pub db: DatabaseConnection,
    _folder: TempDir,
}

impl Site {
    /// A database without a table.
    pub async fn empty(engine: Engine) -> Self {
        let folder = TempDir::new().unwrap();
        let url = engine.empty(&folder).await;
        let db = migration::connect(&url, None).await.unwrap();
        Self { engine, url, db, _folder: folder }
    }

    /// A database made by Joblink itself.
    pub async fn made(engine: Engine) -> Self {
        let site = Self::empty(engine).await;
        migration::up(&site.db, None, WAIT).await.unwrap();
        site
    }

    /// A small database of an existing installation.
    pub async fn adopted(engine: Engine) -> Self {
        let site = Self::empty(engine).await;
        if engine == Engine::Postgres {
            site.run(FIXTURE).await;
            return site;
        }
        // The older program knew PostgreSQL alone; this is how its tables would look.
        migration::up(&site.db, Some(1), WAIT).await.unwrap();
        site.run("DROP TABLE joblink_made_tables; DROP TABLE joblink_migration_checksums; DROP TABLE seaql_migrations")
            .await;
        let (_, rows) = FIXTURE.split_once("-- rows\n").unwrap();
        let (rows, _) = rows.split_once("-- keys").unwrap();
        site.run("PRAGMA foreign_keys = OFF").await;
        site.run(&ids_as_sqlite_keeps_them(rows)).await;
        site.run("PRAGMA foreign_keys = ON").await;
        assert_eq!(site.strings("SELECT \"table\" FROM pragma_foreign_key_check").await, Vec::<String>::new());
        site
    }

    /// A real dump of an existing installation, where it is at hand.
    pub async fn dump(name: &str) -> Option<Self> {
        let file = shared()?.join(format!("legacy/{name}/legacy.sql.gz"));
        if !file.exists() {
            return None;
        }
        let site = Self::empty(Engine::Postgres).await;
        let mut psql = Command::new("psql")
            .args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", &site.url])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("psql restores the dump");
        let mut dump = GzDecoder::new(std::fs::File::open(file).unwrap());
        std::io::copy(&mut dump, &mut psql.stdin.take().unwrap()).unwrap();
        assert!(psql.wait().unwrap().success(), "the dump is not restored");
        Some(site)
    }

    /// Another connection to the database.
    pub async fn session(&self) -> DatabaseConnection {
        migration::connect(&self.url, None).await.unwrap()
    }

    /// One of the fixture's ids, as SQL writes it.
    pub fn id(&self, number: u8) -> String {
        let id = format!("'{PREFIX}{number:02x}'");
        if self.engine == Engine::Sqlite { ids_as_sqlite_keeps_them(&id) } else { id }
    }

    /// Runs SQL.
    pub async fn run(&self, sql: &str) {
        run(&self.db, sql).await;
    }

    /// The number that a query answers.
    pub async fn count(&self, sql: &str) -> i64 {
        migration::catalogue::count(&self.db, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The strings that a query of one column answers, in order.
    pub async fn strings(&self, sql: &str) -> Vec<String> {
        let rows = migration::catalogue::strings(&self.db, sql).await;
        rows.unwrap_or_else(|error| panic!("{sql}: {error}")).into_iter().collect()
    }

    /// What each adopted table holds, in the columns that it has now; for [`Self::data_in`] later on.
    pub async fn columns(&self) -> BTreeMap<&'static str, Vec<String>> {
        let mut columns = BTreeMap::new();
        for table in ADOPTED {
            let sql = match self.engine {
                Engine::Sqlite => format!("SELECT name FROM pragma_table_info('{table}')"),
                Engine::Postgres => format!(
                    "SELECT column_name::text FROM information_schema.columns \
                     WHERE table_schema = current_schema() AND table_name = '{table}'"
                ),
            };
            columns.insert(table, self.strings(&sql).await);
        }
        columns
    }

    /// A checksum of each table's rows, or the rows themselves, in these columns.
    pub async fn data_in(&self, columns: &BTreeMap<&'static str, Vec<String>>) -> Vec<String> {
        let mut data = Vec::new();
        for (table, columns) in columns.iter().filter(|(_, columns)| !columns.is_empty()) {
            let sql = match self.engine {
                Engine::Sqlite => {
                    let cells: Vec<_> = columns.iter().map(|column| format!("quote({column})")).collect();
                    let row = cells.join(" || ',' || ");
                    format!(
                        "SELECT '{table} ' || coalesce(group_concat(row, char(10)), '') FROM (SELECT {row} AS row FROM {table} ORDER BY id)"
                    )
                }
                Engine::Postgres => format!(
                    "SELECT '{table} ' || count(*) || ' ' || coalesce(md5(string_agg(row, E'\\n' ORDER BY row)), '') \
                     FROM (SELECT ROW({})::text AS row FROM {table}) AS rows",
                    columns.join(", ")
                ),
            };
            data.append(&mut self.strings(&sql).await);
        }
        data
    }

    /// The schema, the ledger and what the adopted tables hold: all that a refusal must not change.
    pub async fn everything(&self) -> Vec<String> {
        let mut everything = self.schema_and_ledger().await;
        everything.append(&mut self.data_in(&self.columns().await).await);
        everything
    }
}

/// Runs SQL in a session.
pub async fn run(db: &DatabaseConnection, sql: &str) {
    db.execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// Asks again and again until there is an answer; panics where there is none in a minute.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(began.elapsed() < Duration::from_mins(1), "waited for a minute in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Turns the fixture's ids into the bytes that the driver reads and writes.
fn ids_as_sqlite_keeps_them(sql: &str) -> String {
    sql.replace(&format!("'{PREFIX}"), &format!("x'{}", PREFIX.replace('-', "")))
}

/// Where real data is, on machines that have it.
pub fn shared() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?.parent()?.join("shared");
    folder.is_dir().then_some(folder)
}
