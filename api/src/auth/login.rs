//! Who is behind a token, at most at the price of one statement.

use std::{
    num::NonZeroUsize,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use lru::LruCache;
use sea_orm::{ConnectionTrait, DbErr};
use sha2::{Digest, Sha256};

use super::{
    Clock, Viewer,
    jwks::Jwks,
    key::KeySet,
    token::{self, Pass, Refusal, Rules, Secret},
    viewer,
};

/// Verified tokens that are remembered: the least recently used one goes when there are more.
const REMEMBERED: usize = 10_000;
/// For how long a viewer is taken for what the database said. Whoever may no longer sign in is out after that.
pub const FRESH: Duration = Duration::from_secs(1);

/// What verifies tokens.
#[derive(Debug)]
enum Keys {
    Secret(Arc<KeySet>),
    Published(Arc<Jwks>),
}

/// Sign-in by token.
#[derive(Debug)]
pub struct Login {
    keys: Keys,
    rules: Rules,
    clock: Clock,
    verified: Mutex<LruCache<Fingerprint, Arc<Verified>>>,
}

/// SHA-256 of a token: none is kept.
type Fingerprint = [u8; 32];

/// A token whose signature and claims are good, and the viewer as last looked up.
#[derive(Debug)]
pub struct Verified {
    fingerprint: Fingerprint,
    pass: Pass,
    /// Of the keys that verified it last.
    generation: AtomicU64,
    viewer: Mutex<Option<(Duration, Viewer)>>,
}

/// What is known of a token.
#[derive(Clone, Debug)]
pub enum Recalled {
    /// It is good.
    Good(Arc<Verified>),
    /// It was, by keys that are no longer in force. Said once.
    OutOfForce,
    /// Nothing.
    Unknown,
}

impl Login {
    /// Tokens that a shared secret signs (HS256).
    pub fn with_secret(secret: &Secret, rules: Rules, clock: Clock) -> Self {
        Self::new(Keys::Secret(Arc::new(KeySet::of_secret(secret))), rules, clock)
    }

    /// Tokens that published keys verify.
    pub fn with_published_keys(jwks: Arc<Jwks>, rules: Rules, clock: Clock) -> Self {
        Self::new(Keys::Published(jwks), rules, clock)
    }

    fn new(keys: Keys, rules: Rules, clock: Clock) -> Self {
        // Grows as it is used.
        let mut verified = LruCache::unbounded();
        verified.resize(NonZeroUsize::new(REMEMBERED).unwrap_or(NonZeroUsize::MIN));
        Self { keys, rules, clock, verified: Mutex::new(verified) }
    }

    fn keys(&self) -> Arc<KeySet> {
        match &self.keys {
            Keys::Secret(set) => set.clone(),
            Keys::Published(jwks) => jwks.set(),
        }
    }

    /// How long ago the keys were read last, where they are published.
    pub fn keys_age(&self) -> Option<Duration> {
        match &self.keys {
            Keys::Secret(_) => None,
            Keys::Published(jwks) => Some(jwks.age()),
        }
    }

    /// A token that is good, verified before or, where `may_verify` allows that, now.
    pub async fn known(&self, token: &str, may_verify: impl FnOnce() -> bool) -> Option<Arc<Verified>> {
        match self.recall(token) {
            Recalled::Good(known) => Some(known),
            Recalled::Unknown if may_verify() => self.verify(token).await,
            Recalled::OutOfForce | Recalled::Unknown => None,
        }
    }

    /// Whether a token was verified before, is still in time and would be verified by the keys that are in force.
    pub fn recall(&self, token: &str) -> Recalled {
        let fingerprint = fingerprint(token);
        let known = self.verified().get(&fingerprint).cloned();
        let Some(known) = known else { return Recalled::Unknown };
        let keys = self.keys();
        let is_by_others = known.generation.load(Ordering::Relaxed) != keys.generation;
        let recalled = match () {
            () if known.pass.has_expired(&self.rules) => Recalled::Unknown,
            () if is_by_others && !self.is_still_good(token, &known, &keys) => Recalled::OutOfForce,
            () => return Recalled::Good(known),
        };
        self.verified().pop(&fingerprint);
        recalled
    }

    /// Whether newer keys verify a token too.
    fn is_still_good(&self, token: &str, known: &Verified, keys: &KeySet) -> bool {
        let pass = token::header(token)
            .and_then(|header| token::verify(token, keys.find(&header).ok_or(Refusal::UnknownKey)?, &self.rules));
        if let Err(why) = &pass {
            tracing::info!("a token is refused that the keys of before had verified: {why}");
        }
        let is_good = pass.is_ok();
        if is_good {
            known.generation.store(keys.generation, Ordering::Relaxed);
        }
        is_good
    }

    fn verified(&self) -> MutexGuard<'_, LruCache<Fingerprint, Arc<Verified>>> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Verifies a token that was not verified before; `None` for one that is not good, whatever is wrong with it.
    pub async fn verify(&self, token: &str) -> Option<Arc<Verified>> {
        match self.pass(token).await {
            Ok((pass, generation)) => {
                let fingerprint = fingerprint(token);
                let generation = generation.into();
                let known = Arc::new(Verified { fingerprint, pass, generation, viewer: Mutex::default() });
                self.verified().put(fingerprint, known.clone());
                Some(known)
            }
            Err(why) => {
                tracing::info!("a token is refused: {why}");
                None
            }
        }
    }

    async fn pass(&self, token: &str) -> Result<(Pass, u64), Refusal> {
        let header = token::header(token)?;
        let mut keys = self.keys();
        if keys.find(&header).is_none()
            && let Keys::Published(jwks) = &self.keys
        {
            keys = jwks.newer_than(keys.generation).await;
        }
        let key = keys.find(&header).ok_or(Refusal::UnknownKey)?;
        Ok((token::verify(token, key, &self.rules)?, keys.generation))
    }

    /// The viewer behind a verified token, as the database has it now or had it [`FRESH`] ago; `None` where it names
    /// nobody who may sign in.
    pub async fn viewer(&self, db: &impl ConnectionTrait, known: &Verified) -> Result<Option<Viewer>, DbErr> {
        let now = self.clock.elapsed();
        if let Some((at, viewer)) = &*known.viewer.lock().unwrap_or_else(PoisonError::into_inner)
            && now.saturating_sub(*at) < FRESH
        {
            return Ok(Some(viewer.clone()));
        }
        let Pass { user, organization, role, .. } = known.pass;
        let found = viewer::find(db, user, organization, role).await?;
        if found.is_none() {
            tracing::info!(%user, ?organization, "a token is refused: no such active user in that organization");
            self.verified().pop(&known.fingerprint);
        }
        *known.viewer.lock().unwrap_or_else(PoisonError::into_inner) = found.clone().map(|viewer| (now, viewer));
        Ok(found)
    }
}

fn fingerprint(token: &str) -> Fingerprint {
    Sha256::digest(token).into()
}
