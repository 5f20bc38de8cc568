//! What deleting jobs would do, and which would be refused and why. Reads only, by the rules of the execution.

use std::collections::HashMap;

use entity::{
    annual_prediction, artifact, deletion_receipt, job, quarterly_prediction,
    stored::{Kind, LinkSource},
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, TryGetableMany, prelude::Uuid,
};

use super::{
    execute::{self, Refused},
    linked::Counts,
    look_alikes, receipt,
};
use crate::{
    app::App,
    audit::Caller,
    database::{any_of, parents, with_ids},
    error::Error,
};

/// What would happen to one job.
#[derive(Clone, Debug)]
pub struct Deletable {
    /// The job.
    pub job: job::Model,
    /// Its linked predictions.
    pub linked: Counts,
    /// Its linked predictions by how the link is known.
    pub by_link_source: Vec<(LinkSource, u64)>,
    /// Predictions without a link that look as if it had made them.
    pub look_alikes: u64,
    /// Its registered files.
    pub artifacts: u64,
    /// Their bytes.
    pub bytes: i64,
}

/// What would happen to a list of jobs.
#[derive(Clone, Debug, Default)]
pub struct Preview {
    /// Those that would go.
    pub deletable: Vec<Deletable>,
    /// Those that would stay.
    pub refused: Vec<(Uuid, Refused)>,
}

/// Looks at each job once, in the order of the ids; as many statements for a hundred jobs as for one.
pub async fn preview(app: &App, caller: &Caller, ids: &[Uuid], force: bool) -> Result<Preview, Error> {
    let db = &app.db.newest();
    let backend = app.db.backend();
    let jobs =
        with_ids(job::Entity::find(), job::Column::Id, ids, backend).filter(caller.viewer.sees_job()).all(db).await?;
    let mut jobs: HashMap<Uuid, job::Model> = jobs.into_iter().map(|job| (job.id, job)).collect();
    let missing: Vec<Uuid> = ids.iter().copied().filter(|id| !jobs.contains_key(id)).collect();
    let receipts = receipt::find_many(db, &caller.viewer, deletion_receipt::Column::JobId, &missing).await?;
    let mut receipts: HashMap<Uuid, _> = receipts.into_iter().map(|receipt| (receipt.row.job_id, receipt)).collect();
    let present: Vec<Uuid> = jobs.keys().copied().collect();
    let mut linked = links(db, &jobs).await?;
    let look_alikes = look_alikes::counts(db, &jobs).await?;
    let mut files = files(db, &present).await?;

    let mut preview = Preview::default();
    for id in ids {
        let Some(job) = jobs.remove(id) else {
            preview.refused.push((*id, execute::gone(receipts.remove(id))));
            continue;
        };
        if let Some(refusal) = execute::guard(caller, &job, force) {
            preview.refused.push((*id, Refused { refusal, job: Some(job), receipt: None }));
            continue;
        }
        let (counts, by_link_source) = linked.remove(id).unwrap_or_default();
        let (artifacts, bytes) = files.remove(id).unwrap_or_default();
        let look_alikes = look_alikes.get(id).copied().unwrap_or_default();
        preview.deletable.push(Deletable { job, linked: counts, by_link_source, look_alikes, artifacts, bytes });
    }
    Ok(preview)
}

/// Linked predictions, and by how the link is known.
type Linked = (Counts, Vec<(LinkSource, u64)>);

/// As the execution counts: rows of the job's own organization alone.
pub(crate) async fn links(
    db: &impl ConnectionTrait,
    jobs: &HashMap<Uuid, job::Model>,
) -> Result<HashMap<Uuid, Linked>, DbErr> {
    let ids: Vec<Uuid> = jobs.keys().copied().collect();
    let mut linked: HashMap<Uuid, Linked> = HashMap::new();
    macro_rules! count {
        ($table:ident, $kind:expr) => {
            let counted = $table::Entity::find()
                .select_only()
                .columns([$table::Column::JobId, $table::Column::OrganizationId, $table::Column::JobLink])
                .column_as($table::Column::Id.count(), "linked")
                .group_by($table::Column::JobId)
                .group_by($table::Column::OrganizationId)
                .group_by($table::Column::JobLink);
            let found = parents::grouped(counted, $table::Column::JobId, &ids, db.get_database_backend());
            let found = db.query_all(&found).await?;
            let found = found.iter().map(<(Uuid, Option<Uuid>, Option<String>, i64)>::try_get_many_by_index);
            let found = found.collect::<Result<Vec<_>, _>>()?;
            let own = |job: &Uuid, organization| jobs.get(job).is_some_and(|job| job.organization_id == organization);
            for (job, _, source, count) in found.into_iter().filter(|(job, organization, ..)| own(job, *organization)) {
                add(linked.entry(job).or_default(), $kind, source.as_deref(), u64::try_from(count).unwrap_or_default());
            }
        };
    }
    count!(annual_prediction, Kind::Annual);
    count!(quarterly_prediction, Kind::Quarterly);
    Ok(linked)
}

fn add((counts, sources): &mut Linked, kind: Kind, source: Option<&str>, count: u64) {
    match kind {
        Kind::Annual => counts.annual += count,
        Kind::Quarterly => counts.quarterly += count,
    }
    let Some(source) = source.and_then(LinkSource::from_stored) else { return };
    match sources.iter_mut().find(|(known, _)| *known == source) {
        Some((_, sum)) => *sum += count,
        None => sources.push((source, count)),
    }
    sources.sort();
}

async fn files(db: &impl ConnectionTrait, jobs: &[Uuid]) -> Result<HashMap<Uuid, (u64, i64)>, Error> {
    let found: Vec<(Uuid, i64)> = artifact::Entity::find()
        .filter(any_of(artifact::Column::JobId, jobs.to_vec(), db.get_database_backend()))
        .select_only()
        .columns([artifact::Column::JobId, artifact::Column::Size])
        .into_tuple()
        .all(db)
        .await?;
    Ok(found.into_iter().fold(HashMap::new(), |mut sums, (job, size)| {
        let (count, bytes): &mut (u64, i64) = sums.entry(job).or_default();
        *count += 1;
        *bytes += size;
        sums
    }))
}
