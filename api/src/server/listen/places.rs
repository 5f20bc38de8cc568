//! How many connections there may be.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places for connections.
pub struct Places {
    free: Arc<Semaphore>,
    per_address: usize,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
    open: Gauge,
}

/// A place that is not given to anybody yet.
pub struct Free<'a> {
    permit: OwnedSemaphorePermit,
    places: &'a Places,
}

/// A place that is taken until this is dropped.
pub struct Place {
    address: IpAddr,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
    open: Gauge,
    _permit: OwnedSemaphorePermit,
}

impl Places {
    /// `all` places, of which one address may have `per_address`; 0 = all.
    pub fn new(all: usize, per_address: usize, open: Gauge) -> Self {
        Self {
            free: Arc::new(Semaphore::new(all.min(Semaphore::MAX_PERMITS))),
            per_address,
            taken: Arc::default(),
            open,
        }
    }

    /// Waits for a free one.
    pub async fn one(&self) -> Free<'_> {
        match self.free.clone().acquire_owned().await {
            Ok(permit) => Free { permit, places: self },
            // The semaphore is never closed.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Free<'_> {
    /// Gives it to an address, unless that one has enough.
    pub fn of(self, address: IpAddr) -> Option<Place> {
        let Self { permit, places } = self;
        // An IPv4 client of a listener for both is the same client.
        let address = address.to_canonical();
        let mut taken = places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(address).or_default();
        if places.per_address != 0 && *count >= places.per_address {
            return None;
        }
        *count += 1;
        places.open.inc();
        Some(Place { address, taken: places.taken.clone(), open: places.open.clone(), _permit: permit })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.address);
            }
        }
        self.open.dec();
    }
}
