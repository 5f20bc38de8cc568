//! Keys that verify tokens, and which keys of a JWK set (RFC 7517) are taken.

use std::collections::HashSet;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, DecodingKey, DecodingKeyKind, Header,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;

use super::token::Secret;

/// Shorter RSA keys are refused (RFC 7518, 3.3), and longer ones cost too much.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;
/// More keys than anybody publishes.
const MOST_KEYS: usize = 100;

/// A key, for exactly one algorithm (RFC 8725, 3.1).
#[derive(Clone, Debug)]
pub(super) struct Key {
    id: Option<String>,
    pub algorithm: Algorithm,
    pub decoding: DecodingKey,
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        (&self.id, self.algorithm, numbers(&self.decoding)) == (&other.id, other.algorithm, numbers(&other.decoding))
    }
}

/// What a key is made of.
fn numbers(key: &DecodingKey) -> [&[u8]; 2] {
    match key.kind() {
        DecodingKeyKind::SecretOrDer(bytes) => [bytes, &[]],
        DecodingKeyKind::RsaModulusExponent { n, e } => [n, e],
    }
}

/// The keys that are in force at a time.
#[derive(Debug)]
pub(super) struct KeySet {
    keys: Vec<Key>,
    /// Another number with each change; what one set verified, the next one verifies again.
    pub generation: u64,
}

/// Why a set of keys cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unusable {
    #[error("it is no JWK set (an object with a list of keys)")]
    NoSet,
    #[error("it has more than {MOST_KEYS} keys")]
    TooMany,
    #[error("none of its keys can verify tokens: RSA of 2048 to 4096 bits, EC on P-256 or P-384, or Ed25519")]
    NoKey,
}

#[derive(Deserialize)]
struct Published {
    keys: Vec<Value>,
}

impl KeySet {
    /// The set of one secret.
    pub fn of_secret(secret: &Secret) -> Self {
        let decoding = DecodingKey::from_secret(secret.bytes());
        Self { keys: vec![Key { id: None, algorithm: Algorithm::HS256, decoding }], generation: 0 }
    }

    /// The keys of a JWK set that can verify tokens; others are passed over.
    pub fn parse(json: &[u8], generation: u64) -> Result<Self, Unusable> {
        let Published { keys } = serde_json::from_slice(json).map_err(|_| Unusable::NoSet)?;
        if keys.len() > MOST_KEYS {
            return Err(Unusable::TooMany);
        }
        let keys: Vec<_> = keys.into_iter().filter_map(|key| key_of(&serde_json::from_value(key).ok()?)).collect();
        if keys.is_empty() { Err(Unusable::NoKey) } else { Ok(Self { keys, generation }) }
    }

    /// Whether these keys verify what those do, however they were written down. The order matters among keys of one
    /// name alone, of which the first one counts.
    pub fn is_as(&self, other: &Self) -> bool {
        let names = |set: &Self| set.keys.iter().map(|key| key.id.clone()).collect::<HashSet<_>>();
        let called = |set: &Self, name: &Option<String>| -> Vec<Key> {
            set.keys.iter().filter(|key| key.id == *name).cloned().collect()
        };
        let all = names(self);
        all == names(other) && all.iter().all(|name| called(self, name) == called(other, name))
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// The key that a token says it was signed with. Where it does not say, there must be no choice.
    pub fn find(&self, header: &Header) -> Option<&Key> {
        let mut fitting = self.keys.iter().filter(|key| key.algorithm == header.alg);
        match &header.kid {
            // A shared secret has no name.
            Some(id) => fitting.find(|key| key.id.as_ref() == Some(id) || key.algorithm == Algorithm::HS256),
            None => fitting.next().filter(|_| fitting.next().is_none()),
        }
    }
}

fn key_of(jwk: &Jwk) -> Option<Key> {
    let common = &jwk.common;
    let signs = common.public_key_use.as_ref().is_none_or(|purpose| *purpose == PublicKeyUse::Signature);
    let verifies = common.key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify));
    if !signs || !verifies {
        return None;
    }
    let named = match common.key_algorithm {
        Some(algorithm) => Some(Algorithm::try_from(algorithm).ok()?),
        None => None,
    };
    // What the kind of key can do, the first by default. A secret in a public set is none.
    let able: &[Algorithm] = match &jwk.algorithm {
        AlgorithmParameters::RSA(key) if RSA_BITS.contains(&bits(&key.n)?) => &[
            Algorithm::RS256,
            Algorithm::RS384,
            Algorithm::RS512,
            Algorithm::PS256,
            Algorithm::PS384,
            Algorithm::PS512,
        ],
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => &[Algorithm::ES256],
            EllipticCurve::P384 => &[Algorithm::ES384],
            _ => return None,
        },
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => &[Algorithm::EdDSA],
        _ => return None,
    };
    let algorithm = named.unwrap_or(able[0]);
    let decoding = DecodingKey::from_jwk(jwk).ok().filter(|_| able.contains(&algorithm))?;
    Some(Key { id: common.key_id.clone(), algorithm, decoding })
}

/// The length of a number in bits.
fn bits(number: &str) -> Option<usize> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(number).ok()?;
    let start = bytes.iter().position(|byte| *byte != 0)?;
    Some((bytes.len() - start) * 8 - usize::try_from(bytes[start].leading_zeros()).ok()?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A number of so many bits.
    fn modulus(bits: usize) -> String {
        let mut bytes = vec![0xff; bits.div_ceil(8)];
        bytes[0] >>= (8 - bits % 8) % 8;
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    fn algorithms(keys: &Value) -> Vec<Algorithm> {
        match KeySet::parse(json!({ "keys": keys }).to_string().as_bytes(), 1) {
            Ok(set) => set.keys.iter().map(|key| key.algorithm).collect(),
            Err(Unusable::NoKey) => vec![],
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn a_key_verifies_by_one_algorithm_that_suits_it() {
        let rsa = |extra: Value| {
            let mut key = json!({ "kty": "RSA", "n": modulus(2048), "e": "AQAB" });
            key.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            json!([key])
        };
        assert_eq!(algorithms(&rsa(json!({}))), [Algorithm::RS256]);
        assert_eq!(algorithms(&rsa(json!({ "alg": "PS512", "use": "sig" }))), [Algorithm::PS512]);
        assert_eq!(algorithms(&rsa(json!({ "key_ops": ["verify"] }))), [Algorithm::RS256]);
        assert_eq!(algorithms(&rsa(json!({ "n": modulus(4096) }))), [Algorithm::RS256]);
        for refused in [
            json!({ "alg": "HS256" }),
            json!({ "alg": "ES256" }),
            json!({ "alg": "none" }),
            json!({ "alg": "RSA-OAEP" }),
            json!({ "use": "enc" }),
            json!({ "use": "other" }),
            json!({ "key_ops": ["encrypt"] }),
            json!({ "n": modulus(2047) }),
            json!({ "n": modulus(1024) }),
            json!({ "n": format!("AAAA{}", modulus(1024)) }),
            json!({ "n": modulus(4104) }),
            json!({ "n": "" }),
            json!({ "n": "?" }),
            json!({ "n": 5 }),
            json!({ "kty": "EC" }),
        ] {
            assert_eq!(algorithms(&rsa(refused.clone())), [], "{refused}");
        }
        let curve = |name| json!([{ "kty": "EC", "crv": name, "x": modulus(256), "y": modulus(256) }]);
        assert_eq!(algorithms(&curve("P-256")), [Algorithm::ES256]);
        assert_eq!(algorithms(&curve("P-384")), [Algorithm::ES384]);
        assert_eq!(algorithms(&curve("P-521")), []);
        assert_eq!(algorithms(&curve("secp256k1")), []);
        assert_eq!(algorithms(&json!([{ "kty": "OKP", "crv": "Ed25519", "x": modulus(256) }])), [Algorithm::EdDSA]);
        assert_eq!(algorithms(&json!([{ "kty": "OKP", "crv": "X25519", "x": modulus(256) }])), []);
        for alg in ["HS256", "RS256"] {
            assert_eq!(algorithms(&json!([{ "kty": "oct", "alg": alg, "k": modulus(256) }])), []);
        }
        // What is not understood does not hide what is.
        let mut mixed = rsa(json!({}));
        mixed.as_array_mut().unwrap().extend([json!(null), json!({}), json!({ "kty": "AKP", "pub": "AA" })]);
        assert_eq!(algorithms(&mixed), [Algorithm::RS256]);
    }

    #[test]
    fn keys_are_the_same_in_any_order_and_however_they_are_written() {
        let set = |keys: &Value| KeySet::parse(json!({ "keys": keys }).to_string().as_bytes(), 1).unwrap();
        let key = |id: &str, bits: usize| json!({ "kty": "RSA", "kid": id, "n": modulus(bits), "e": "AQAB" });
        let (one, two, other) = (key("a", 2048), key("b", 2056), key("b", 2064));
        let mut told = one.clone();
        told["x5t"] = json!("more");
        let mut longer = one.clone();
        longer["alg"] = json!("RS512");
        for (left, right, same) in [
            (json!([one, two]), json!([two, one]), true),
            (json!([one, two]), json!([told, two]), true),
            (json!([one, two]), json!([one, null, two]), true),
            (json!([one]), json!([longer]), false),
            (json!([one, two]), json!([one]), false),
            (json!([one]), json!([one, two]), false),
            (json!([one, two]), json!([one, other]), false),
            (json!([two, other]), json!([other, two]), false),
            (json!([one]), json!([key("c", 2048)]), false),
        ] {
            assert_eq!(set(&left).is_as(&set(&right)), same, "{left} {right}");
        }
    }

    #[test]
    fn what_is_no_set_of_keys_is_refused() {
        for text in ["", "null", "[]", "{}", "{\"keys\":{}}", "<html>", "{\"keys\":[]"] {
            assert_eq!(KeySet::parse(text.as_bytes(), 1).unwrap_err(), Unusable::NoSet, "{text}");
        }
        assert_eq!(KeySet::parse(b"{\"keys\":[]}", 1).unwrap_err(), Unusable::NoKey);
        let many = json!({ "keys": vec![Value::Null; MOST_KEYS + 1] }).to_string();
        assert_eq!(KeySet::parse(many.as_bytes(), 1).unwrap_err(), Unusable::TooMany);
    }

    #[test]
    fn a_token_without_the_name_of_a_key_fits_only_where_there_is_no_choice() {
        let key = |id: &str| json!({ "kty": "RSA", "kid": id, "n": modulus(2048), "e": "AQAB" });
        let set = |keys: Value| KeySet::parse(json!({ "keys": keys }).to_string().as_bytes(), 1).unwrap();
        let header = |algorithm, id: Option<&str>| Header { kid: id.map(Into::into), ..Header::new(algorithm) };
        let (one, two) = (set(json!([key("a")])), set(json!([key("a"), key("b")])));
        assert!(one.find(&header(Algorithm::RS256, None)).is_some());
        assert!(two.find(&header(Algorithm::RS256, None)).is_none());
        for (algorithm, id, found) in
            [(Algorithm::RS256, "b", true), (Algorithm::RS256, "c", false), (Algorithm::PS256, "b", false)]
        {
            assert_eq!(two.find(&header(algorithm, Some(id))).is_some(), found, "{algorithm:?} {id}");
        }
        for algorithm in [Algorithm::HS256, Algorithm::ES256] {
            assert!(one.find(&header(algorithm, Some("a"))).is_none());
            assert!(one.find(&header(algorithm, None)).is_none());
        }
    }
}
