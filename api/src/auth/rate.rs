//! How often a caller may ask: a bucket of requests for each, which fills again steadily (GCRA).

pub mod shared;

use std::{
    collections::HashMap,
    convert::Infallible,
    hash::Hash,
    mem,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    num::{NonZeroU32, NonZeroUsize},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use governor::{
    Quota, RateLimiter, clock::Clock as _, middleware::StateInformationMiddleware, nanos::Nanos, state::StateStore,
};
use ipnet::IpNet;
use lru::LruCache;
use sea_orm::prelude::Uuid;
use serde::{Deserialize, Serialize};

use super::Clock;

/// Callers of each kind that are remembered: the one that was away for the longest goes when there are more. About 100
/// bytes each.
const REMEMBERED: usize = 100_000;
/// Of an IPv6 address, what a provider gives to one customer.
const IPV6_CUSTOMER: u32 = 64;

/// How often each caller may ask.
#[derive(Clone, Debug)]
pub struct Rate {
    /// Requests a second, in the long run.
    pub per_second: NonZeroU32,
    /// Requests at once, after a pause.
    pub burst: NonZeroU32,
    /// Proxies whose word is taken for where a request comes from.
    pub trusted_proxies: Vec<IpNet>,
}

/// Counts what callers ask.
#[derive(Debug)]
pub struct Limiter {
    rate: Rate,
    viewers: Buckets<Uuid>,
    addresses: Buckets<IpAddr>,
    clock: Clock,
    /// What was counted since other servers were told; none where nobody tells them.
    untold: Mutex<Option<HashMap<Caller, u32>>>,
}

/// The buckets of one kind of callers.
#[derive(Debug)]
struct Buckets<K: Clone + Hash + Eq> {
    limiter: RateLimiter<K, Recent<K>, Clock, StateInformationMiddleware>,
    recent: Recent<K>,
    /// The moment that the limiter counts from.
    began: Nanos,
}

/// Who is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Caller {
    /// A user.
    Viewer(Uuid),
    /// All from an address that nobody has signed in for.
    Address(IpAddr),
}

/// Whose requests were counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// A user's, wherever they are.
    Viewer,
    /// All from an address that nobody has signed in for.
    Address,
}

/// How a caller stands after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whose requests were counted.
    pub counted: Whose,
    /// Requests that may follow at once.
    pub remaining: u32,
    /// How long until the bucket is full or, when it is empty, until the next request.
    pub after: Duration,
    /// Whether this request is one too many.
    pub exceeded: bool,
}

impl Limiter {
    /// Nobody has asked yet.
    pub fn new(rate: Rate, clock: Clock) -> Self {
        let quota = Quota::per_second(rate.per_second).allow_burst(rate.burst);
        let (viewers, addresses) = (Buckets::new(quota, &clock), Buckets::new(quota, &clock));
        Self { rate, viewers, addresses, clock, untold: Mutex::default() }
    }

    /// What callers may do.
    pub fn rate(&self) -> &Rate {
        &self.rate
    }

    /// Counts a request of a user.
    pub fn count_viewer(&self, user: Uuid) -> Standing {
        self.count(&self.viewers, &user, Whose::Viewer, Caller::Viewer)
    }

    /// Counts a request for which nobody has signed in yet.
    pub fn count_address(&self, address: IpAddr) -> Standing {
        self.count(&self.addresses, &customer(address), Whose::Address, Caller::Address)
    }

    /// Counts requests that another server has taken. They may be more than are left: what is too much, the caller waits for.
    pub fn count_elsewhere(&self, caller: Caller, requests: u32) {
        let (now, each) = (self.clock.now(), Duration::from_secs(1) / self.rate.per_second.get());
        match caller {
            Caller::Viewer(user) => self.viewers.take(&user, now, each * requests),
            Caller::Address(address) => self.addresses.take(&address, now, each * requests),
        }
    }

    /// What was counted here since the last time; nothing is kept for it before the first.
    pub fn take_untold(&self) -> HashMap<Caller, u32> {
        let mut untold = self.untold.lock().unwrap_or_else(PoisonError::into_inner);
        mem::take(untold.get_or_insert_default())
    }

    fn count<K: Copy + Eq + Hash>(
        &self,
        buckets: &Buckets<K>,
        key: &K,
        counted: Whose,
        caller: impl FnOnce(K) -> Caller,
    ) -> Standing {
        match buckets.limiter.check_key(key) {
            Ok(state) => {
                if let Some(untold) = &mut *self.untold.lock().unwrap_or_else(PoisonError::into_inner) {
                    *untold.entry(caller(*key)).or_default() += 1;
                }
                let remaining = state.remaining_burst_capacity();
                let missing = self.rate.burst.get().saturating_sub(remaining);
                let after = Duration::from_secs(1) / self.rate.per_second.get() * missing;
                Standing { counted, remaining, after, exceeded: false }
            }
            Err(refused) => {
                let after = refused.wait_time_from(self.clock.now());
                Standing { counted, remaining: 0, after, exceeded: true }
            }
        }
    }

    /// Where a request comes from: its peer or, where that is a trusted proxy, the last one in the list that it
    /// forwards (`X-Forwarded-For`) which is none. What is further ahead anybody can have written.
    pub fn origin<'a>(&self, peer: IpAddr, forwarded: impl DoubleEndedIterator<Item = &'a str>) -> IpAddr {
        let is_trusted = |address: &IpAddr| self.rate.trusted_proxies.iter().any(|net| net.contains(address));
        let mut origin = peer.to_canonical();
        let mut hops = forwarded.flat_map(|list| list.split(',')).map(str::trim).rev();
        while is_trusted(&origin) {
            match hops.next().map(address) {
                Some(Some(hop)) => origin = hop.to_canonical(),
                Some(None) | None => break,
            }
        }
        origin
    }
}

/// An address as proxies write it: some add the port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || Some(text.parse::<SocketAddr>().ok()?.ip());
    text.parse().ok().or_else(with_port).or_else(bare)
}

/// What one customer of a provider has: an address, or a network of IPv6.
pub fn customer(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) >> (128 - IPV6_CUSTOMER) << (128 - IPV6_CUSTOMER);
            Ipv6Addr::from(network).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

impl<K: Clone + Hash + Eq> Buckets<K> {
    fn new(quota: Quota, clock: &Clock) -> Self {
        let (recent, began) = (Recent::new(REMEMBERED), clock.now());
        Self { limiter: RateLimiter::new(quota, recent.clone(), clock.clone()), recent, began }
    }

    /// Takes so much time from a bucket, even if that is not in it.
    fn take(&self, key: &K, now: Nanos, time: Duration) {
        let now = now.saturating_sub(self.began);
        // What is kept of a bucket is when it is full again.
        let full = |before: Option<Nanos>| before.map_or(now, |before| before.max(now)) + Nanos::from(time);
        let Ok(()) = self.recent.measure_and_replace(key, |before| Ok::<_, Infallible>(((), full(before))));
    }
}

/// Buckets that are not full, in bounded memory.
#[derive(Clone, Debug)]
struct Recent<K: Hash + Eq>(Arc<Mutex<LruCache<K, Nanos>>>);

impl<K: Hash + Eq> Recent<K> {
    fn new(most: usize) -> Self {
        // Grows as it is used.
        let mut recent = LruCache::unbounded();
        recent.resize(NonZeroUsize::new(most).unwrap_or(NonZeroUsize::MIN));
        Self(Arc::new(Mutex::new(recent)))
    }
}

impl<K: Clone + Hash + Eq> StateStore for Recent<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = recent.get_mut(key) {
            let (measured, after) = measure(Some(*before))?;
            *before = after;
            return Ok(measured);
        }
        let (measured, after) = measure(None)?;
        recent.put(key.clone(), after);
        Ok(measured)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(proxies: &[&str]) -> (Limiter, Clock) {
        let clock = Clock::held();
        let trusted_proxies = proxies.iter().map(|net| net.parse().unwrap()).collect();
        let number = |number| NonZeroU32::new(number).unwrap();
        let rate = Rate { per_second: number(50), burst: number(200), trusted_proxies };
        (Limiter::new(rate, clock.clone()), clock)
    }

    #[test]
    fn a_burst_and_then_so_many_a_second() {
        let (limiter, clock) = limiter(&[]);
        let (anna, ben) = (Uuid::from_u128(1), Uuid::from_u128(2));
        for remaining in (0..200).rev() {
            let standing = limiter.count_viewer(anna);
            assert_eq!((standing.remaining, standing.exceeded), (remaining, false));
            assert_eq!(standing.after, Duration::from_millis(20) * (200 - remaining));
        }
        let refused = limiter.count_viewer(anna);
        assert_eq!((refused.remaining, refused.exceeded, refused.after), (0, true, Duration::from_millis(20)));
        assert!(!limiter.count_viewer(ben).exceeded, "another user is not held up");
        clock.advance(Duration::from_millis(19));
        assert!(limiter.count_viewer(anna).exceeded);
        clock.advance(Duration::from_millis(1));
        assert!(!limiter.count_viewer(anna).exceeded, "a refused request costs nothing");
        assert!(limiter.count_viewer(anna).exceeded);
        clock.advance(Duration::from_secs(1));
        assert_eq!((0..100).filter(|_| !limiter.count_viewer(anna).exceeded).count(), 50);
        clock.advance(Duration::from_mins(1));
        assert_eq!(limiter.count_viewer(anna).remaining, 199, "no more than a burst is saved up");
    }

    #[test]
    fn what_other_servers_took_is_counted_and_owed() {
        let (limiter, clock) = limiter(&[]);
        let (anna, address) = (Uuid::from_u128(1), "192.0.2.1".parse().unwrap());
        clock.advance(Duration::from_mins(1));
        limiter.count_elsewhere(Caller::Viewer(anna), 150);
        assert_eq!(limiter.count_viewer(anna).remaining, 49);
        // Two servers took a whole burst each before they heard of each other.
        limiter.count_elsewhere(Caller::Viewer(anna), 200);
        let refused = limiter.count_viewer(anna);
        assert_eq!((refused.exceeded, refused.after), (true, Duration::from_millis(152 * 20)));
        clock.advance(refused.after);
        assert!(!limiter.count_viewer(anna).exceeded);
        assert!(limiter.count_viewer(anna).exceeded);
        limiter.count_elsewhere(Caller::Address(address), 200);
        assert!(limiter.count_address(address).exceeded);
    }

    #[test]
    fn what_others_are_told_is_what_was_taken() {
        let (limiter, _) = limiter(&[]);
        let (anna, address) = (Uuid::from_u128(1), "192.0.2.1".parse().unwrap());
        limiter.count_viewer(anna);
        assert_eq!(limiter.take_untold(), HashMap::new(), "nobody had asked");
        (0..250).for_each(|_| _ = limiter.count_viewer(anna));
        limiter.count_address(address);
        limiter.count_elsewhere(Caller::Address(address), 3);
        let taken = [(Caller::Viewer(anna), 199), (Caller::Address(address), 1)];
        assert_eq!(limiter.take_untold(), HashMap::from(taken));
        assert_eq!(limiter.take_untold(), HashMap::new());
    }

    #[test]
    fn an_address_is_what_one_customer_has() {
        let (limiter, _) = limiter(&[]);
        let remaining = |address: &str| limiter.count_address(address.parse().unwrap()).remaining;
        assert_eq!(remaining("2001:db8:1:2::1"), 199);
        assert_eq!(remaining("2001:db8:1:2:ffff:ffff:ffff:ffff"), 198);
        assert_eq!(remaining("2001:db8:1:3::1"), 199);
        assert_eq!(remaining("192.0.2.1"), 199);
        assert_eq!(remaining("::ffff:192.0.2.1"), 198);
        assert_eq!(remaining("192.0.2.2"), 199);
    }

    #[test]
    fn only_a_trusted_proxy_is_believed_and_only_what_it_added() {
        let (limiter, _) = limiter(&["10.0.0.0/8", "::1/128"]);
        for (peer, forwarded, origin) in [
            ("192.0.2.1", vec![], "192.0.2.1"),
            ("192.0.2.1", vec!["198.51.100.7"], "192.0.2.1"),
            ("10.0.0.1", vec!["198.51.100.7"], "198.51.100.7"),
            ("::ffff:10.0.0.1", vec!["198.51.100.7"], "198.51.100.7"),
            ("::1", vec!["2001:db8::1"], "2001:db8::1"),
            ("10.0.0.1", vec!["203.0.113.9, 198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", vec!["203.0.113.9", "198.51.100.7 , 10.0.0.2"], "198.51.100.7"),
            ("10.0.0.1", vec!["10.0.0.3,10.0.0.2"], "10.0.0.3"),
            ("10.0.0.1", vec!["198.51.100.7:4711"], "198.51.100.7"),
            ("10.0.0.1", vec!["[2001:db8::1]:4711"], "2001:db8::1"),
            ("10.0.0.1", vec!["[2001:db8::1]"], "2001:db8::1"),
            ("10.0.0.1", vec!["198.51.100.7, garbage"], "10.0.0.1"),
            ("10.0.0.1", vec![""], "10.0.0.1"),
            ("10.0.0.1", vec![], "10.0.0.1"),
        ] {
            let found = limiter.origin(peer.parse().unwrap(), forwarded.iter().copied());
            assert_eq!(found, origin.parse::<IpAddr>().unwrap(), "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_latest_stay() {
        let recent = Recent::new(1000);
        for key in 0..100_000_u64 {
            _ = recent.measure_and_replace(&key, |_| Ok::<_, ()>(((), Nanos::new(key))));
            // One that comes all the time is not forgotten among those that come once.
            let seen = recent.measure_and_replace(&u64::MAX, |before| Ok::<_, ()>((before, Nanos::new(7)))).unwrap();
            assert_eq!(seen.is_some(), key > 0);
        }
        assert_eq!(recent.0.lock().unwrap().len(), 1000);
    }
}
