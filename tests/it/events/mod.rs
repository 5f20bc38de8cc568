//! What happens to jobs is told to those who may see it, once it is committed, whichever server it happens on.

mod busy;
pub mod client;
mod life;
mod scope;
mod servers;
mod slow;
mod socket;
mod sse;
mod trim;

use std::time::Duration;

use api::{
    auth::{Clock, Viewer, login::Login, token::Rules},
    events::{self, Event, Missed, Wanted},
};
use futures_util::{FutureExt, Stream, StreamExt, stream::BoxStream};
use sea_orm::prelude::Uuid;
use tests::World;

/// Who bears a token.
async fn viewer(world: &World, bearer: &str) -> Viewer {
    let login = Login::with_secret(&tests::secret(), Rules::default(), Clock::default());
    let known = login.verify(bearer).await.unwrap();
    login.viewer(world.app.db.reader(), &known).await.unwrap().unwrap()
}

/// What a viewer is told.
async fn told(world: &World, viewer: &Viewer, wanted: Wanted) -> BoxStream<'static, Result<Event, Missed>> {
    events::watch(&world.app, viewer, wanted).await.unwrap().boxed()
}

/// The next event as text; none where there is no more.
async fn next(stream: &mut BoxStream<'static, Result<Event, Missed>>) -> Option<String> {
    let next = tokio::time::timeout(Duration::from_mins(1), stream.next()).await;
    next.expect("waited for a minute in vain").map(shown)
}

/// What can be had of a stream without waiting.
fn at_hand<T>(stream: &mut (impl Stream<Item = T> + Unpin)) -> Vec<T> {
    // Without the runtime's budget, which makes a task pause although there is more.
    std::iter::from_fn(|| tokio::task::unconstrained(stream.next()).now_or_never().flatten()).collect()
}

/// An event as text, such as `deleted 0196…`.
fn line(what: &str, job: Uuid) -> String {
    format!("{what} {job}")
}

/// An event as [`line`] writes it.
fn shown(event: Result<Event, Missed>) -> String {
    event.map_or_else(|missed| missed.to_string(), |event| line(event.what.as_stored(), event.job))
}
