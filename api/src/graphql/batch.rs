//! What many fields of a request ask for one by one is read together.
//!
//! The library's own `DataLoader` waits for a timer before each batch, in a thread of its own even when the time is zero,
//! and copies each value for each who asked. Here a batch goes on when the request cannot (see
//! [`execute_with`](super::loaders::execute_with)), and values are meant to be cheap to clone.

use std::{
    any::{Any, TypeId},
    collections::{HashMap, HashSet},
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::future::BoxFuture;
use tokio::sync::{SetOnce, mpsc};

/// The most keys of one load.
const LARGEST: usize = 10_000;

/// Reads the values of many keys at once; what a key has no value for is left out.
pub trait Loader<K>: Send + Sync + 'static {
    /// What belongs to a key.
    type Value: Clone + Send + Sync + 'static;
    /// Shared by all who asked.
    type Error: Clone + Send + Sync + 'static;

    /// Reads them.
    fn load(&self, keys: &[K]) -> impl Future<Output = Result<HashMap<K, Self::Value>, Self::Error>> + Send;
}

/// Batches on their way to those who run them.
pub type Starting = mpsc::UnboundedSender<BoxFuture<'static, ()>>;

/// Gathers what is asked for. Cheap to clone.
pub struct Gathered<R>(Arc<Gathering<R>>);

impl<R> Clone for Gathered<R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

struct Gathering<R> {
    reader: R,
    starting: Starting,
    /// The batch of each type of key that has not begun.
    open: Mutex<HashMap<TypeId, Box<dyn Any + Send>>>,
}

type Answer<K, R> = Result<HashMap<K, <R as Loader<K>>::Value>, <R as Loader<K>>::Error>;

struct Open<K, R: Loader<K>> {
    keys: HashSet<K>,
    answer: Arc<SetOnce<Answer<K, R>>>,
}

impl<R: Send + Sync + 'static> Gathered<R> {
    /// Reads by a reader; batches that have begun go out at `starting`.
    pub fn new(reader: R, starting: Starting) -> Self {
        Self(Arc::new(Gathering { reader, starting, open: Mutex::default() }))
    }

    /// The value of a key.
    pub async fn load_one<K>(&self, key: K) -> Result<Option<R::Value>, R::Error>
    where
        K: Eq + Hash + Clone + Send + Sync + 'static,
        R: Loader<K>,
    {
        let answer = self.ask([key.clone()]);
        match answer.wait().await {
            Ok(values) => Ok(values.get(&key).cloned()),
            Err(error) => Err(error.clone()),
        }
    }

    /// The values of several keys, in their order.
    pub async fn load_many<K>(&self, keys: &[K]) -> Result<Vec<Option<R::Value>>, R::Error>
    where
        K: Eq + Hash + Clone + Send + Sync + 'static,
        R: Loader<K>,
    {
        let answer = self.ask(keys.iter().cloned());
        match answer.wait().await {
            Ok(values) => Ok(keys.iter().map(|key| values.get(key).cloned()).collect()),
            Err(error) => Err(error.clone()),
        }
    }

    /// Adds keys to the batch that is open, or opens one.
    fn ask<K>(&self, keys: impl IntoIterator<Item = K>) -> Arc<SetOnce<Answer<K, R>>>
    where
        K: Eq + Hash + Clone + Send + Sync + 'static,
        R: Loader<K>,
    {
        let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        let batch = open.entry(TypeId::of::<K>()).or_insert_with(|| {
            // A batch that nobody runs any more is dropped with its request.
            _ = self.0.starting.send(Box::pin(self.clone().run::<K>()));
            Box::new(Open::<K, R> { keys: HashSet::new(), answer: Arc::default() })
        });
        let Some(batch) = batch.downcast_mut::<Open<K, R>>() else { return Arc::default() };
        batch.keys.extend(keys);
        batch.answer.clone()
    }

    /// Closes the batch and reads it.
    async fn run<K>(self)
    where
        K: Eq + Hash + Clone + Send + Sync + 'static,
        R: Loader<K>,
    {
        let closed = self.0.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&TypeId::of::<K>());
        let Some(batch) = closed.and_then(|closed| closed.downcast::<Open<K, R>>().ok()) else { return };
        let keys: Vec<K> = batch.keys.into_iter().collect();
        let mut answer = Ok(HashMap::with_capacity(keys.len()));
        for some in keys.chunks(LARGEST) {
            answer = match (answer, self.0.reader.load(some).await) {
                (Ok(values), Ok(more)) if HashMap::is_empty(&values) => Ok(more),
                (Ok(mut values), Ok(more)) => {
                    values.extend(more);
                    Ok(values)
                }
                (Err(error), _) | (_, Err(error)) => Err(error),
            };
        }
        // Nobody else answers this batch.
        _ = batch.answer.set(answer);
    }
}
