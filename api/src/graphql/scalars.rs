//! The scalars of the contract.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::{SecondsFormat, Utc};
use rust_decimal::prelude::ToPrimitive;

use crate::retention::{age, policy::After};

/// A time in UTC, as RFC 3339 with `Z`: `2026-03-05T09:47:23.806911Z`. Input may have another offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime(pub chrono::DateTime<Utc>);

/// A time in UTC, as RFC 3339 with `Z`: `2026-03-05T09:47:23.806911Z`. Input may have another offset.
#[Scalar(specified_by_url = "https://scalars.graphql.org/andimarek/date-time.html")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        let time = match &value {
            Value::String(text) => chrono::DateTime::parse_from_rfc3339(text).ok(),
            _ => None,
        };
        time.map(|time| Self(time.to_utc()))
            .ok_or_else(|| InputValueError::custom("a time is written like 2026-03-05T09:47:23Z"))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

impl From<chrono::DateTime<Utc>> for DateTime {
    fn from(time: chrono::DateTime<Utc>) -> Self {
        Self(time)
    }
}

/// Times of the prediction and job tables that Joblink wrote are naive and in UTC.
impl From<chrono::NaiveDateTime> for DateTime {
    fn from(time: chrono::NaiveDateTime) -> Self {
        Self(time.and_utc())
    }
}

/// A number of bytes, up to 2^53, beyond what an `Int` holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteCount(pub i64);

/// A number of bytes, up to 2^53, beyond what an `Int` holds.
#[Scalar]
impl ScalarType for ByteCount {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::Number(number) => number.as_i64().filter(|count| *count >= 0).map(Self),
            _ => None,
        }
        .ok_or_else(|| InputValueError::custom("a number of bytes is a whole number from 0"))
    }

    fn to_value(&self) -> Value {
        Value::Number(self.0.into())
    }
}

/// A number and its unit, `30s`, `10m`, `12h` or `7d`; or `never`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duration(pub After);

/// A number and its unit, `30s`, `10m`, `12h` or `7d`; or `never`.
#[Scalar]
impl ScalarType for Duration {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else { return Err(InputValueError::custom(age::HOW)) };
        text.parse().map(Self).map_err(InputValueError::custom)
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A count as the contract's `Int`.
pub fn int(count: impl TryInto<i32>) -> i32 {
    count.try_into().unwrap_or(i32::MAX)
}

/// A decimal number as a string, so that no digit is lost: exact on PostgreSQL, 15 significant digits on SQLite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal(pub rust_decimal::Decimal);

/// A decimal number as a string, so that no digit is lost: exact on PostgreSQL, 15 significant digits on SQLite.
#[Scalar]
impl ScalarType for Decimal {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => text.parse().ok().map(Self),
            _ => None,
        }
        .ok_or_else(|| InputValueError::custom("a decimal is written as a string, like \"0.0239\""))
    }

    fn to_value(&self) -> Value {
        Value::String(shortest(self.0).to_string())
    }
}

/// The number without trailing zeros; where SQLite's binary numbers show beyond their 15 digits, cut to those.
fn shortest(number: rust_decimal::Decimal) -> rust_decimal::Decimal {
    let digits = number
        .mantissa()
        .unsigned_abs()
        .to_u128()
        .map_or(0, |mantissa| mantissa.checked_ilog10().map_or(0, |log| log + 1));
    if digits > 15 && number.scale() > 4 { number.round_dp(4) } else { number }.normalize()
}

impl From<rust_decimal::Decimal> for Decimal {
    fn from(number: rust_decimal::Decimal) -> Self {
        Self(number)
    }
}

/// A file, by the GraphQL multipart request specification: in `variables` it is null, and the part named in `map` holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upload(pub usize);

/// What stands in the variables for a file of the request, before its number. A client that writes it by hand reaches
/// no more than its own files.
pub const UPLOAD_MARK: &str = "#joblink-upload:";

/// A file, by the GraphQL multipart request specification: in `variables` it is null, and the part named in `map` holds it.
#[Scalar(specified_by_url = "https://github.com/jaydenseric/graphql-multipart-request-spec")]
impl ScalarType for Upload {
    fn parse(value: Value) -> InputValueResult<Self> {
        let number = match &value {
            Value::String(text) => text.strip_prefix(UPLOAD_MARK).and_then(|number| number.parse().ok()),
            _ => None,
        };
        number.map(Self).ok_or_else(|| InputValueError::custom("a file is sent as a part of a multipart request"))
    }

    fn to_value(&self) -> Value {
        Value::Null
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_have_no_trailing_zeros_and_no_binary_tails() {
        let text = |number: &str| Decimal(number.parse().expect("a number")).to_value().to_string();
        assert_eq!(text("0.0240"), "\"0.024\"");
        assert_eq!(text("100000000.0000"), "\"100000000\"");
        assert_eq!(text("0"), "\"0\"");
        assert_eq!(text("-24.182"), "\"-24.182\"");
        assert_eq!(text("9999999999999999.9999"), "\"9999999999999999.9999\"");
    }
}
