//! A server, its database and its store, for one test.

use std::{
    env,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use api::{
    app::{App, Limits},
    auth::{
        Access, Clock, Role,
        login::Login,
        names::Names,
        rate::Limiter,
        token::{self, Rules},
    },
    checkpoint::Checkpoints,
    database::Database,
    files::download,
    notifications::Notifications,
    server::{Doors, Server, Tls},
};
use artifacts::ArtifactStore;
use entity::artifact;
use futures_util::TryStreamExt;
use reqwest::{RequestBuilder, Response};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, Statement, prelude::Uuid};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::OnceCell};

/// The secret that signs the tests' tokens.
const SECRET: &str = "a secret for tests alone, longer than thirty-two bytes";
/// How long a test waits for what should happen at once.
const PATIENCE: Duration = Duration::from_mins(1);

/// Which database a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// How a world differs from the usual one.
#[derive(Default)]
pub struct Setup {
    /// Callers need tokens; else every caller is the built-in user.
    pub tokens: bool,
    /// Callers need tokens that this takes, instead of those of [`token`].
    pub login: Option<Login>,
    /// How often callers with tokens may ask; else as often as they like.
    pub limiter: Option<Limiter>,
    /// What happens at the checkpoints.
    pub checkpoints: Checkpoints,
    /// Limits of what callers may send.
    pub limits: Limits,
    /// The sites whose pages may ask, with commas between them.
    pub origins: &'static str,
    /// Do not start the server: no worker runs, no purge.
    pub asleep: bool,
    /// Answer requests alone: no worker runs, no purge.
    pub idle: bool,
    /// Use this database instead of a fresh one.
    pub url: Option<String>,
    /// Read lists from this standby, while it is at most so far behind.
    pub standby: Option<(String, Duration)>,
    /// Use this folder for files instead of a fresh one.
    pub artifacts: Option<PathBuf>,
    /// Serve by TLS.
    pub tls: Option<Tls>,
    /// Use this artifact store instead of a folder.
    pub store: Option<ArtifactStore>,
    /// By which the names of users are remembered.
    pub clock: Clock,
    /// Who is told of deletions and retention runs.
    pub notifications: Notifications,
    /// The zone of the adopted database.
    pub adopted_timezone: Option<chrono_tz::Tz>,
}

/// A server on a database of its own.
pub struct World {
    pub engine: Engine,
    pub app: App,
    /// By which the names of users are remembered.
    pub clock: Clock,
    pub url: String,
    pub artifacts: PathBuf,
    pub http: reqwest::Client,
    /// Statements sent to the database so far.
    pub statements: Arc<AtomicUsize>,
    scheme: &'static str,
    server: Option<Server>,
    _folder: TempDir,
}

static SQLITE_TEMPLATE: OnceCell<PathBuf> = OnceCell::const_new();
static POSTGRES_TEMPLATE: OnceCell<String> = OnceCell::const_new();

/// A client. Its library wants to be told which cryptography to use, although nothing here is encrypted.
pub fn http() -> reqwest::Client {
    _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

/// The PostgreSQL server that `tests/run` started.
pub fn postgres_server() -> String {
    env::var("JOBLINK_TEST_POSTGRES")
        .expect("JOBLINK_TEST_POSTGRES names no server: run the tests by tests/run, or start one with tests/postgres")
}

impl Engine {
    /// The URL of a fresh, migrated database.
    async fn fresh(self, folder: &TempDir) -> String {
        match self {
            Self::Sqlite => {
                let template = SQLITE_TEMPLATE
                    .get_or_init(async || {
                        let path = env::temp_dir().join(format!("joblink-template-{}.db", Uuid::now_v7()));
                        migrate(&format!("sqlite://{}?mode=rwc", path.display())).await;
                        path
                    })
                    .await;
                let path = folder.path().join("joblink.db");
                std::fs::copy(template, &path).unwrap();
                format!("sqlite://{}?mode=rwc", path.display())
            }
            Self::Postgres => {
                let template = POSTGRES_TEMPLATE
                    .get_or_init(async || {
                        let (name, url) = create_database(None).await;
                        migrate(&url).await;
                        name
                    })
                    .await;
                create_database(Some(template)).await.1
            }
        }
    }

    /// The URL of a database without a table.
    pub async fn empty(self, folder: &TempDir) -> String {
        match self {
            Self::Sqlite => format!("sqlite://{}?mode=rwc", folder.path().join("empty.db").display()),
            Self::Postgres => create_database(None).await.1,
        }
    }
}

async fn create_database(template: Option<&str>) -> (String, String) {
    let server = postgres_server();
    let name = format!("t{}", Uuid::now_v7().simple());
    let admin = sea_orm::Database::connect(&server).await.unwrap();
    let template = template.map_or_else(String::new, |template| format!(" TEMPLATE {template}"));
    admin.execute_unprepared(&format!("CREATE DATABASE {name}{template}")).await.unwrap();
    admin.close().await.unwrap();
    let url = format!("{}/{name}", server.rsplit_once('/').unwrap().0);
    (name, url)
}

/// Brings a database to the newest schema.
pub async fn migrate(url: &str) {
    let db = migration::connect(url, None).await.unwrap();
    migration::up(&db, None, migration::lock::WAIT).await.unwrap();
    db.close().await.unwrap();
}

impl World {
    /// A server in local mode.
    pub async fn new(engine: Engine) -> Self {
        Self::with(engine, Setup::default()).await
    }

    /// A server that differs from the usual one.
    pub async fn with(engine: Engine, setup: Setup) -> Self {
        let folder = TempDir::new().unwrap();
        let url = match setup.url {
            Some(url) => url,
            None => engine.fresh(&folder).await,
        };
        let artifacts = setup.artifacts.unwrap_or_else(|| folder.path().join("artifacts"));
        let statements = Arc::new(AtomicUsize::new(0));
        let seen = statements.clone();
        let watch = Arc::new(move || _ = seen.fetch_add(1, Ordering::Relaxed));
        let db = Database::connect_with(&url, 8, Some(watch)).await.unwrap();
        let db = match &setup.standby {
            Some((url, behind)) => db.with_standby(url, *behind).unwrap(),
            None => db,
        };
        let store = setup.store.unwrap_or_else(|| ArtifactStore::open(artifacts.to_str().unwrap()).unwrap());
        let zone = setup.adopted_timezone.unwrap_or(chrono_tz::UTC);
        let mut app = App::new(db, store, setup.limits, zone, setup.checkpoints);
        app.origins = setup.origins.parse().unwrap();
        app.notifications = setup.notifications;
        app.names = Names::new(setup.clock.clone());
        let mut scheme = "http";
        let server = if setup.asleep {
            None
        } else {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let usual = || Login::with_secret(&secret(), Rules::default(), Clock::default());
            let login = setup.login.or_else(|| setup.tokens.then(usual)).map(Arc::new);
            let limiter = setup.limiter.map(Arc::new);
            let access = login.map_or(Access::Local, |login| Access::Token { login, limiter });
            let start = if setup.idle { Server::start_idle } else { Server::start };
            let metrics = Some(TcpListener::bind("127.0.0.1:0").await.unwrap());
            scheme = if setup.tls.is_some() { "https" } else { "http" };
            Some(start(app.clone(), access, Doors { listener, tls: setup.tls, metrics }).unwrap())
        };
        Self {
            engine,
            app,
            clock: setup.clock,
            url,
            artifacts,
            http: http(),
            statements,
            scheme,
            server,
            _folder: folder,
        }
    }

    /// Where the server answers.
    pub fn base(&self) -> String {
        format!("{}://{}", self.scheme, self.server().address)
    }

    /// The server.
    pub fn server(&self) -> &Server {
        self.server.as_ref().expect("the world is asleep")
    }

    /// The server, to be stopped by the test itself.
    pub fn take_server(&mut self) -> Server {
        self.server.take().expect("the world is asleep")
    }

    /// Answers requests, and no more, with another app than the world's own.
    pub async fn serve(&mut self, app: App) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.server = Some(Server::start_idle(app, Access::Local, listener).unwrap());
    }

    /// Answers requests and works in the background, with another app than the world's own.
    pub async fn serve_all(&mut self, app: App) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.server = Some(Server::start(app, Access::Local, listener).unwrap());
    }

    /// Stops the server as a signal would; the database stays.
    pub async fn stop(&mut self) {
        self.take_server().stop().await;
    }

    /// A request that is not sent yet.
    pub fn post(&self) -> RequestBuilder {
        self.http.post(format!("{}/graphql", self.base()))
    }

    /// Sends a request without a token and gives the whole answer.
    pub async fn answer(&self, query: &str, variables: Value) -> Value {
        answer(self.post(), query, variables).await
    }

    /// Sends a request without a token, which must succeed, and gives its data.
    pub async fn data(&self, query: &str, variables: Value) -> Value {
        data(self.answer(query, variables).await)
    }

    /// As [`Self::answer`], signed in.
    pub async fn answer_to(&self, token: &str, query: &str, variables: Value) -> Value {
        answer(self.post().bearer_auth(token), query, variables).await
    }

    /// As [`Self::data`], signed in.
    pub async fn data_to(&self, token: &str, query: &str, variables: Value) -> Value {
        data(self.answer_to(token, query, variables).await)
    }

    /// Sends a file and gives the payload of `createJob`.
    pub async fn create(&self, kind: &str, name: &str, file: impl Into<Vec<u8>>) -> Value {
        let response = multipart(self.post(), kind, name, file.into()).await;
        data(response.json().await.unwrap())["createJob"].take()
    }

    /// As [`Self::create`], signed in.
    pub async fn create_as(&self, token: &str, kind: &str, name: &str, file: impl Into<Vec<u8>>) -> Value {
        let response = multipart(self.post().bearer_auth(token), kind, name, file.into()).await;
        data(response.json().await.unwrap())["createJob"].take()
    }

    /// Sends a file that makes a job, waits for the job's end, and gives its id.
    pub async fn upload(&self, kind: &str, name: &str, file: impl Into<Vec<u8>>) -> String {
        let created = self.create(kind, name, file).await;
        let id = created["job"]["id"].as_str().unwrap_or_else(|| panic!("no job: {created}")).to_owned();
        self.ended(&id).await;
        id
    }

    /// Waits until a job has ended and gives its status as stored.
    pub async fn ended(&self, id: &str) -> String {
        let sql = "SELECT status FROM bulk_upload_jobs WHERE id = $1";
        self.until(async || {
            let status: String = self.one(sql, [id.parse::<Uuid>().unwrap().into()]).await;
            ["completed", "failed", "cancelled"].contains(&status.as_str()).then_some(status)
        })
        .await
    }

    /// Waits until the files of deleted jobs are purged.
    pub async fn purged(&self) {
        self.until(async || {
            (self.count("SELECT count(*) FROM artifact_purges WHERE completed_at IS NULL").await == 0).then_some(())
        })
        .await;
    }

    /// Asks again and again until there is an answer; panics where there is none in a minute.
    pub async fn until<T>(&self, ask: impl AsyncFn() -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            assert!(began.elapsed() < PATIENCE, "waited for a minute in vain");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The number that a query answers.
    pub async fn count(&self, sql: &str) -> i64 {
        self.one(sql, []).await
    }

    /// The one value that a query answers.
    pub async fn one<T: sea_orm::TryGetable>(&self, sql: &str, values: impl IntoIterator<Item = sea_orm::Value>) -> T {
        let statement = Statement::from_sql_and_values(self.app.db.backend(), sql, values);
        let row = self.app.db.reader().query_one_raw(statement).await.unwrap().expect("one row");
        row.try_get_by_index(0).unwrap()
    }

    /// All rows that a query answers, as JSON.
    pub async fn rows(&self, sql: &str) -> Vec<Value> {
        let statement = Statement::from_string(self.app.db.backend(), sql);
        sea_orm::JsonValue::find_by_statement(statement).all(self.app.db.reader()).await.unwrap()
    }

    /// Runs SQL.
    pub async fn run(&self, sql: &str) {
        self.app.db.reader().execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// What a file of a job holds.
    pub async fn content(&self, file: &artifact::Model) -> Vec<u8> {
        let chunks: Vec<_> = self.app.store.read(download::key(file)).await.unwrap().try_collect().await.unwrap();
        chunks.concat()
    }

    /// The file of this kind of a job (`input`, `log`, `results`), as text; empty where there is none.
    pub async fn file(&self, job: &str, kind: &str) -> String {
        let job: Uuid = job.parse().unwrap();
        let found = artifact::Entity::find().filter(artifact::Column::JobId.eq(job));
        match found.filter(artifact::Column::Kind.eq(kind)).one(self.app.db.reader()).await.unwrap() {
            Some(file) => String::from_utf8(self.content(&file).await).unwrap(),
            None => String::new(),
        }
    }

    /// Statements that something sends to the database.
    pub async fn statements_of<T>(&self, what: impl Future<Output = T>) -> (usize, T) {
        let before = self.statements.load(Ordering::Relaxed);
        let answer = what.await;
        (self.statements.load(Ordering::Relaxed) - before, answer)
    }
}

/// The secret of the tests' servers.
pub fn secret() -> token::Secret {
    token::Secret::new(SECRET).unwrap()
}

/// A token for an hour.
pub fn token(user: Uuid, organization: Option<Uuid>, role: Role) -> String {
    token::mint(&secret(), &Rules::default(), user, organization, role, Duration::from_hours(1)).unwrap()
}

async fn answer(request: RequestBuilder, query: &str, variables: Value) -> Value {
    let response = request.json(&json!({ "query": query, "variables": variables })).send().await.unwrap();
    response.json().await.unwrap()
}

fn data(mut answer: Value) -> Value {
    assert!(answer.get("errors").is_none(), "{answer}");
    answer["data"].take()
}

/// Sends `createJob` with a file by the multipart specification.
pub async fn multipart(request: RequestBuilder, kind: &str, name: &str, file: Vec<u8>) -> Response {
    multipart_request(request, kind, name, file, None).send().await.unwrap()
}

/// The same, not sent yet; with an idempotency key, where there is to be one.
pub fn multipart_request(
    request: RequestBuilder,
    kind: &str,
    name: &str,
    file: Vec<u8>,
    key: Option<&str>,
) -> RequestBuilder {
    let operations = json!({
        "query": "mutation($kind: PredictionKind!, $file: Upload!, $key: String) {
            createJob(input: {kind: $kind, source: {file: $file}, idempotencyKey: $key}) {
                job { id status progress { total } } userErrors { code message field } } }",
        "variables": { "kind": kind, "file": null, "key": key },
    });
    let form = reqwest::multipart::Form::new()
        .text("operations", operations.to_string())
        .text("map", json!({ "0": ["variables.file"] }).to_string())
        .part("0", reqwest::multipart::Part::bytes(file).file_name(name.to_owned()));
    request.header("apollo-require-preflight", "1").multipart(form)
}
