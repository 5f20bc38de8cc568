//! A PostgreSQL database on several hosts, of which one takes changes: `postgres://a:5432,b:5432,c:5432/name`.
//!
//! The driver knows one host (sqlx 0.9), so the list is taken apart here, and each host is asked how it stands. A cluster
//! manager (`pg_auto_failover`, Patroni) decides which one that is; this only finds it.

use std::{fmt, io::ErrorKind, str::FromStr, time::Duration};

use futures_util::future::join_all;
use sea_orm_migration::sea_orm::sqlx::{
    self, ConnectOptions, Connection, FromRow, PgConnection,
    postgres::{PgConnectOptions, PgRow},
};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use crate::Error;

/// How long a host may take to answer a question. One that is frozen accepts connections and never answers.
const ANSWERS_WITHIN: Duration = Duration::from_millis(700);
/// How long connecting to a host may take: with TLS it is several round trips and some computing.
const CONNECTS_WITHIN: Duration = Duration::from_secs(5);
/// How often hosts are asked while none takes changes.
pub const PAUSE: Duration = Duration::from_millis(500);

/// Whether it takes changes, and on which line of the cluster's history. Each promotion begins a line with a greater number,
/// so of two hosts that both take changes the one with the lower number was demoted and does not know it yet.
const STANDING: &str = "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean, \
                        CASE WHEN pg_is_in_recovery() THEN NULL ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END";

/// How a host stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It takes changes, on this timeline.
    Writable(u32),
    /// It answers, and takes none.
    ReadOnly,
    /// It lets nobody in, for this reason, in its own words.
    Refuses(String),
    /// It did not answer in time.
    Silent,
}

impl Standing {
    /// Whether it answers what it is asked.
    pub const fn answers(&self) -> bool {
        matches!(self, Self::Writable(_) | Self::ReadOnly)
    }
}

/// A host of a list.
#[derive(Clone)]
pub struct Host {
    /// `host:port`, for people.
    pub name: String,
    /// The whole URL, with this host alone.
    pub url: String,
    options: PgConnectOptions,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The rest may hold a password.
        f.write_str(&self.name)
    }
}

/// Takes a URL apart that names several hosts; `None`: it names one, or is no PostgreSQL URL.
pub fn listed(url: &str) -> Result<Option<Vec<Host>>, Error> {
    let Some((scheme, rest)) = url.split_once("://").filter(|(scheme, _)| ["postgres", "postgresql"].contains(scheme))
    else {
        return Ok(None);
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (user, hosts) = authority.rsplit_once('@').map_or(("", authority), |(user, hosts)| (user, hosts));
    if !hosts.contains(',') {
        return Ok(None);
    }
    let at = if user.is_empty() { "" } else { "@" };
    let each = hosts.split(',').map(|name| {
        let url = format!("{scheme}://{user}{at}{name}{path}");
        let unreadable = || {
            Error::Failed(format!(
                "the list of database hosts {hosts} cannot be read; it should look like \
                 postgres://USER:PASSWORD@HOST:PORT,HOST:PORT/NAME, with special characters in the password as %XX"
            ))
        };
        if name.is_empty() {
            return Err(unreadable());
        }
        let options = PgConnectOptions::from_str(&url).map_err(|_| unreadable())?;
        Ok(Host { name: format!("{}:{}", options.get_host(), options.get_port()), url, options })
    });
    each.collect::<Result<Vec<_>, _>>().map(Some)
}

/// The hosts that a URL names, be it one.
pub fn each(url: &str) -> Result<Vec<Host>, Error> {
    if let Some(hosts) = listed(url)? {
        return Ok(hosts);
    }
    // Looked at first: the driver would take other URLs apart, and warn of what it does not know in them.
    let is_postgres = ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
    let options = Some(url).filter(|_| is_postgres).and_then(|url| PgConnectOptions::from_str(url).ok());
    let options = options
        .ok_or_else(|| Error::Failed("it should look like postgres://USER:PASSWORD@HOST:PORT/NAME".to_owned()))?;
    Ok(vec![Host { name: format!("{}:{}", options.get_host(), options.get_port()), url: url.to_owned(), options }])
}

impl Host {
    /// A line to ask it by; it is not connected yet.
    pub fn line(&self) -> Line {
        Line::new(self.options.clone())
    }
}

/// A connection to a host, to ask it again and again, that is made anew when it breaks.
#[derive(Debug)]
pub struct Line {
    options: PgConnectOptions,
    connection: Option<PgConnection>,
    /// It goes on while nobody waits for it.
    connecting: Option<AbortOnDropHandle<Result<PgConnection, sqlx::Error>>>,
    /// What became of connecting to it last, where it failed.
    failure: Option<sqlx::Error>,
}

impl Line {
    /// To whom these options lead.
    pub fn new(options: PgConnectOptions) -> Self {
        let options = options.application_name("joblink hosts");
        Self { options, connection: None, connecting: None, failure: None }
    }

    /// The one row that it answers to a query; `None`: it is silent, or refuses.
    pub async fn ask<T>(&mut self, sql: &'static str) -> Option<T>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        if let Some(connection) = self.connection.take() {
            match timeout(ANSWERS_WITHIN, one(connection, sql)).await {
                Ok(Ok((connection, row))) => {
                    self.connection = Some(connection);
                    return Some(row);
                }
                // It may have died since it was asked last: a new one tells.
                Ok(Err(_)) => {}
                Err(_) => return None,
            }
        }
        let connection = self.connect().await?;
        let (connection, row) = timeout(ANSWERS_WITHIN, one(connection, sql)).await.ok()?.ok()?;
        self.connection = Some(connection);
        Some(row)
    }

    /// A new connection, if it is there soon.
    async fn connect(&mut self) -> Option<PgConnection> {
        self.failure = None;
        let options = &self.options;
        let connecting = self.connecting.get_or_insert_with(|| {
            let options = options.clone();
            AbortOnDropHandle::new(tokio::spawn(async move {
                let connected = timeout(CONNECTS_WITHIN, options.connect()).await;
                connected.unwrap_or_else(|_| Err(sqlx::Error::Io(ErrorKind::TimedOut.into())))
            }))
        });
        let connected = timeout(ANSWERS_WITHIN, connecting).await.ok()?;
        self.connecting = None;
        match connected.ok()? {
            Ok(connection) => Some(connection),
            Err(error) => {
                self.failure = Some(error);
                None
            }
        }
    }

    /// Asks how the host stands.
    pub async fn standing(&mut self) -> Standing {
        match self.ask::<(bool, Option<String>)>(STANDING).await {
            None => self.refusal().map_or(Standing::Silent, Standing::Refuses),
            Some((is_read_only, timeline)) => {
                let timeline = timeline.and_then(|timeline| u32::from_str_radix(&timeline, 16).ok());
                timeline.filter(|_| !is_read_only).map_or(Standing::ReadOnly, Standing::Writable)
            }
        }
    }

    /// Why the host let nobody in when it was connected to last.
    fn refusal(&self) -> Option<String> {
        Some(self.failure.as_ref()?.as_database_error()?.message().to_owned())
    }

    /// Whether nothing listened there when it was connected to last.
    fn is_unheard(&self) -> bool {
        matches!(&self.failure, Some(sqlx::Error::Io(error)) if error.kind() == ErrorKind::ConnectionRefused)
    }

    /// Takes leave of the host.
    pub async fn close(self) {
        if let Some(connection) = self.connection {
            _ = timeout(ANSWERS_WITHIN, connection.close()).await;
        }
    }
}

async fn one<T>(mut connection: PgConnection, sql: &'static str) -> Result<(PgConnection, T), sqlx::Error>
where
    T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    let row = sqlx::query_as(sql).fetch_one(&mut connection).await?;
    Ok((connection, row))
}

/// Which of them takes changes: the one on the latest timeline, if that is not before the one of `current`, the host (by its
/// place) and timeline so far. Of several on that timeline it stays the current one, else it is the first.
pub fn writable(standings: &[Standing], current: Option<(usize, u32)>) -> Option<(usize, u32)> {
    let since = current.map_or(0, |(_, timeline)| timeline);
    let writable = standings.iter().enumerate().filter_map(|(place, standing)| match standing {
        Standing::Writable(timeline) if *timeline >= since => Some((place, *timeline)),
        _ => None,
    });
    writable.reduce(|best, other| {
        let is_later = other.1 > best.1 || (other.1 == best.1 && Some(other) == current);
        if is_later { other } else { best }
    })
}

/// Asks all of them at once, again and again until one takes changes or the time is over.
///
/// One that is silent, or starts, may be on a later timeline than what was found, so it is waited for as long as connecting may take.
pub async fn find(hosts: &[Host], patience: Duration) -> Result<(usize, u32), Error> {
    let began = Instant::now();
    let mut lines: Vec<_> = hosts.iter().map(Host::line).collect();
    let found = loop {
        let standings = join_all(lines.iter_mut().map(Line::standing)).await;
        let is_over = |patience| began.elapsed() + PAUSE > patience;
        let mut each = standings.iter().zip(&lines);
        let is_sure = each.all(|(standing, line)| {
            matches!(standing, Standing::Writable(_) | Standing::ReadOnly) || line.is_unheard()
        });
        match writable(&standings, None) {
            Some(found) if is_sure || is_over(CONNECTS_WITHIN.min(patience)) => break Ok(found),
            None if is_over(patience) => {
                let told = told(hosts, &standings, 0);
                break Err(Error::Failed(format!("none of the database hosts takes changes: {told}")));
            }
            _ => sleep(PAUSE).await,
        }
    };
    join_all(lines.into_iter().map(Line::close)).await;
    found
}

/// Waits for a while where the only host that a URL names is a standby, as an address does that leads to another host after a
/// failover; refuses it where it stays one. Whatever else is wrong with it is told by whoever connects to it.
pub async fn unless_standby(url: &str, patience: Duration) -> Result<(), Error> {
    let began = Instant::now();
    let Ok(Some(host)) = each(url).map(|hosts| hosts.into_iter().next()) else { return Ok(()) };
    let mut line = host.line();
    let outcome = loop {
        match line.ask::<(bool,)>("SELECT pg_is_in_recovery()").await {
            Some((true,)) if began.elapsed() + PAUSE > patience => {
                break Err(Error::Failed(format!(
                    "the database host {} is a standby, which takes no changes; name the primary, or all hosts as HOST:PORT,HOST:PORT",
                    host.name
                )));
            }
            Some((true,)) => sleep(PAUSE).await,
            _ => break Ok(()),
        }
    };
    line.close().await;
    outcome
}

/// How each stands, for people; `since` is the timeline so far.
pub fn told(hosts: &[Host], standings: &[Standing], since: u32) -> String {
    let each = hosts.iter().zip(standings).map(|(host, standing)| {
        let standing = match standing {
            Standing::Writable(timeline) if *timeline < since => {
                "takes changes, but was demoted (its timeline is earlier)"
            }
            Standing::Writable(_) => "takes changes",
            Standing::ReadOnly => "is read-only",
            Standing::Refuses(why) => &format!("refuses: {why}"),
            Standing::Silent => "does not answer",
        };
        format!("{} {standing}", host.name)
    });
    each.collect::<Vec<_>>().join(", ")
}

/// The URL of the host that takes changes, of a URL that may name several.
pub async fn writable_url(url: &str, patience: Duration) -> Result<String, Error> {
    match listed(url)? {
        Some(hosts) => find(&hosts, patience).await.map(|(place, _)| hosts[place].url.clone()),
        None => Ok(url.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(url: &str) -> Option<Vec<String>> {
        listed(url).unwrap().map(|hosts| hosts.into_iter().map(|host| host.url).collect())
    }

    #[test]
    fn a_list_is_taken_apart_and_everything_else_left_alone() {
        assert_eq!(
            urls("postgres://me:p%2Cw@a:1,b,[::1]:3/db?sslmode=disable").unwrap(),
            [
                "postgres://me:p%2Cw@a:1/db?sslmode=disable",
                "postgres://me:p%2Cw@b/db?sslmode=disable",
                "postgres://me:p%2Cw@[::1]:3/db?sslmode=disable"
            ]
        );
        assert_eq!(urls("postgresql://a,b").unwrap(), ["postgresql://a", "postgresql://b"]);
        assert_eq!(urls("postgres://a,b?dbname=x").unwrap(), ["postgres://a?dbname=x", "postgres://b?dbname=x"]);
        for one in ["postgres://me:a,b@a:1/db", "postgres://a/x,y", "sqlite://a,b.db", "postgres:"] {
            assert_eq!(urls(one), None, "{one}");
        }
        for bad in ["postgres://a,/db", "postgres://,/db", "postgres://a:x,b/db"] {
            assert!(listed(bad).unwrap_err().to_string().contains("cannot be read"), "{bad}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(format!("{:?}", listed("postgres://me:secret@a:1,b:2/db").unwrap().unwrap()), "[a:1, b:2]");
    }

    #[test]
    fn the_latest_timeline_wins_and_none_before_the_last_one_is_taken() {
        use Standing::{ReadOnly, Silent, Writable};
        assert_eq!(writable(&[Silent, ReadOnly], None), None);
        assert_eq!(writable(&[Writable(3), Writable(4), Writable(4)], None), Some((1, 4)));
        assert_eq!(writable(&[Writable(3), Writable(4), Writable(4)], Some((2, 4))), Some((2, 4)));
        assert_eq!(writable(&[Writable(3), Writable(4), Writable(5)], Some((1, 4))), Some((2, 5)));
        assert_eq!(writable(&[Writable(3), ReadOnly], Some((1, 4))), None);
        assert_eq!(writable(&[Silent, Writable(4)], Some((0, 4))), Some((1, 4)));
    }
}
