//! Lists of the audit log, for those who may read it.

use entity::{
    audit_entry,
    stored::{AuditAction, AuditOutcome},
};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, Select,
    prelude::{DateTimeUtc, Uuid},
};

use crate::{
    auth::{Action, Viewer},
    paging::{BadPage, KeyKind, Ordering, Page, Slice, time_key},
};

/// Which entries are wanted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// About this job, prediction or run.
    pub target: Option<Uuid>,
    /// One of these.
    pub actions: Option<Vec<AuditAction>>,
    /// By this user.
    pub actor: Option<Uuid>,
    /// That ended like this.
    pub outcome: Option<AuditOutcome>,
    /// Written at this time or later.
    pub after: Option<DateTimeUtc>,
    /// Written before this time.
    pub before: Option<DateTimeUtc>,
}

impl Filter {
    fn query(&self, viewer: &Viewer) -> Select<audit_entry::Entity> {
        use audit_entry::Column;
        let condition = Condition::all()
            .add_option(self.target.map(|id| Column::TargetId.eq(id)))
            .add_option(self.actions.as_ref().map(|wanted| Column::Action.is_in(stored(wanted))))
            .add_option(self.actor.map(|user| viewer.is_user(Column::ActorId, user)))
            .add_option(self.outcome.map(|outcome| Column::Outcome.eq(outcome.as_stored())))
            .add_option(self.after.map(|time| Column::At.gte(time)))
            .add_option(self.before.map(|time| Column::At.lt(time)));
        audit_entry::Entity::find().filter(visible(viewer)).filter(condition)
    }
}

/// The entries that a caller may read. Of an action that this version does not know, as a newer one may have, it cannot
/// tell.
pub fn visible(viewer: &Viewer) -> Condition {
    use audit_entry::Column;
    viewer
        .reaches(Action::ReadAuditLog, Column::OrganizationId, Column::ActorId)
        .add(Column::Action.is_in(stored(AuditAction::ALL)))
}

fn stored(actions: &[AuditAction]) -> impl Iterator<Item = &'static str> {
    actions.iter().map(|action| action.as_stored())
}

/// The order of entries: the newest first.
pub fn newest_first() -> Ordering<audit_entry::Entity> {
    let key = Some((audit_entry::Column::At, KeyKind::Instant));
    Ordering { name: "audit-newest".to_owned(), key, id: audit_entry::Column::Id, descending: true }
}

/// A page of entries.
pub async fn page(
    db: &impl ConnectionTrait,
    viewer: &Viewer,
    filter: &Filter,
    page: &Page,
) -> Result<Result<Slice<audit_entry::Model>, BadPage>, DbErr> {
    let order = newest_first();
    let query = match order.select(filter.query(viewer), page) {
        Ok(query) => query,
        Err(bad) => return Ok(Err(bad)),
    };
    let key = |entry: &audit_entry::Model| Some(time_key(entry.at.naive_utc()));
    Ok(Ok(order.slice(page, query.all(db).await?, |entry| entry.id, key)))
}

/// How many there are in all.
pub async fn count(db: &impl ConnectionTrait, viewer: &Viewer, filter: &Filter) -> Result<u64, DbErr> {
    filter.query(viewer).count(db).await
}
