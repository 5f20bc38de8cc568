//! What objects refer to by an id.

use std::{hash::Hash, sync::OnceLock};

use async_graphql::{Context, Result};

use super::{
    batch::Loader,
    loaders::{Loaders, Reader, Shared},
};

/// A row that an object refers to, perhaps read already, together with those of the other objects of its list. A field that
/// waits for itself alone costs several times what it takes to show a row that is there.
pub struct Reference<K>
where
    Reader: Loader<K>,
{
    key: Option<K>,
    found: OnceLock<Option<<Reader as Loader<K>>::Value>>,
}

impl<K: Clone> Clone for Reference<K>
where
    Reader: Loader<K>,
{
    fn clone(&self) -> Self {
        Self { key: self.key.clone(), found: self.found.clone() }
    }
}

impl<K> Reference<K>
where
    K: Copy + Eq + Hash + Send + Sync + 'static,
    Reader: Loader<K, Error = Shared>,
{
    /// To the row of a key; to nothing without one.
    pub const fn to(key: Option<K>) -> Self {
        Self { key, found: OnceLock::new() }
    }

    /// Whether it can be told without waiting.
    pub fn is_known(&self) -> bool {
        self.key.is_none() || self.found.get().is_some()
    }

    /// The row, if there is one and the viewer sees it.
    pub async fn get(&self, ctx: &Context<'_>) -> Result<Option<<Reader as Loader<K>>::Value>> {
        let Some(key) = self.key else { return Ok(None) };
        match self.found.get() {
            Some(found) => Ok(found.clone()),
            None => Ok(ctx.data::<Loaders>()?.load_one(key).await?),
        }
    }

    /// Reads all of these at once. Where that fails each is read by itself, and tells why.
    pub async fn read_all(references: impl Iterator<Item = &Self>, loaders: &Loaders) {
        let (some, keys): (Vec<&Self>, Vec<K>) = references.filter_map(|it| Some((it, it.key?))).unzip();
        if keys.is_empty() {
            return;
        }
        let Ok(rows) = loaders.load_many(&keys).await else { return };
        for (reference, row) in some.into_iter().zip(rows) {
            reference.found.get_or_init(|| row);
        }
    }
}
