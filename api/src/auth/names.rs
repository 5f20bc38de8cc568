//! What users are called.
//!
//! Joblink never changes a user, and nearly every list says whose its rows are. So a name is remembered for as long as the
//! viewer behind a token is, for those who see that user.

use std::{collections::HashMap, sync::Arc, time::Duration};

use entity::user;
use quick_cache::sync::Cache;
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, prelude::Uuid};

use super::{Clock, Viewer, login::FRESH, viewer::Users};
use crate::database::with_ids;

/// Names that are remembered: the least used go when there are more.
const REMEMBERED: usize = 10_000;

/// The names. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Names(Arc<Remembered>);

#[derive(Debug)]
struct Remembered {
    clock: Clock,
    known: Cache<(Users, Uuid), (Duration, Named)>,
}

/// A user by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The user.
    pub id: Uuid,
    /// The name to show.
    pub name: Arc<str>,
}

impl Default for Names {
    fn default() -> Self {
        Self::new(Clock::default())
    }
}

impl Named {
    /// By the full name, or without one by that to sign in with.
    pub fn new(id: Uuid, full_name: Option<String>, username: String) -> Self {
        Self { id, name: full_name.unwrap_or(username).into() }
    }
}

impl Names {
    /// None yet.
    pub fn new(clock: Clock) -> Self {
        Self(Arc::new(Remembered { clock, known: Cache::new(REMEMBERED) }))
    }

    /// The users of these ids whom the viewer sees.
    pub async fn of(
        &self,
        db: &impl ConnectionTrait,
        viewer: &Viewer,
        ids: &[Uuid],
    ) -> Result<HashMap<Uuid, Named>, DbErr> {
        let (users, now) = (viewer.users(), self.0.clock.elapsed());
        let known = |id: &Uuid| {
            let (since, named) = self.0.known.get(&(users, *id))?;
            (now.saturating_sub(since) < FRESH).then_some((*id, named))
        };
        let mut found: HashMap<Uuid, Named> = ids.iter().filter_map(known).collect();
        let missing: Vec<Uuid> = ids.iter().filter(|id| !found.contains_key(id)).copied().collect();
        if missing.is_empty() {
            return Ok(found);
        }
        let rows: Vec<(Uuid, Option<String>, String)> =
            with_ids(user::Entity::find(), user::Column::Id, &missing, db.get_database_backend())
                .filter(viewer.sees_user())
                .select_only()
                .columns([user::Column::Id, user::Column::FullName, user::Column::Username])
                .into_tuple()
                .all(db)
                .await?;
        for (id, full_name, username) in rows {
            let named = Named::new(id, full_name, username);
            self.0.known.insert((users, id), (now, named.clone()));
            found.insert(id, named);
        }
        Ok(found)
    }
}
