//! Somebody who issues tokens: keys made for this run.

use std::sync::LazyLock;

use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use p256::pkcs8::EncodePrivateKey;
use rsa::{RsaPrivateKey, pkcs1::EncodeRsaPrivateKey, rand_core::OsRng};
use serde_json::{Value, json};
use tests::Person;

/// A key that signs, and what is published of it.
pub struct Signer {
    key: EncodingKey,
    algorithm: Algorithm,
    id: Option<&'static str>,
}

/// RSA keys take long to make.
static RSA: LazyLock<[EncodingKey; 2]> = LazyLock::new(|| [rsa(2048), rsa(2048)]);
static SHORT_RSA: LazyLock<EncodingKey> = LazyLock::new(|| rsa(1024));

fn rsa(bits: usize) -> EncodingKey {
    let key = RsaPrivateKey::new(&mut OsRng, bits).unwrap();
    EncodingKey::from_rsa_der(key.to_pkcs1_der().unwrap().as_bytes())
}

impl Signer {
    /// One of the two RSA keys of this run.
    pub fn rsa(which: usize, id: &'static str) -> Self {
        Self { key: RSA[which].clone(), algorithm: Algorithm::RS256, id: Some(id) }
    }

    /// An RSA key that is too short.
    pub fn short_rsa(id: &'static str) -> Self {
        Self { key: SHORT_RSA.clone(), algorithm: Algorithm::RS256, id: Some(id) }
    }

    /// A new key on P-256.
    pub fn ec(id: &'static str) -> Self {
        let key = p256::SecretKey::random(&mut OsRng).to_pkcs8_der().unwrap();
        Self { key: EncodingKey::from_ec_der(key.as_bytes()), algorithm: Algorithm::ES256, id: Some(id) }
    }

    /// A key on Ed25519, from this seed.
    pub fn ed(seed: u8, id: &'static str) -> Self {
        // PKCS #8 of RFC 8410 around 32 bytes.
        let head = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        let key = EncodingKey::from_ed_der(&[&head[..], &[seed; 32]].concat());
        Self { key, algorithm: Algorithm::EdDSA, id: Some(id) }
    }

    /// The same key by another algorithm.
    pub fn by(self, algorithm: Algorithm) -> Self {
        Self { algorithm, ..self }
    }

    /// The same key under another name, or none.
    pub fn called(&self, id: Option<&'static str>) -> Self {
        Self { key: self.key.clone(), algorithm: self.algorithm, id }
    }

    /// Signs whatever is claimed.
    pub fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: self.id.map(Into::into), ..Header::new(self.algorithm) };
        self.sign_with(&header, claims)
    }

    /// Signs with this header.
    pub fn sign_with(&self, header: &Header, claims: &Value) -> String {
        jsonwebtoken::encode(header, claims, &self.key).unwrap()
    }

    /// A token of somebody, for an hour.
    pub fn token(&self, person: &Person) -> String {
        self.sign(&claims(person))
    }

    /// What is published.
    pub fn jwk(&self) -> Value {
        let mut jwk = json!(Jwk::from_encoding_key(&self.key, self.algorithm).unwrap());
        if let Some(id) = self.id {
            jwk["kid"] = json!(id);
        }
        jwk
    }
}

/// What is published of these.
pub fn jwks(signers: &[&Signer]) -> String {
    json!({ "keys": signers.iter().map(|signer| signer.jwk()).collect::<Vec<_>>() }).to_string()
}

/// Seconds since 1970.
pub fn now() -> u64 {
    jsonwebtoken::get_current_timestamp()
}

/// Who it is, for an hour.
pub fn claims(person: &Person) -> Value {
    json!({ "sub": person.id, "org": person.organization, "role": "member", "exp": now() + 3600 })
}
