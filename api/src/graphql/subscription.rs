//! What can be watched.

use async_graphql::{Context, ID, Result, Subscription as GraphqlSubscription};
use futures_util::{Stream, StreamExt};
use sea_orm::prelude::Uuid;

use super::{failure::coded, model::JobEvent};
use crate::{
    app::App,
    audit::Caller,
    events::{self, Missed, Wanted},
};

/// The root of what can be watched.
#[derive(Debug)]
pub struct Subscription;

/// What can be watched.
#[GraphqlSubscription]
impl Subscription {
    /// What happens to jobs from now on, whichever server it happens on: of one job, or of all that the viewer sees.
    ///
    /// Of one job the first event tells how it stands (`STATUS`, or `DELETED` where the viewer may see the receipt), and
    /// the one of its deletion is the last. An id that is unknown or not the viewer's to see stays silent. While rows are
    /// stored there are about two events of progress a second. Whoever takes events too slowly loses some of progress;
    /// where others may be lost, an error says so and ends the subscription. Changes by an older program are not told.
    async fn job_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The job; without it, all jobs that the viewer sees.")] job_id: Option<ID>,
    ) -> Result<impl Stream<Item = Result<JobEvent>> + use<>> {
        let wanted = match job_id {
            None => Wanted::All,
            Some(id) => Uuid::try_parse(&id).map_or(Wanted::Nothing, Wanted::Job),
        };
        let told = events::watch(ctx.data::<App>()?, &ctx.data::<Caller>()?.viewer, wanted).await?;
        Ok(told.map(|event| event.map(JobEvent).map_err(|missed: Missed| coded("RATE_LIMITED", missed.to_string()))))
    }
}
