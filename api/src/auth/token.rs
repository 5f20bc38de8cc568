//! Bearer tokens: JWT (RFC 7519), by the advice of RFC 8725.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jsonwebtoken::{Algorithm, EncodingKey, Header, Validation, errors::ErrorKind};
use sea_orm::prelude::Uuid;
use serde::{Deserialize, Serialize};

use super::{Role, key::Key};

/// The shortest secret in bytes: as long as the hash (RFC 7518, 3.2).
pub const SHORTEST_SECRET: usize = 32;
/// The longest token in bytes. Those of identity providers have one to three thousand.
const LONGEST: usize = 8192;

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

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// What tokens must say beside who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How far clocks may differ, in seconds.
    pub leeway: u64,
    /// For whom tokens must be (`aud`); without it they may be for anybody.
    pub audience: Option<String>,
    /// Who must have issued them (`iss`); without it that may be anybody who has the key.
    pub issuer: Option<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self { leeway: 30, audience: None, issuer: None }
    }
}

impl Rules {
    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut rules = Validation::new(algorithm);
        rules.leeway = self.leeway;
        rules.validate_nbf = true;
        rules.validate_aud = self.audience.is_some();
        if let Some(audience) = &self.audience {
            rules.set_audience(&[audience]);
            rules.required_spec_claims.insert("aud".to_owned());
        }
        if let Some(issuer) = &self.issuer {
            rules.set_issuer(&[issuer]);
            rules.required_spec_claims.insert("iss".to_owned());
        }
        rules
    }
}

#[derive(Serialize)]
struct Minted<'a> {
    sub: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    org: Option<Uuid>,
    role: &'static str,
    exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
}

/// Signs a token for a user, valid for so long from now, for the audience and by the issuer that the rules name.
pub fn mint(
    secret: &Secret,
    rules: &Rules,
    user: Uuid,
    organization: Option<Uuid>,
    role: Role,
    valid_for: Duration,
) -> Result<String, jsonwebtoken::errors::Error> {
    let claims = Minted {
        sub: user,
        org: organization,
        role: role.as_str(),
        exp: jsonwebtoken::get_current_timestamp() + valid_for.as_secs(),
        aud: rules.audience.as_deref(),
        iss: rules.issuer.as_deref(),
    };
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(secret.bytes()))
}

/// What a token says that is signed, in time, and for us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pass {
    pub user: Uuid,
    pub organization: Option<Uuid>,
    pub role: Role,
    /// Since 1970.
    pub expires: Duration,
}

#[derive(Deserialize)]
struct Claims {
    sub: Uuid,
    #[serde(default)]
    org: Option<Uuid>,
    #[serde(default)]
    role: Option<String>,
    // Numbers of seconds may have a fraction (RFC 7519, 2).
    exp: f64,
    #[serde(default)]
    iat: Option<f64>,
}

/// Why a token is refused: for the log alone, and never with any of what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("it is no signed token, or in an unknown algorithm")]
    Malformed,
    #[error("it demands an extension that is not known here")]
    Critical,
    #[error("no key fits it")]
    UnknownKey,
    #[error("its signature is not of that key")]
    Forged,
    #[error("it has expired")]
    Expired,
    #[error("it is not valid yet")]
    Early,
    #[error("it is for another audience, or names none")]
    Audience,
    #[error("it is by another issuer, or names none")]
    Issuer,
    #[error("a claim is missing or not what it should be")]
    Claims,
    #[error("it names an unknown role")]
    Role,
}

impl From<jsonwebtoken::errors::Error> for Refusal {
    fn from(error: jsonwebtoken::errors::Error) -> Self {
        match error.kind() {
            ErrorKind::InvalidSignature | ErrorKind::InvalidKeyFormat | ErrorKind::InvalidAlgorithm => Self::Forged,
            ErrorKind::ExpiredSignature => Self::Expired,
            ErrorKind::ImmatureSignature => Self::Early,
            ErrorKind::InvalidAudience => Self::Audience,
            ErrorKind::InvalidIssuer => Self::Issuer,
            ErrorKind::MissingRequiredClaim(claim) if claim == "aud" => Self::Audience,
            ErrorKind::MissingRequiredClaim(claim) if claim == "iss" => Self::Issuer,
            ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) | ErrorKind::Json(_) => Self::Claims,
            _ => Self::Malformed,
        }
    }
}

/// What a token says of itself, unverified: only to choose the key.
pub(super) fn header(token: &str) -> Result<Header, Refusal> {
    if token.len() > LONGEST {
        return Err(Refusal::Malformed);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| Refusal::Malformed)?;
    // Whoever does not know what is critical must refuse (RFC 7515, 4.1.11).
    if header.crit.is_some() { Err(Refusal::Critical) } else { Ok(header) }
}

/// Verifies a token. The key alone decides by which algorithm.
pub(super) fn verify(token: &str, key: &Key, rules: &Rules) -> Result<Pass, Refusal> {
    let claims = jsonwebtoken::decode::<Claims>(token, &key.decoding, &rules.validation(key.algorithm))?.claims;
    let expires = Duration::try_from_secs_f64(claims.exp).map_err(|_| Refusal::Claims)?;
    if let Some(issued) = claims.iat {
        let issued = Duration::try_from_secs_f64(issued).map_err(|_| Refusal::Claims)?;
        if issued > now() + Duration::from_secs(rules.leeway) {
            return Err(Refusal::Early);
        }
    }
    let role = claims.role.as_deref().map_or(Some(Role::Member), Role::parse).ok_or(Refusal::Role)?;
    Ok(Pass { user: claims.sub, organization: claims.org, role, expires })
}

impl Pass {
    /// Whether it has run out by now.
    pub fn has_expired(&self, rules: &Rules) -> bool {
        now() > self.expires.saturating_add(Duration::from_secs(rules.leeway))
    }
}

/// Since 1970.
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
