//! The runs of the backfill, which the program `migration` writes: what each decided about each job, and which
//! predictions it left without a link. For operators alone.

pub mod files;

use std::collections::HashMap;

use entity::{
    annual_prediction, backfill_decision, backfill_run, backfill_unresolved, quarterly_prediction,
    stored::{Kind, UnresolvedReason},
};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, JoinType, PaginatorTrait, QueryFilter, QuerySelect,
    Select,
    prelude::Uuid,
    sea_query::{ExprTrait, IntoCondition},
};

use crate::{
    auth::Viewer,
    database::with_ids,
    paging::{BadPage, Children, Ordering, Page, PagesByParent, Slice, counts_of_children, pages_of_children},
    predictions::list::Prediction,
};

/// The most ids of one statement: SQLite takes at most 32,766 values.
const MOST_IDS: usize = 10_000;

/// A prediction that a run left without a link, and that still has none.
#[derive(Clone, Debug)]
pub struct Unresolved {
    /// The prediction.
    pub prediction: Prediction,
    /// Why it has no link.
    pub reason: UnresolvedReason,
    /// The jobs that could have made it; some may be gone.
    pub candidates: Vec<Uuid>,
}

/// The order of runs: the newest first. Their ids are made in the order of time.
pub fn newest_first() -> Ordering<backfill_run::Entity> {
    Ordering { name: "run-newest".to_owned(), key: None, id: backfill_run::Column::Id, descending: true }
}

/// A page of runs.
pub async fn page(
    db: &impl ConnectionTrait,
    viewer: &Viewer,
    page: &Page,
) -> Result<Result<Slice<backfill_run::Model>, BadPage>, DbErr> {
    let order = newest_first();
    let query = match order.select(backfill_run::Entity::find().filter(viewer.sees_backfill_runs()), page) {
        Ok(query) => query,
        Err(bad) => return Ok(Err(bad)),
    };
    Ok(Ok(order.slice(page, query.all(db).await?, |run| run.id, |_| None)))
}

/// How many runs there are in all.
pub async fn count(db: &impl ConnectionTrait, viewer: &Viewer) -> Result<u64, DbErr> {
    backfill_run::Entity::find().filter(viewer.sees_backfill_runs()).count(db).await
}

/// The same page of the decisions of each of these runs, in one statement.
pub async fn decisions(
    db: &impl ConnectionTrait,
    viewer: &Viewer,
    runs: &[Uuid],
    page: &Page,
) -> Result<Result<PagesByParent<backfill_decision::Entity>, BadPage>, DbErr> {
    use backfill_decision::{Column, Entity};
    let children = Children {
        rows: Entity::find().filter(viewer.sees_backfill_runs()),
        parent: Column::RunId,
        parent_of: |row| Some(row.run_id),
        place: |row| row.job_id,
        cursor: |row| (row.job_id, None),
    };
    pages_of_children(db, &Ordering::by_id(Column::JobId), &children, runs, page).await
}

/// How many jobs each of these runs decided about, in one statement.
pub async fn decision_counts(
    db: &impl ConnectionTrait,
    viewer: &Viewer,
    runs: &[Uuid],
) -> Result<HashMap<Uuid, u64>, DbErr> {
    let rows = backfill_decision::Entity::find().filter(viewer.sees_backfill_runs());
    counts_of_children(db, rows, backfill_decision::Column::RunId, runs).await
}

/// The same page of what each of these runs left without a link, in one statement and one more for each kind.
pub async fn unresolved(
    db: &impl ConnectionTrait,
    viewer: &Viewer,
    runs: &[Uuid],
    page: &Page,
) -> Result<Result<HashMap<Uuid, Slice<Unresolved>>, BadPage>, DbErr> {
    use backfill_unresolved::Column;
    let children = Children {
        rows: still_without_link().filter(viewer.sees_backfill_runs()),
        parent: Column::RunId,
        parent_of: |row| Some(row.run_id),
        place: |row| row.prediction_id,
        cursor: |row| (row.prediction_id, None),
    };
    let order = Ordering::by_id(Column::PredictionId);
    let slices = match pages_of_children(db, &order, &children, runs, page).await? {
        Ok(slices) => slices,
        Err(bad) => return Ok(Err(bad)),
    };
    let rows = || slices.values().flat_map(|slice| &slice.rows).map(|(_, row)| row);
    let mut predictions: HashMap<Uuid, Prediction> = HashMap::new();
    macro_rules! read {
        ($table:ident, $kind:expr) => {
            let ids: Vec<Uuid> =
                rows().filter(|row| row.kind == $kind.as_stored()).map(|row| row.prediction_id).collect();
            for ids in ids.chunks(MOST_IDS) {
                let query = with_ids($table::Entity::find(), $table::Column::Id, ids, db.get_database_backend())
                    .filter($table::Column::JobId.is_null())
                    .filter($table::Column::JobLink.is_null());
                predictions.extend(query.all(db).await?.into_iter().map(|row| (row.id, row.into())));
            }
        };
    }
    read!(annual_prediction, Kind::Annual);
    read!(quarterly_prediction, Kind::Quarterly);
    let show = |row: backfill_unresolved::Model| {
        // One that was linked or went between the statements is no longer listed.
        let prediction = predictions.get(&row.prediction_id)?.clone();
        let reason = UnresolvedReason::from_stored(&row.reason).unwrap_or(UnresolvedReason::NoCandidate);
        let candidates = row.candidates.split_whitespace().filter_map(|id| Uuid::try_parse(id).ok()).collect();
        Some(Unresolved { prediction, reason, candidates })
    };
    Ok(Ok(slices.into_iter().map(|(run, slice)| (run, slice.filter_map(show))).collect()))
}

/// How many predictions each of these runs left that still have no link, in one statement.
pub async fn unresolved_counts(
    db: &impl ConnectionTrait,
    viewer: &Viewer,
    runs: &[Uuid],
) -> Result<HashMap<Uuid, u64>, DbErr> {
    let rows = still_without_link().filter(viewer.sees_backfill_runs());
    counts_of_children(db, rows, backfill_unresolved::Column::RunId, runs).await
}

/// What runs left without a link, as far as it is there and has none. Joined, so that a page reads no more predictions
/// than it has rows.
fn still_without_link() -> Select<backfill_unresolved::Entity> {
    use backfill_unresolved::{Column, Entity};
    macro_rules! with {
        ($rows:expr, $table:ident, $kind:expr) => {{
            let undecided = || $table::Column::JobId.is_null().and($table::Column::JobLink.is_null());
            let prediction = Entity::belongs_to($table::Entity)
                .from(Column::PredictionId)
                .to($table::Column::Id)
                .on_condition(move |_, _| Column::Kind.eq($kind.as_stored()).and(undecided()).into_condition());
            $rows.join(JoinType::LeftJoin, prediction.into())
        }};
    }
    let rows = with!(Entity::find(), annual_prediction, Kind::Annual);
    let rows = with!(rows, quarterly_prediction, Kind::Quarterly);
    let found = Condition::any()
        .add(annual_prediction::Column::Id.is_not_null())
        .add(quarterly_prediction::Column::Id.is_not_null());
    rows.filter(found)
}
