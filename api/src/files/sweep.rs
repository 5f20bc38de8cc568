//! Finds and removes files that belong to no job: of a crash between the file and its job, of a program that deleted jobs
//! without Joblink.

use std::{collections::HashSet, time::Duration};

use entity::{
    artifact_purge, audit_entry, job,
    stored::{AuditAction, AuditOutcome},
};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect, prelude::Uuid};

use crate::{
    app::App,
    database::{now, retrying, with_ids},
    error::Error,
};

/// A file without a job that is younger may be about to get one.
const YOUNG: Duration = Duration::from_hours(1);
/// How many jobs are looked up at once.
const CHUNK: usize = 1_000;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Keys of files that belong to no job, in order.
    pub keys: Vec<String>,
    /// Their bytes.
    pub bytes: u64,
    /// Files without a job that were left, because they are young or their purge is under way.
    pub left: usize,
    /// Names beside the jobs that are no ids; what they hold is left alone.
    pub strangers: Vec<String>,
}

/// Looks through the store, and removes what belongs to no job unless `dry_run`.
pub async fn sweep(app: &App, dry_run: bool) -> Result<Swept, Error> {
    let mut swept = Swept::default();
    let outcome = look_through(app, dry_run, &mut swept).await;
    if !dry_run && (outcome.is_ok() || !swept.keys.is_empty()) {
        record(app, &swept).await?;
    }
    outcome.map(|()| swept)
}

async fn look_through(app: &App, dry_run: bool, swept: &mut Swept) -> Result<(), Error> {
    let mut listed = Vec::new();
    for name in app.store.jobs().await? {
        match Uuid::try_parse(&name) {
            Ok(id) => listed.push(id),
            Err(_) => swept.strangers.push(name),
        }
    }
    listed.sort_unstable();
    // Jobs are looked up after the list was made: a file comes before its job.
    for ids in listed.chunks(CHUNK) {
        let (known, purging) = known(app, ids).await?;
        for job in ids.iter().filter(|id| !known.contains(*id)) {
            let files = app.store.files_of(*job).await?;
            if purging.contains(job) || is_young(*job) || files.iter().any(|file| file.age < YOUNG) {
                swept.left += files.len();
                continue;
            }
            if !dry_run {
                app.store.purge_job(*job).await?;
            }
            for file in files {
                tracing::info!(job = %job, key = file.key, dry_run, "a file without a job");
                swept.bytes += file.size;
                swept.keys.push(file.key);
            }
        }
    }
    Ok(())
}

/// Whether an id was made lately: a file that waited for long before it became a job's is old itself.
fn is_young(job: Uuid) -> bool {
    let made = job.get_timestamp().and_then(|made| i64::try_from(made.to_unix().0).ok());
    made.is_some_and(|made| now().timestamp() - made < i64::try_from(YOUNG.as_secs()).unwrap_or(i64::MAX))
}

/// Of these jobs, those that are there, and those whose files are still to be purged.
async fn known(app: &App, ids: &[Uuid]) -> Result<(HashSet<Uuid>, HashSet<Uuid>), Error> {
    let (db, backend) = (app.db.reader(), app.db.backend());
    let jobs: Vec<Uuid> = with_ids(job::Entity::find(), job::Column::Id, ids, backend)
        .select_only()
        .column(job::Column::Id)
        .into_tuple()
        .all(db)
        .await?;
    let purging: Vec<Uuid> = with_ids(artifact_purge::Entity::find(), artifact_purge::Column::JobId, ids, backend)
        .filter(artifact_purge::Column::CompletedAt.is_null())
        .select_only()
        .column(artifact_purge::Column::JobId)
        .into_tuple()
        .all(db)
        .await?;
    Ok((jobs.into_iter().collect(), purging.into_iter().collect()))
}

/// Writes it into the audit log. Who it was is not known to a program on the server's own machine.
async fn record(app: &App, swept: &Swept) -> Result<(), Error> {
    let row = audit_entry::Model {
        id: Uuid::now_v7(),
        at: now(),
        actor_id: None,
        organization_id: None,
        action: AuditAction::Sweep.as_stored().to_owned(),
        target_id: None,
        outcome: AuditOutcome::Done.as_stored().to_owned(),
        code: None,
        detail: Some(format!("removed {} files without a job, {} bytes", swept.keys.len(), swept.bytes)),
        request_id: None,
    };
    retrying(|| async {
        let transaction = app.db.begin().await?;
        row.clone().into_active_model().reset_all().insert(&*transaction).await?;
        transaction.commit().await?;
        Ok(())
    })
    .await
}
