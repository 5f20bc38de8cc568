//! `joblink serve`

use std::{io::Write, net::SocketAddr, path::PathBuf, time::Duration};

use clap::Args;
use migration::counted::counted;
use tokio::net::TcpListener;

use super::{
    Exit, demo, limits::GraphqlLimits, notification_settings::NotificationSettings, place::Place,
    retention_settings::RetentionSettings, sign_in::SignIn, signals::until_told,
};
use crate::{
    app::{App, ConnectionLimits, Limits},
    audit::append_only,
    auth::Access,
    files::mark,
    notifications::Notifications,
    origins::Origins,
    retention::schedule::Schedule,
    server::{Doors, Server, Tls, is_loopback_origin},
};

/// What `serve` takes.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    place: Place,
    /// Where to listen: an IP address and a port
    #[arg(long, env = "JOBLINK_LISTEN", default_value = "127.0.0.1:8080", value_parser = address)]
    listen: SocketAddr,
    /// Read lists from this standby of the PostgreSQL database, or from the first of `HOST:PORT,HOST:PORT,…` that follows it. Who
    /// changes something reads from the database itself until the standby shows it
    #[arg(long, env = "DATABASE_READ_URL", hide_env_values = true, value_name = "URL")]
    database_read_url: Option<String>,
    /// How far the standby may be behind, in seconds; else lists are read from the database itself
    #[arg(long, env = "JOBLINK_READ_LAG", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    read_lag: u64,
    /// Use this artifact store from now on, although the database used another one so far
    #[arg(long)]
    accept_artifacts: bool,
    #[command(flatten)]
    sign_in: SignIn,
    /// Serve by TLS, with the certificate in this PEM file, and those after it that lead to its root; needs --tls-key.
    /// A changed file is taken within ten seconds
    #[arg(long, env = "JOBLINK_TLS_CERT", value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// The key of the certificate, a PEM file
    #[arg(long, env = "JOBLINK_TLS_KEY", value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Connections at a time; more wait
    #[arg(long, env = "JOBLINK_MAX_CONNECTIONS", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..))]
    max_connections: u32,
    /// Connections at a time from one address, 0 for as many as there may be at all; more are closed
    #[arg(long, env = "JOBLINK_MAX_CONNECTIONS_PER_ADDRESS", default_value_t = 0)]
    max_connections_per_address: u32,
    /// Show metrics for Prometheus at /metrics of this IP address and port, to whoever can reach it
    #[arg(long, env = "JOBLINK_METRICS_LISTEN", value_parser = address, value_name = "ADDRESS")]
    metrics_listen: Option<SocketAddr>,
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
    /// How many of them one user may have open at a time, and how many subscriptions; no limit with `--auth local`
    #[arg(long, env = "JOBLINK_MAX_STREAMS_PER_USER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    max_streams_per_user: u32,
    /// Requests of one user, or of one address without a login, that may be at work at a time; no limit with `--auth local`
    #[arg(long, env = "JOBLINK_MAX_CONCURRENT", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    max_concurrent: u32,
    /// Apply pending migrations to a PostgreSQL database that is not empty
    #[arg(long, env = "JOBLINK_MIGRATE")]
    migrate: bool,
    /// How long to wait, when told to stop, for requests and batches at hand, in seconds
    #[arg(long, env = "JOBLINK_STOP_WITHIN", default_value_t = 25, value_parser = clap::value_parser!(u64).range(..=3600))]
    stop_within: u64,
    /// How long to go on as before, when told to stop, with /readyz saying no, in seconds
    #[arg(long, env = "JOBLINK_DRAIN_DELAY", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=3600))]
    drain_delay: u64,
    /// Load a sample file, if the database holds no job yet
    #[arg(long)]
    demo: bool,
    #[command(flatten)]
    graphql_limits: GraphqlLimits,
    #[command(flatten)]
    retention: RetentionSettings,
    /// When to run the retention policy: a cron line of five fields, by UTC, such as `0 2 * * *`; without it only when asked.
    /// Of several servers on a database one runs it, up to a minute later
    #[arg(long, env = "JOBLINK_RETENTION_SCHEDULE", value_name = "CRON")]
    retention_schedule: Option<Schedule>,
    #[command(flatten)]
    notifications: NotificationSettings,
}

fn zone(text: &str) -> Result<chrono_tz::Tz, String> {
    text.parse().map_err(|_| "give the name of a zone, such as UTC, Asia/Kolkata or America/New_York".to_owned())
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "give an IP address and a port, such as 127.0.0.1:8080".to_owned())
}

/// Serves until it is told to stop (Ctrl-C or SIGTERM).
pub async fn serve(arguments: Arguments) -> Result<(), Exit> {
    let access = arguments.sign_in.access(arguments.listen).await?;
    refuse_strangers(&access, &arguments)?;
    let tls = tls(&arguments)?;
    let notifications = arguments.notifications.notifications()?;
    migrate(&arguments).await?;
    let app = app(&arguments, notifications).await?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let metrics = match arguments.metrics_listen {
        Some(address) => Some(bind(address).await?),
        None => None,
    };
    let doors = Doors { listener: bind(arguments.listen).await?, tls, metrics };
    let server =
        Server::start(app.clone(), access.clone(), doors).map_err(|error| Exit::failed("cannot serve", error))?;
    let base = format!("{scheme}://{}", server.address);
    say(format_args!(
        "Console   {base}/console\nGraphiQL  {base}/graphiql\nGraphQL   {base}/graphql\nHealth    {base}/healthz {base}/readyz"
    ));
    if let Some(address) = server.metrics {
        say(format_args!("Metrics   http://{address}/metrics"));
    }
    if arguments.demo {
        demo::load(&app, access).await?;
    }
    until_told().await;
    server.leave();
    if arguments.drain_delay > 0 {
        let delay = Duration::from_secs(arguments.drain_delay);
        say(format_args!("not ready any more; stopping in {delay:?}, or when told once more"));
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = until_told() => {}
        }
    }
    let within = Duration::from_secs(arguments.stop_within);
    say(format_args!(
        "stopping: requests and batches at hand are finished first, for at most {within:?}; once more stops at once"
    ));
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

/// Tells whoever started the server. That nobody reads it any more is no reason to end, as it would be to `println!`.
pub fn say(text: std::fmt::Arguments<'_>) {
    if let Err(error) = writeln!(std::io::stdout().lock(), "{text}") {
        tracing::debug!("nobody reads what is printed: {error}");
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Exit> {
    let taken = |error| Exit::failed(&format!("cannot listen on {address}; is another server there?"), error);
    TcpListener::bind(address).await.map_err(taken)
}

fn tls(arguments: &Arguments) -> Result<Option<Tls>, Exit> {
    match (&arguments.tls_cert, &arguments.tls_key) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => {
            Tls::read(certificate, key).map(Some).map_err(|error| Exit::failed("cannot serve by TLS", error))
        }
        _ => Err(Exit::Usage("TLS wants both --tls-cert and --tls-key".to_owned())),
    }
}

/// Refuses sites that could not ask anyway: without login the server answers to this machine alone.
fn refuse_strangers(access: &Access, arguments: &Arguments) -> Result<(), Exit> {
    let origins = arguments.cors_origin.iter().flat_map(Origins::all);
    match origins.into_iter().find(|origin| matches!(access, Access::Local) && !is_loopback_origin(origin)) {
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
        "this database user may not read and write {}; grant SELECT, INSERT, UPDATE and DELETE on the tables (on audit_log \
         SELECT and INSERT alone), or connect as their owner",
        closed.join(", ")
    )))
}

/// Warns of a database user to whom the audit log is not append-only.
async fn warn_of_open_audit_log(app: &App) -> Result<(), Exit> {
    let warning =
        append_only::warning(&app.db).await.map_err(|error| Exit::failed("cannot use the database", error))?;
    if let Some(warning) = warning {
        tracing::warn!("{warning}");
    }
    Ok(())
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
            let lacking = counted(pending.len(), "migration");
            return Err(Exit::Refused(format!(
                "the database lacks {lacking}; run `migration up` first, or start with --migrate"
            )));
        }
        migration::up(&db, None, migration::lock::WAIT).await.map_err(failed)?;
    }
    if migration::copy::is_unfinished(&db).await.map_err(|error| failed(error.into()))? {
        return Err(Exit::Refused(migration::copy::UNFINISHED.to_owned()));
    }
    db.close().await.map_err(|error| Exit::failed("cannot close the database", error))
}

async fn app(arguments: &Arguments, notifications: Notifications) -> Result<App, Exit> {
    let limits = Limits {
        file_bytes: arguments.max_file_bytes,
        file_rows: arguments.max_file_rows,
        workers: arguments.workers.into(),
        streams: count(arguments.max_streams),
        streams_per_user: count(arguments.max_streams_per_user),
        at_work: count(arguments.max_concurrent),
        connections: ConnectionLimits {
            connections: count(arguments.max_connections),
            per_address: count(arguments.max_connections_per_address),
            ..ConnectionLimits::default()
        },
        ..Limits::default()
    };
    let limits = arguments.graphql_limits.apply(limits);
    let mut app = arguments.place.open(&limits, arguments.adopted_timezone).await?;
    if let Some(url) = &arguments.database_read_url {
        let db = app.db.with_standby(url, Duration::from_secs(arguments.read_lag));
        app.db = db.map_err(|error| {
            Exit::Usage(format!("cannot use the standby of --database-read-url: {}", migration::Error::from(error)))
        })?;
    }
    arguments.retention.apply(&mut app);
    app.notifications = notifications;
    app.retention.schedule = arguments.retention_schedule.clone();
    app.origins = arguments.cors_origin.clone().unwrap_or_default();
    refuse_reader(&app).await?;
    warn_of_open_audit_log(&app).await?;
    if arguments.accept_artifacts {
        mark::accept(&app).await.map_err(|error| Exit::failed("cannot mark the artifact store", error))?;
    }
    arguments.place.check_store(&app, true).await?;
    Ok(app)
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
