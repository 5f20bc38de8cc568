//! A run that a caller asks for.

use entity::{
    retention_run,
    stored::{AuditAction, RetentionTrigger},
};
use sea_orm::prelude::DateTimeUtc;

use super::{
    policy::Policy,
    run::{self, Wanted},
};
use crate::{
    app::App,
    audit::{self, Caller},
    auth::Action,
    database::now,
    error::{Error, ErrorCode, Refusal},
};

/// The moment that ages are measured at where a caller wants this one; one that is still to come counts as now, as nothing goes
/// before its time.
pub fn moment(wanted: Option<DateTimeUtc>) -> DateTimeUtc {
    let now = now();
    wanted.map_or(now, |wanted| wanted.min(now))
}

/// Begins a run by these rules, or refuses it. Whichever server finds it carries it out.
pub async fn run_retention(
    app: &App,
    caller: &Caller,
    policy: Policy,
    at: DateTimeUtc,
) -> Result<Result<retention_run::Model, Refusal>, Error> {
    if !caller.viewer.may_at_all(Action::Retention) {
        let refusal = Refusal::new(ErrorCode::Forbidden, "Only operators run the retention policy.");
        let organization = caller.viewer.organization_id();
        audit::record_refusal(app, caller, AuditAction::RetentionRun, None, organization, &refusal).await?;
        return Ok(Err(refusal));
    }
    let wanted = Wanted {
        trigger: RetentionTrigger::Request,
        by: caller.into(),
        scheduled_for: None,
        policy,
        at,
        claimed: false,
    };
    let beginning = run::begin(app, &wanted);
    let begun = audit::noting_failure(&app.db, caller, AuditAction::RetentionRun, None, beginning).await?;
    // None but a run of the schedule can have been begun by somebody else.
    begun.map(Ok).ok_or_else(|| Error::Format("a run without a time of the schedule was not begun".to_owned()))
}
