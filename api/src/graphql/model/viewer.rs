//! Who calls.

use async_graphql::{ID, Object, SimpleObject};
use entity::{organization, user};

use super::enums::Role;
use crate::auth::{self, names::Named};

/// The authenticated caller.
#[derive(SimpleObject)]
pub struct Viewer {
    /// The user.
    user: User,
    /// The organization for which the user acts; null = the personal space.
    organization: Option<Organization>,
    /// What the user may do.
    role: Role,
}

impl From<&auth::Viewer> for Viewer {
    fn from(viewer: &auth::Viewer) -> Self {
        Self {
            user: User { id: viewer.user_id.into(), name: viewer.name.clone() },
            organization: viewer.organization.clone().map(Organization),
            role: viewer.role.into(),
        }
    }
}

/// A user.
#[derive(SimpleObject, Clone)]
pub struct User {
    /// UUID.
    #[graphql(owned)]
    pub id: ID,
    /// The name to show.
    name: String,
}

impl From<Named> for User {
    fn from(named: Named) -> Self {
        Self { id: named.id.into(), name: named.name.as_ref().to_owned() }
    }
}

impl From<user::Model> for User {
    fn from(user: user::Model) -> Self {
        Named::new(user.id, user.full_name, user.username).into()
    }
}

/// An organization: whose data is apart from everybody else's.
#[derive(Clone)]
pub struct Organization(pub organization::Model);

/// An organization: whose data is apart from everybody else's.
#[Object]
impl Organization {
    /// UUID.
    pub async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// The name to show.
    async fn name(&self) -> &str {
        &self.0.name
    }
}
