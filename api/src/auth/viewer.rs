//! The authenticated caller, and the rules of what a caller sees and may change.

use std::sync::Arc;

use entity::{job, organization, user};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryTrait,
    prelude::Uuid,
    sea_query::{Expr, ExprTrait, OnConflict},
};

use super::{login::Login, rate::Limiter};
use crate::database::now;

/// What a caller may do, from the least to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Sees the organization's jobs and their receipts; changes their own.
    Member,
    /// Changes all of the organization's.
    OrgAdmin,
    /// Sees and changes everything, personal spaces too.
    Operator,
}

impl Role {
    /// The spelling in a token.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::OrgAdmin => "org_admin",
            Self::Operator => "operator",
        }
    }

    /// The role that a token names.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Member, Self::OrgAdmin, Self::Operator].into_iter().find(|role| role.as_str() == text)
    }
}

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
        match (self.role, self.organization_id()) {
            (Role::Operator, _) => Condition::all(),
            (_, Some(id)) => Condition::all().add(organization.eq(id)),
            (_, None) => Condition::all().add(organization.is_null()).add(owner.eq(self.user_id)),
        }
    }

    /// Whether the caller sees a row of this organization and owner: the same rule as [`Self::sees`], for rows at hand.
    pub fn sees_row(&self, organization: Option<Uuid>, owner: Uuid) -> bool {
        match (self.role, self.organization_id()) {
            (Role::Operator, _) => true,
            (_, Some(id)) => organization == Some(id),
            (_, None) => organization.is_none() && owner == self.user_id,
        }
    }

    /// Whether the caller may change what this owner made; only asked of what the caller sees.
    pub fn may_change(&self, owner: Option<Uuid>) -> bool {
        self.role >= Role::OrgAdmin || owner == Some(self.user_id)
    }

    /// Whether the caller may forbid deleting a job that it sees, and allow it again.
    pub fn may_hold(&self) -> bool {
        self.role >= Role::OrgAdmin
    }

    /// Whether the caller sees the runs of the backfill, which are about everybody's predictions.
    pub fn sees_backfill_runs(&self) -> bool {
        self.role == Role::Operator
    }

    /// The jobs that the caller sees.
    pub fn sees_job(&self) -> Condition {
        self.sees(job::Column::OrganizationId, job::Column::UserId)
    }

    /// The users that the caller sees: of the same organization, else only themselves.
    pub fn sees_user(&self) -> Condition {
        match (self.role, self.organization_id()) {
            (Role::Operator, _) => Condition::all(),
            (_, Some(id)) => user::Column::OrganizationId.eq(id).into(),
            (_, None) => user::Column::Id.eq(self.user_id).into(),
        }
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
    let nothing = OnConflict::column(user::Column::Id).do_nothing().to_owned();
    user::Entity::insert(row).on_conflict(nothing).exec_without_returning(db).await?;
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
