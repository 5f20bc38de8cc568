//! What happens to jobs.

use async_graphql::{Context, ID, Object, Result};

use super::{Job, enums::JobEventType};
use crate::{
    events::Event,
    graphql::{
        loaders::{JobId, Loaders},
        scalars::DateTime,
    },
};

/// Something that happened to a job.
pub struct JobEvent(pub Event);

/// Something that happened to a job.
#[Object]
impl JobEvent {
    /// What happened.
    async fn r#type(&self) -> JobEventType {
        self.0.what.into()
    }

    /// The id of the job, also where the job is gone.
    async fn job_id(&self) -> ID {
        self.0.job.into()
    }

    /// The job as it stands when the event is delivered, which may be further on; null where it is deleted.
    async fn job(&self, ctx: &Context<'_>) -> Option<Result<Job>> {
        // The loaders keep nothing from one event to the next.
        let job = async || -> Result<Option<Job>> {
            Ok(ctx.data::<Loaders>()?.load_one(JobId(self.0.job)).await?.map(Job::from))
        };
        job().await.transpose()
    }

    /// When it happened.
    async fn at(&self) -> DateTime {
        self.0.at.into()
    }
}
