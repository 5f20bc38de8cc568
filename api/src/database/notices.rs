//! What processes on the same PostgreSQL database tell each other, by `NOTIFY`.

use std::time::Duration;

use sea_orm::{
    DbErr, RuntimeErr,
    sqlx::{
        self, PgConnection,
        postgres::{PgListener, PgPoolOptions},
    },
};
use tokio::time::timeout;

use super::Site;

/// How long the first notice, which one sends oneself, may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why notices do not come.
#[derive(Debug, thiserror::Error)]
pub enum Deaf {
    /// The database failed.
    #[error("{0}")]
    Failed(#[from] DbErr),
    /// They are accepted and do not arrive.
    #[error("a notice does not arrive; is there a pooler in between?")]
    Silent(#[from] tokio::time::error::Elapsed),
}

/// What is told on one channel, heard over a connection of its own, which no request has to go without.
#[derive(Debug)]
pub struct Notices<'a> {
    site: &'a Site,
    listener: PgListener,
}

impl<'a> Notices<'a> {
    /// Hears this channel, and makes sure of it: a pooler accepts LISTEN and may lend the connection to another one afterwards.
    pub async fn of(site: &'a Site, channel: &str) -> Result<Self, Deaf> {
        let own = PgPoolOptions::new().max_connections(1).connect_lazy_with(site.connect_options());
        let begin = async {
            let mut listener = PgListener::connect_with(&own).await.map_err(failed)?;
            listener.listen(channel).await.map_err(failed)?;
            Ok(listener)
        };
        let mut listener = site.alive(begin).await?;
        site.notify(channel, "").await?;
        timeout(PATIENCE, site.alive(async { listener.recv().await.map_err(failed) })).await??;
        Ok(Self { site, listener })
    }

    /// The next one; `None`: the connection is a new one after one that was lost, and notices with it.
    pub async fn next(&mut self) -> Result<Option<String>, Deaf> {
        let heard = self.site.alive(async { self.listener.try_recv().await.map_err(failed) }).await?;
        Ok(heard.map(|notice| notice.payload().to_owned()))
    }
}

impl Site {
    /// Tells all who hear this channel; less than 8,000 bytes.
    pub async fn notify(&self, channel: &str, text: &str) -> Result<(), DbErr> {
        self.alive(async { notify(&mut *self.connection().await?, channel, text).await }).await
    }
}

/// Tells all who hear this channel, over this connection; less than 8,000 bytes.
pub async fn notify(connection: &mut PgConnection, channel: &str, text: &str) -> Result<(), DbErr> {
    let notify = sqlx::query("SELECT pg_notify($1, $2)").bind(channel).bind(text);
    notify.execute(connection).await.map(|_| ()).map_err(failed)
}

fn failed(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}
