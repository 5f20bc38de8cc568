//! `joblink serve`

use std::{net::SocketAddr, time::Duration};

use clap::{Args, ValueEnum};
use tokio::net::TcpListener;

use super::{Exit, demo, place::Place};
use crate::{
    app::{App, Limits},
    auth::{Access, token::Secret},
    files::mark,
    origins::Origins,
    server::{Server, is_loopback_origin},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// No login: every caller is the built-in user; loopback only
    Local,
    /// Bearer tokens, signed with the secret
    Jwt,
}

/// What `serve` takes.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    place: Place,
    /// Where to listen: an IP address and a port
    #[arg(long, env = "JOBLINK_LISTEN", default_value = "127.0.0.1:8080", value_parser = address)]
    listen: SocketAddr,
    /// Use this artifact store from now on, although the database used another one so far
    #[arg(long)]
    accept_artifacts: bool,
    /// How callers sign in
    #[arg(long, env = "JOBLINK_AUTH", value_enum, default_value = "local")]
    auth: Mode,
    /// The secret that signs tokens, at least 32 bytes; needed with `--auth jwt`
    #[arg(long, env = "JOBLINK_JWT_SECRET", hide_env_values = true)]
    jwt_secret: Option<String>,
    /// The zone in which an existing installation's database wrote `created_at` and `updated_at`
    #[arg(long, env = "JOBLINK_ADOPTED_TIMEZONE", default_value = "UTC", value_name = "ZONE", value_parser = zone)]
    adopted_timezone: chrono_tz::Tz,
    /// The largest input file, in bytes
    #[arg(long, env = "JOBLINK_MAX_FILE_BYTES", default_value_t = Limits::default().file_bytes)]
    max_file_bytes: u64,
    /// The most data rows of an input file
    #[arg(long, env = "JOBLINK_MAX_FILE_ROWS", default_value_t = Limits::default().file_rows)]
    max_file_rows: u64,
    /// Jobs that are worked on at a time, 0 to 64; other servers on the database share the work
    #[arg(long, env = "JOBLINK_WORKERS", default_value_t = 2, value_parser = clap::value_parser!(u8).range(0..=64))]
    workers: u8,
    /// Sites whose pages may use the API, each by its origin, with commas between them; with `--auth local` this
    /// machine's alone
    #[arg(long, env = "JOBLINK_CORS_ORIGINS", value_name = "ORIGINS")]
    cors_origin: Option<Origins>,
    /// WebSocket connections and event streams that may be open at a time
    #[arg(long, env = "JOBLINK_MAX_STREAMS", default_value_t = 10_000, value_parser = clap::value_parser!(u32))]
    max_streams: u32,
    /// Apply pending migrations to a PostgreSQL database that is not empty
    #[arg(long, env = "JOBLINK_MIGRATE")]
    migrate: bool,
    /// How long to wait, when told to stop, for requests and batches at hand, in seconds
    #[arg(long, env = "JOBLINK_STOP_WITHIN", default_value_t = 25, value_parser = clap::value_parser!(u64).range(..=3600))]
    stop_within: u64,
    /// Load a sample file, if the database holds no job yet
    #[arg(long)]
    demo: bool,
}

fn zone(text: &str) -> Result<chrono_tz::Tz, String> {
    text.parse().map_err(|_| "give the name of a zone, such as UTC, Asia/Kolkata or America/New_York".to_owned())
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "give an IP address and a port, such as 127.0.0.1:8080".to_owned())
}

/// Serves until it is told to stop (Ctrl-C or SIGTERM).
pub async fn serve(arguments: Arguments) -> Result<(), Exit> {
    let access = access(&arguments)?;
    refuse_strangers(&arguments)?;
    migrate(&arguments).await?;
    let app = app(&arguments).await?;
    let listener = TcpListener::bind(arguments.listen).await.map_err(|error| {
        Exit::failed(&format!("cannot listen on {}; is another server there?", arguments.listen), error)
    })?;
    let server =
        Server::start(app.clone(), access.clone(), listener).map_err(|error| Exit::failed("cannot serve", error))?;
    let base = format!("http://{}", server.address);
    println!("GraphiQL  {base}/graphiql\nGraphQL   {base}/graphql\nHealth    {base}/healthz {base}/readyz");
    if arguments.demo {
        demo::load(&app, access).await?;
    }
    until_told().await;
    let within = Duration::from_secs(arguments.stop_within);
    println!(
        "stopping: requests and batches at hand are finished first, for at most {within:?}; once more stops at once"
    );
    let all = tokio::select! {
        () = server.stop() => true,
        () = until_told() => false,
        () = tokio::time::sleep(within) => false,
    };
    if !all {
        // Whatever was at hand is undone by the database, and jobs go on from their last batch.
        return Err(Exit::Failed("stopped before every request was answered; jobs go on where they are".to_owned()));
    }
    app.db.close().await.map_err(|error| Exit::failed("cannot close the database", error))
}

fn access(arguments: &Arguments) -> Result<Access, Exit> {
    match arguments.auth {
        Mode::Local if arguments.listen.ip().is_loopback() => Ok(Access::Local),
        Mode::Local => Err(Exit::Refused(format!(
            "without login the server listens on loopback addresses alone, and {} is none; use 127.0.0.1 or --auth jwt",
            arguments.listen
        ))),
        Mode::Jwt => {
            let secret = arguments.jwt_secret.as_deref().ok_or_else(|| {
                Exit::Refused("--auth jwt needs JOBLINK_JWT_SECRET: make one with `openssl rand -hex 32`".to_owned())
            })?;
            Secret::new(secret).map(Access::Token).map_err(|error| Exit::Refused(error.to_string()))
        }
    }
}

/// Refuses sites that could not ask anyway: without login the server answers to this machine alone.
fn refuse_strangers(arguments: &Arguments) -> Result<(), Exit> {
    let origins = arguments.cors_origin.iter().flat_map(Origins::all);
    match origins.into_iter().find(|origin| arguments.auth == Mode::Local && !is_loopback_origin(origin)) {
        None => Ok(()),
        Some(origin) => Err(Exit::Refused(format!(
            "without login only pages of this machine may use the API, and {origin:?} of --cors-origin is none; use \
             http://localhost:PORT or --auth jwt"
        ))),
    }
}

/// Refuses a database user to whom every mutation would fail.
async fn refuse_reader(app: &App) -> Result<(), Exit> {
    let closed = app.db.closed_tables().await.map_err(|error| Exit::failed("cannot use the database", error))?;
    if closed.is_empty() {
        return Ok(());
    }
    Err(Exit::Refused(format!(
        "this database user may not read and write {}; grant SELECT, INSERT, UPDATE and DELETE on the tables, or connect as \
         their owner",
        closed.join(", ")
    )))
}

/// Brings the database to the schema that this version needs, where that is this program's to do.
async fn migrate(arguments: &Arguments) -> Result<(), Exit> {
    let url = &arguments.place.database_url;
    let embedded = url.starts_with("sqlite:");
    let failed = |error: migration::Error| match error {
        migration::Error::Refused(why) => Exit::Refused(why),
        error @ migration::Error::Failed(_) => Exit::failed("cannot use the database", error),
    };
    let db = migration::connect(url, None).await.map_err(failed)?;
    let pending = migration::pending(&db).await.map_err(failed)?;
    if !pending.is_empty() {
        if !(embedded || arguments.migrate || migration::is_empty(&db).await.map_err(failed)?) {
            let (count, plural) = (pending.len(), if pending.len() == 1 { "" } else { "s" });
            return Err(Exit::Refused(format!(
                "the database lacks {count} migration{plural}; run `migration up` first, or start with --migrate"
            )));
        }
        migration::up(&db, None, migration::lock::WAIT).await.map_err(failed)?;
    }
    db.close().await.map_err(|error| Exit::failed("cannot close the database", error))
}

async fn app(arguments: &Arguments) -> Result<App, Exit> {
    let limits = Limits {
        file_bytes: arguments.max_file_bytes,
        file_rows: arguments.max_file_rows,
        workers: arguments.workers.into(),
        streams: usize::try_from(arguments.max_streams).unwrap_or(usize::MAX),
        ..Limits::default()
    };
    let mut app = arguments.place.open(limits, arguments.adopted_timezone).await?;
    app.origins = arguments.cors_origin.clone().unwrap_or_default();
    refuse_reader(&app).await?;
    if arguments.accept_artifacts {
        mark::accept(&app).await.map_err(|error| Exit::failed("cannot mark the artifact store", error))?;
    }
    arguments.place.check_store(&app, true).await?;
    Ok(app)
}

async fn until_told() {
    let interrupted = async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::error!("cannot wait for Ctrl-C: {error}");
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminated = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => _ = signal.recv().await,
            Err(error) => {
                tracing::error!("cannot wait for SIGTERM: {error}");
                std::future::pending::<()>().await;
            }
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        () = interrupted => {}
        () = terminated => {}
    }
}
