//! Finds and removes files that belong to nobody: of a crash between the file and its job, of a worker that was killed while
//! another ended its job, of writes that never came to their end, of a program that deleted jobs without Joblink.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use artifacts::Listed;
use entity::{
    artifact, artifact_purge, audit_entry, job, staged_upload,
    stored::{AuditAction, AuditOutcome},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use migration::counted::counted;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, prelude::Uuid};

use crate::{
    app::App,
    checkpoint::Checkpoint,
    database::{insert_row, now, retrying, with_ids},
    error::Error,
    jobs::status::JobStatus,
};

/// A file that nobody knows of and that is younger may be about to be registered: receiving a file, making its job and
/// writing results take minutes at most.
pub const YOUNG: Duration = Duration::from_hours(1);
/// How many jobs are looked up at once.
const CHUNK: usize = 1_000;
/// Of how many jobs the files are listed at a time; a bucket takes some milliseconds for each.
const LISTED_AT_ONCE: usize = 16;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Keys of files that belong to nobody.
    pub keys: Vec<String>,
    /// Their bytes.
    pub bytes: u64,
    /// Files of nobody that were left, because they are young or their purge is under way.
    pub left: usize,
    /// Names beside the jobs that are no ids; what they hold is left alone.
    pub strangers: Vec<String>,
}

/// Looks through the store, and removes what belongs to nobody and is at least this old, unless `dry_run`.
pub async fn sweep(app: &App, older_than: Duration, dry_run: bool) -> Result<Swept, Error> {
    let mut sweep = Sweep { app, older_than, dry_run, swept: Swept::default() };
    let outcome = sweep.look_through().await;
    let swept = sweep.swept;
    if dry_run {
        return outcome.map(|()| swept);
    }
    let recorded = record(app, &swept, outcome.is_ok()).await;
    // Of two failures the first says more.
    outcome.and(recorded).map(|()| swept)
}

struct Sweep<'a> {
    app: &'a App,
    older_than: Duration,
    dry_run: bool,
    swept: Swept,
}

impl Sweep<'_> {
    async fn look_through(&mut self) -> Result<(), Error> {
        let mut listed = Vec::new();
        for name in self.app.store.jobs().await? {
            match Uuid::try_parse(&name) {
                Ok(id) => listed.push(id),
                Err(_) => self.swept.strangers.push(name),
            }
        }
        listed.sort_unstable();
        for ids in listed.chunks(CHUNK) {
            self.jobs(ids).await?;
        }
        self.uploads().await
    }

    /// Jobs are looked up after their files were listed: a file comes before the row that knows it.
    async fn jobs(&mut self, ids: &[Uuid]) -> Result<(), Error> {
        let listing = stream::iter(ids).map(async |id| self.app.store.files_of(*id).await.map(|files| (*id, files)));
        let listed: Vec<(Uuid, Vec<Listed>)> = listing.buffered(LISTED_AT_ONCE).try_collect().await?;
        let known = Known::look_up(self.app, ids).await?;
        for (job, files) in listed {
            match known.jobs.get(&job) {
                _ if known.purging.contains(&job) => {
                    // Of a job that was cleaned those that it no longer knows.
                    let going = |file: &&Listed| file.id().is_none_or(|id| !known.registered.contains(&id));
                    self.swept.left += files.iter().filter(going).count();
                }
                None => self.without_a_job(job, files).await?,
                Some(JobStatus::Completed | JobStatus::Failed | JobStatus::Cancelled) => {
                    self.unregistered(&known.registered, files).await?;
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// All of a job that does not exist, its folder too.
    async fn without_a_job(&mut self, job: Uuid, files: Vec<Listed>) -> Result<(), Error> {
        if self.is_young(job) || files.iter().any(|file| file.age < self.older_than) {
            self.swept.left += files.len();
            return Ok(());
        }
        if !self.dry_run {
            self.app.store.purge_job(job).await?;
        }
        for file in files {
            self.found(file);
        }
        self.pass().await
    }

    /// What a job that has ended does not know of its outputs: only the worker that ends a job registers them, as it does.
    async fn unregistered(&mut self, registered: &HashSet<Uuid>, files: Vec<Listed>) -> Result<(), Error> {
        let known = |file: &Listed| file.id().is_none_or(|id| !file.is_staging() && registered.contains(&id));
        for file in files.into_iter().filter(|file| file.is_output() && !known(file)) {
            self.remove(file).await?;
        }
        Ok(())
    }

    /// Files that were sent, of which neither a job nor an upload that waits knows.
    async fn uploads(&mut self) -> Result<(), Error> {
        let mut listed = self.app.store.uploads().await?;
        listed.retain(|file| file.id().is_some());
        for files in listed.chunks(CHUNK) {
            let ids: Vec<Uuid> = files.iter().filter_map(Listed::id).collect();
            let rows = with_ids(staged_upload::Entity::find(), staged_upload::Column::Id, &ids, self.app.db.backend());
            let rows = rows.select_only().column(staged_upload::Column::Id).into_tuple().all(self.app.db.reader());
            let waiting: HashSet<Uuid> = rows.await?.into_iter().collect();
            for file in files.iter().filter(|file| file.id().is_none_or(|id| !waiting.contains(&id))) {
                self.remove(file.clone()).await?;
            }
        }
        Ok(())
    }

    async fn remove(&mut self, file: Listed) -> Result<(), Error> {
        if file.age < self.older_than {
            self.swept.left += 1;
            return Ok(());
        }
        if !self.dry_run {
            self.app.store.remove(&file).await?;
        }
        self.found(file);
        self.pass().await
    }

    fn found(&mut self, file: Listed) {
        tracing::info!(key = file.key, dry_run = self.dry_run, "a file that belongs to nobody");
        self.swept.bytes += file.size;
        self.swept.keys.push(file.key);
    }

    async fn pass(&self) -> Result<(), Error> {
        if self.dry_run { Ok(()) } else { self.app.checkpoints.pass(Checkpoint::SweepRemoved).await }
    }

    /// Whether an id was made lately: a file that waited for long before it became a job's is old itself.
    fn is_young(&self, job: Uuid) -> bool {
        let made = job.get_timestamp().and_then(|made| i64::try_from(made.to_unix().0).ok());
        made.is_some_and(|made| now().timestamp() - made < i64::try_from(self.older_than.as_secs()).unwrap_or(i64::MAX))
    }
}

/// What the database knows of some jobs.
struct Known {
    /// Those that are there, and where they stand.
    jobs: HashMap<Uuid, JobStatus>,
    /// The files of those that have ended.
    registered: HashSet<Uuid>,
    /// Those whose files are still to be purged.
    purging: HashSet<Uuid>,
}

impl Known {
    async fn look_up(app: &App, ids: &[Uuid]) -> Result<Self, Error> {
        let (db, backend) = (app.db.reader(), app.db.backend());
        let rows = with_ids(job::Entity::find(), job::Column::Id, ids, backend).all(db).await?;
        let jobs: HashMap<Uuid, JobStatus> = rows.iter().map(|job| (job.id, JobStatus::of(job))).collect();
        // After the jobs: of one that has ended all are there.
        let ended: Vec<Uuid> = jobs.iter().filter(|(_, status)| status.is_terminal()).map(|(id, _)| *id).collect();
        let registered: Vec<Uuid> = with_ids(artifact::Entity::find(), artifact::Column::JobId, &ended, backend)
            .select_only()
            .column(artifact::Column::Id)
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
        Ok(Self { jobs, registered: registered.into_iter().collect(), purging: purging.into_iter().collect() })
    }
}

/// Writes it into the audit log. Who it was is not known to a program on the server's own machine.
async fn record(app: &App, swept: &Swept, done: bool) -> Result<(), Error> {
    let (files, bytes) = (counted(swept.keys.len(), "file"), counted(swept.bytes, "byte"));
    let outcome = if done { AuditOutcome::Done } else { AuditOutcome::Failed };
    let end = if done { "" } else { "; then it failed" };
    let row = audit_entry::Model {
        id: Uuid::now_v7(),
        at: now(),
        actor_id: None,
        organization_id: None,
        action: AuditAction::Sweep.as_stored().to_owned(),
        target_id: None,
        outcome: outcome.as_stored().to_owned(),
        code: None,
        detail: Some(format!("removed {files} without a job, {bytes}{end}")),
        request_id: None,
    };
    retrying(|| async {
        let transaction = app.db.begin().await?;
        insert_row(&*transaction, row.clone()).await?;
        transaction.commit().await?;
        Ok(())
    })
    .await
}
