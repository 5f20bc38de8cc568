//! The authenticated caller, and the rules of what a caller sees and may change.

use std::sync::Arc;

use entity::{company, job, organization, user};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, QueryTrait,
    prelude::Uuid,
    sea_query::{Expr, ExprTrait, OnConflict},
};

use super::{
    login::Login,
    rate::Limiter,
    roles::{self, Action, Reach, Role},
};
use crate::database::now;

/// The authenticated caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Viewer {
    /// The user.
    pub user_id: Uuid,
    /// The name to show.
    pub name: String,
    /// The organization for which the user acts; `None` = the personal space.
    pub organization: Option<organization::Model>,
    /// The role.
    pub role: Role,
}

/// How the server learns who calls.
#[derive(Clone, Debug)]
pub enum Access {
    /// No login: every caller is the built-in user. Loopback only.
    Local,
    /// By a bearer token.
    Token {
        /// What makes a viewer of it.
        login: Arc<Login>,
        /// How often each caller may ask; `None` = as often as they like.
        limiter: Option<Arc<Limiter>>,
    },
}

/// The id of the built-in user of local mode, the same in every database.
pub const fn local_user_id() -> Uuid {
    Uuid::from_u128(0x0000_0000_0000_7000_8000_6a6f_626c_696e)
}

const LOCAL_NAME: &str = "Local user";
const LOCAL_USERNAME: &str = "joblink-local";

/// Users that somebody sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Users {
    /// All there are.
    All,
    /// Those of an organization.
    OfOrganization(Uuid),
    /// One alone.
    One(Uuid),
}

impl Viewer {
    /// The built-in user of local mode.
    pub fn local() -> Self {
        Self { user_id: local_user_id(), name: LOCAL_NAME.to_owned(), organization: None, role: Role::Operator }
    }

    /// The id of the organization for which the user acts.
    pub fn organization_id(&self) -> Option<Uuid> {
        self.organization.as_ref().map(|organization| organization.id)
    }

    /// The rows that the caller sees, by the columns that hold a row's organization and its owner.
    pub fn sees(&self, organization: impl ColumnTrait, owner: impl ColumnTrait) -> Condition {
        self.reaches(Action::See, organization, owner)
    }

    /// The rows to which an action of the caller reaches, by the columns that hold a row's organization and its owner.
    pub fn reaches(&self, action: Action, organization: impl ColumnTrait, owner: impl ColumnTrait) -> Condition {
        let space = match self.organization_id() {
            Some(id) => Condition::all().add(organization.eq(id)),
            None => Condition::all().add(organization.is_null()).add(owner.eq(self.user_id)),
        };
        match roles::reach(self.role, action) {
            Reach::Nothing => Condition::any().add(Expr::val(1).eq(0)),
            Reach::Own => space.add(owner.eq(self.user_id)),
            Reach::Space => space,
            Reach::Everything => Condition::all(),
        }
    }

    /// Whether the caller sees a row of this organization and owner: the same rule as [`Self::sees`], for rows at hand.
    pub fn sees_row(&self, organization: Option<Uuid>, owner: Uuid) -> bool {
        let space = match self.organization_id() {
            Some(id) => organization == Some(id),
            None => organization.is_none() && owner == self.user_id,
        };
        match roles::reach(self.role, Action::See) {
            Reach::Nothing => false,
            Reach::Own => space && owner == self.user_id,
            Reach::Space => space,
            Reach::Everything => true,
        }
    }

    /// Whether the caller may do this to what this owner made; only asked of what the caller sees.
    pub fn may(&self, action: Action, owner: Option<Uuid>) -> bool {
        match roles::reach(self.role, action) {
            Reach::Nothing => false,
            Reach::Own => owner == Some(self.user_id),
            Reach::Space | Reach::Everything => true,
        }
    }

    /// Whether there is anything to which the caller may do this.
    pub fn may_at_all(&self, action: Action) -> bool {
        roles::reach(self.role, action) > Reach::Nothing
    }

    /// The jobs that the caller sees.
    pub fn sees_job(&self) -> Condition {
        self.sees(job::Column::OrganizationId, job::Column::UserId)
    }

    /// The companies that the caller sees.
    pub fn sees_company(&self) -> Condition {
        self.sees(company::Column::OrganizationId, company::Column::CreatedBy)
    }

    /// Rows that belong to jobs which the caller sees, by the column that refers to the job.
    pub fn sees_job_of(&self, job: impl ColumnTrait) -> Condition {
        self.all_or(|| {
            let jobs = job::Entity::find().select_only().column(job::Column::Id).filter(self.sees_job());
            job.in_subquery(jobs.into_query()).into()
        })
    }

    /// Rows that refer to this job, if the caller sees it: whom one does not see, one cannot ask for either.
    pub fn is_job(&self, column: impl ColumnTrait, id: Uuid) -> Condition {
        let jobs = || job::Entity::find_by_id(id).select_only().column(job::Column::Id).filter(self.sees_job());
        self.equals_or(column, id, || column.in_subquery(jobs().into_query()).into())
    }

    /// Rows that refer to this company, if the caller sees it.
    pub fn is_company(&self, column: impl ColumnTrait, id: Uuid) -> Condition {
        let companies =
            || company::Entity::find_by_id(id).select_only().column(company::Column::Id).filter(self.sees_company());
        self.equals_or(column, id, || column.in_subquery(companies().into_query()).into())
    }

    /// The users that the caller sees: of the same organization, else only themselves.
    pub fn users(&self) -> Users {
        match self.organization_id() {
            _ if roles::reach(self.role, Action::See) == Reach::Everything => Users::All,
            Some(id) => Users::OfOrganization(id),
            None => Users::One(self.user_id),
        }
    }

    /// The rows of [`Self::users`].
    pub fn sees_user(&self) -> Condition {
        match self.users() {
            Users::All => Condition::all(),
            Users::OfOrganization(id) => user::Column::OrganizationId.eq(id).into(),
            Users::One(id) => user::Column::Id.eq(id).into(),
        }
    }

    /// Rows that refer to this user, if the caller sees them.
    pub fn is_user(&self, column: impl ColumnTrait, id: Uuid) -> Condition {
        let users = || user::Entity::find_by_id(id).select_only().column(user::Column::Id).filter(self.sees_user());
        self.equals_or(column, id, || column.in_subquery(users().into_query()).into())
    }

    /// The organizations that the caller sees: the one for which they act.
    pub fn sees_organization(&self) -> Condition {
        self.all_or(|| match self.organization_id() {
            Some(id) => organization::Column::Id.eq(id).into(),
            None => organization::Column::Id.is_null().into(),
        })
    }

    /// What only those see who see what the backfill decided.
    pub fn sees_backfill_runs(&self) -> Condition {
        self.all_with(Action::ReadBackfillRuns)
    }

    /// What only those see who see what retention does.
    pub fn sees_retention(&self) -> Condition {
        self.all_with(Action::Retention)
    }

    /// What is about everybody's, so that there is no part of it to see.
    fn all_with(&self, action: Action) -> Condition {
        if roles::reach(self.role, action) == Reach::Everything {
            Condition::all()
        } else {
            Condition::any().add(Expr::val(1).eq(0))
        }
    }

    fn all_or(&self, part: impl FnOnce() -> Condition) -> Condition {
        if roles::reach(self.role, Action::See) == Reach::Everything { Condition::all() } else { part() }
    }

    fn equals_or(&self, column: impl ColumnTrait, id: Uuid, part: impl FnOnce() -> Condition) -> Condition {
        let all = roles::reach(self.role, Action::See) == Reach::Everything;
        if all { column.eq(id).into() } else { part() }
    }
}

/// Makes the built-in user where it is missing: rows that it writes refer to it. Its password matches nothing.
pub async fn make_local_user(db: &impl ConnectionTrait) -> Result<(), DbErr> {
    if user::Entity::find_by_id(local_user_id()).one(db).await?.is_some() {
        return Ok(());
    }
    let row = user::ActiveModel {
        id: Set(local_user_id()),
        email: Set(format!("{LOCAL_USERNAME}@localhost")),
        username: Set(LOCAL_USERNAME.to_owned()),
        hashed_password: Set("!".to_owned()),
        full_name: Set(Some(LOCAL_NAME.to_owned())),
        organization_id: Set(None),
        role: Set(Some("user".to_owned())),
        is_active: Set(Some(true)),
        created_at: Set(Some(now().naive_utc())),
    };
    // Whichever of its unique values another transaction inserts at this moment: they are all this user's.
    user::Entity::insert(row).on_conflict(OnConflict::new().do_nothing().to_owned()).exec_without_returning(db).await?;
    Ok(())
}

/// The user and organization behind a token's claims, in one statement; `None` where they do not belong together or may not sign in.
pub(super) async fn find(
    db: &impl ConnectionTrait,
    user_id: Uuid,
    organization_id: Option<Uuid>,
    role: Role,
) -> Result<Option<Viewer>, DbErr> {
    let active = user::Column::IsActive.is_null().or(user::Column::IsActive.eq(true));
    let user = user::Entity::find_by_id(user_id).filter(active);
    let Some(id) = organization_id else {
        return Ok(user.one(db).await?.map(|user| viewer_of(user, None, role)));
    };
    let mut both = user.select_also(organization::Entity);
    // The one that the token names; an operator's need not be the user's own.
    let named = Expr::col((organization::Entity, organization::Column::Id)).eq(id);
    QueryTrait::query(&mut both).left_join(organization::Entity, named);
    let Some((user, Some(organization))) = both.one(db).await? else { return Ok(None) };
    let may_act = user.organization_id == Some(id) || role == Role::Operator;
    Ok(may_act.then(|| viewer_of(user, Some(organization), role)))
}

fn viewer_of(user: user::Model, organization: Option<organization::Model>, role: Role) -> Viewer {
    Viewer { user_id: user.id, name: user.full_name.unwrap_or(user.username), organization, role }
}
