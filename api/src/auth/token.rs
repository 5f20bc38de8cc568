//! Bearer tokens: JWT signed with HS256 and a shared secret.

use std::{fmt, sync::Arc, time::Duration};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use sea_orm::{ConnectionTrait, DbErr, prelude::Uuid};
use serde::{Deserialize, Serialize};

use super::{Role, Viewer, viewer};

/// The shortest secret in bytes: as long as the hash (RFC 7518, 3.2).
pub const SHORTEST_SECRET: usize = 32;
/// How far clocks may differ, in seconds.
const LEEWAY: u64 = 30;

/// The secret that signs tokens. Never printed.
#[derive(Clone)]
pub struct Secret(Arc<str>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// The secret is too short to sign with.
#[derive(Debug, thiserror::Error)]
#[error("JOBLINK_JWT_SECRET has fewer than 32 bytes: make one with `openssl rand -hex 32`")]
pub struct SecretTooShort;

impl Secret {
    /// Takes a secret of at least [`SHORTEST_SECRET`] bytes.
    pub fn new(text: &str) -> Result<Self, SecretTooShort> {
        if text.len() < SHORTEST_SECRET { Err(SecretTooShort) } else { Ok(Self(text.into())) }
    }
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    org: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    exp: u64,
}

/// Signs a token for a user, valid for so long from now.
pub fn mint(
    secret: &Secret,
    user: Uuid,
    organization: Option<Uuid>,
    role: Role,
    valid_for: Duration,
) -> Result<String, jsonwebtoken::errors::Error> {
    let exp = jsonwebtoken::get_current_timestamp() + valid_for.as_secs();
    let claims = Claims { sub: user, org: organization, role: Some(role.as_str().to_owned()), exp };
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(secret.0.as_bytes()))
}

/// The caller behind a token; `None` for a token that is forged, expired, or names nobody who may sign in.
pub async fn verify(db: &impl ConnectionTrait, secret: &Secret, token: &str) -> Result<Option<Viewer>, DbErr> {
    let mut rules = Validation::new(Algorithm::HS256);
    rules.leeway = LEEWAY;
    // Audience and issuer are not set on tokens of this kind.
    rules.validate_aud = false;
    let key = DecodingKey::from_secret(secret.0.as_bytes());
    // Why a token is refused is for the log alone.
    let token = match jsonwebtoken::decode::<Claims>(token, &key, &rules) {
        Ok(token) => token,
        Err(error) => {
            tracing::info!("a token is refused: {error}");
            return Ok(None);
        }
    };
    let Claims { sub, org, role, .. } = token.claims;
    let Some(role) = role.as_deref().map_or(Some(Role::Member), Role::parse) else {
        tracing::info!(user = %sub, "a token is refused: it names an unknown role");
        return Ok(None);
    };
    let viewer = viewer::find(db, sub, org, role).await?;
    if viewer.is_none() {
        tracing::info!(user = %sub, organization = ?org, "a token is refused: no such active user in that organization");
    }
    Ok(viewer)
}
