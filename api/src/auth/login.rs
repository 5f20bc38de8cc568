//! Who is behind a token, at most at the price of one statement.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
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
    /// Of the keys that verified it.
    generation: u64,
    viewer: Mutex<Option<(Duration, Viewer)>>,
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

    /// A token that is good, verified before or, where `may_verify` allows that, now.
    pub async fn known(&self, token: &str, may_verify: impl FnOnce() -> bool) -> Option<Arc<Verified>> {
        match self.recall(token) {
            None if may_verify() => self.verify(token).await,
            known => known,
        }
    }

    /// A token that was verified before, if it is still in time and its keys are still in force.
    pub fn recall(&self, token: &str) -> Option<Arc<Verified>> {
        let fingerprint = fingerprint(token);
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        let known = verified.get(&fingerprint)?;
        if known.generation == self.keys().generation && !known.pass.has_expired(&self.rules) {
            return Some(known.clone());
        }
        verified.pop(&fingerprint);
        None
    }

    /// Verifies a token that was not verified before; `None` for one that is not good, whatever is wrong with it.
    pub async fn verify(&self, token: &str) -> Option<Arc<Verified>> {
        match self.pass(token).await {
            Ok((pass, generation)) => {
                let fingerprint = fingerprint(token);
                let known = Arc::new(Verified { fingerprint, pass, generation, viewer: Mutex::default() });
                self.verified.lock().unwrap_or_else(PoisonError::into_inner).put(fingerprint, known.clone());
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
            self.verified.lock().unwrap_or_else(PoisonError::into_inner).pop(&known.fingerprint);
        }
        *known.viewer.lock().unwrap_or_else(PoisonError::into_inner) = found.clone().map(|viewer| (now, viewer));
        Ok(found)
    }
}

fn fingerprint(token: &str) -> Fingerprint {
    Sha256::digest(token).into()
}
