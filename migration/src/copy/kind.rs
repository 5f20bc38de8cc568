//! Values of SQLite as PostgreSQL writes them: a column of each type, from how Joblink and its driver store it.

use std::{io::Write as _, str::FromStr as _};

use chrono::{DateTime, NaiveDateTime, Timelike, Utc};
use rust_decimal::Decimal;
use sea_orm_migration::sea_orm::{
    prelude::Uuid,
    sqlx::{Decode, Sqlite, TypeInfo as _, ValueRef as _, sqlite::SqliteValueRef},
};

use super::text;
use crate::counted::counted;

/// How many digits of a decimal SQLite keeps for certain, in a binary number.
const CERTAIN_DIGITS: u32 = 15;

/// The types that columns have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `uuid`; 16 bytes in SQLite.
    Uuid,
    /// `text`, or `character varying` with the most characters.
    Text(Option<usize>),
    /// `smallint`, `integer`, `bigint`, with its bits.
    Integer(u32),
    /// `boolean`; 0 or 1 in SQLite.
    Boolean,
    /// `numeric` with its precision and scale; a binary number in SQLite.
    Decimal(u32, u32),
    /// `timestamp`; text in SQLite, as the next.
    Time,
    /// `timestamptz`.
    TimeWithZone,
}

impl Kind {
    /// Reads a type as PostgreSQL's `format_type` writes it; `None` for one that no column of Joblink has.
    pub fn parse(name: &str) -> Option<Self> {
        let (name, modifiers) = name.split_once('(').unwrap_or((name, ""));
        let mut modifiers = modifiers.trim_end_matches(')').split(',').map(|number| number.parse::<u32>().ok());
        Some(match name {
            "uuid" => Self::Uuid,
            "text" => Self::Text(None),
            "character varying" => Self::Text(modifiers.next().flatten().map(|most| most as usize)),
            "smallint" => Self::Integer(16),
            "integer" => Self::Integer(32),
            "bigint" => Self::Integer(64),
            "boolean" => Self::Boolean,
            "numeric" => Self::Decimal(modifiers.next()??, modifiers.next()??),
            "timestamp without time zone" => Self::Time,
            "timestamp with time zone" => Self::TimeWithZone,
            _ => return None,
        })
    }

    /// Adds a value to a line; fails with what is wrong with it.
    pub fn write(self, value: SqliteValueRef<'_>, line: &mut Vec<u8>) -> Result<(), String> {
        if value.is_null() {
            text::push_null(line);
            return Ok(());
        }
        let stored = value.type_info().name().to_owned();
        match self {
            Self::Uuid => {
                let id = decode::<&[u8]>(value).ok().filter(|_| stored == "BLOB");
                let id = id.and_then(|bytes| Uuid::from_slice(bytes).ok()).ok_or("is no UUID of 16 bytes")?;
                write(line, format_args!("{}", id.hyphenated()));
            }
            Self::Text(most) => {
                let text = decode::<&str>(value).ok().filter(|_| stored == "TEXT").ok_or("is no text in UTF-8")?;
                let length = text.chars().count();
                if let Some(most) = most.filter(|most| length > *most) {
                    return Err(format!("has {}, and {most} is the most", counted(length, "character")));
                }
                if text.contains('\0') {
                    return Err("has a character NUL, which PostgreSQL cannot hold".to_owned());
                }
                text::push(line, text);
            }
            Self::Integer(bits) => {
                let number = integer(value, &stored).ok_or("is no whole number")?;
                let room = i64::MAX >> (64 - bits);
                if number > room || number < -room - 1 {
                    return Err(format!("is {number}, which is out of the range of {bits} bits"));
                }
                write(line, format_args!("{number}"));
            }
            Self::Boolean => line.push(match integer(value, &stored) {
                Some(0) => b'f',
                Some(1) => b't',
                _ => return Err("is neither true nor false".to_owned()),
            }),
            Self::Decimal(precision, scale) => {
                let written = match stored.as_str() {
                    // Not by way of a binary number, which would bend the larger ones.
                    "INTEGER" => whole(decode(value).map_err(|_| "is no number")?, precision, scale)?,
                    "REAL" => decimal(decode(value).map_err(|_| "is no number")?, precision, scale)?,
                    _ => return Err("is no number".to_owned()),
                };
                write(line, format_args!("{written}"));
            }
            Self::Time => {
                let time = decode::<NaiveDateTime>(value).map_err(|_| "is no time".to_owned())?;
                write_time(line, time);
            }
            Self::TimeWithZone => {
                let time = decode::<DateTime<Utc>>(value).map_err(|_| "is no time".to_owned())?;
                write_time(line, time.naive_utc());
                line.extend(b"+00");
            }
        }
        Ok(())
    }

    /// A value as SQLite is asked for it, from how [`Self::write`] wrote it; `None` where it would not be found again.
    pub fn literal(self, written: &str) -> Option<String> {
        match self {
            Self::Uuid => Some(format!("X'{}'", Uuid::from_str(written).ok()?.simple())),
            Self::Text(_) => Some(format!("'{}'", written.replace('\'', "''"))),
            Self::Integer(_) => Some(written.parse::<i64>().ok()?.to_string()),
            Self::Boolean | Self::Decimal(..) | Self::Time | Self::TimeWithZone => None,
        }
    }
}

fn decode<'r, T: Decode<'r, Sqlite>>(
    value: SqliteValueRef<'r>,
) -> Result<T, sea_orm_migration::sea_orm::sqlx::error::BoxDynError> {
    T::decode(value)
}

fn integer(value: SqliteValueRef<'_>, stored: &str) -> Option<i64> {
    if stored == "INTEGER" { decode(value).ok() } else { None }
}

/// A whole number, with all digits of its scale.
fn whole(number: i64, precision: u32, scale: u32) -> Result<Decimal, String> {
    let mut decimal = Decimal::from(number);
    decimal.rescale(scale);
    if decimal.scale() == scale && digits(&decimal) <= precision {
        return Ok(decimal);
    }
    Err(format!("is {number}, which numeric({precision},{scale}) cannot hold"))
}

/// The shortest decimal that is stored as this number, with all digits of its scale. Digits beyond those that SQLite keeps come
/// from the binary form alone, and are rounded away; no others are.
fn decimal(number: f64, precision: u32, scale: u32) -> Result<Decimal, String> {
    let too_large = || format!("is {number}, which numeric({precision},{scale}) cannot hold");
    let mut decimal = Decimal::from_str_exact(&number.to_string()).map_err(|_| too_large())?.normalize();
    if decimal.scale() > scale {
        let kept = decimal.round_dp(scale);
        if kept.round_sf(CERTAIN_DIGITS) != decimal.round_sf(CERTAIN_DIGITS) {
            return Err(format!("is {number}, and {scale} digits after the point are the most"));
        }
        decimal = kept;
    }
    decimal.rescale(scale);
    if decimal.is_zero() {
        decimal.set_sign_positive(true);
    }
    if decimal.scale() == scale && digits(&decimal) <= precision {
        return Ok(decimal);
    }
    // The largest number of the column has more digits than SQLite keeps, and is stored as the power of ten above it.
    let largest =
        10_i128.checked_pow(precision).and_then(|above| Decimal::try_from_i128_with_scale(above - 1, scale).ok());
    let mut largest = largest.ok_or_else(too_large)?;
    largest.set_sign_negative(number < 0.0);
    if largest.to_string().parse() == Ok(number) { Ok(largest) } else { Err(too_large()) }
}

fn digits(decimal: &Decimal) -> u32 {
    decimal.mantissa().unsigned_abs().checked_ilog10().map_or(0, |log| log + 1)
}

/// To the microsecond, which is what PostgreSQL keeps, and without zeros at the end, as it writes them.
fn write_time(line: &mut Vec<u8>, time: NaiveDateTime) {
    write(line, format_args!("{}", time.format("%Y-%m-%d %H:%M:%S")));
    let micros = time.nanosecond() % 1_000_000_000 / 1000;
    if micros > 0 {
        write(line, format_args!(".{}", format!("{micros:06}").trim_end_matches('0')));
    }
}

fn write(line: &mut Vec<u8>, value: std::fmt::Arguments<'_>) {
    // Writing to a Vec cannot fail.
    _ = line.write_fmt(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_as_postgresql_writes_them() {
        for (name, kind) in [
            ("uuid", Some(Kind::Uuid)),
            ("text", Some(Kind::Text(None))),
            ("character varying(255)", Some(Kind::Text(Some(255)))),
            ("character varying", Some(Kind::Text(None))),
            ("integer", Some(Kind::Integer(32))),
            ("numeric(20,4)", Some(Kind::Decimal(20, 4))),
            ("numeric", None),
            ("timestamp without time zone", Some(Kind::Time)),
            ("timestamp with time zone", Some(Kind::TimeWithZone)),
            ("jsonb", None),
        ] {
            assert_eq!(Kind::parse(name), kind, "{name}");
        }
    }

    #[test]
    fn decimals_keep_every_digit_or_are_refused() {
        for (number, written) in [
            (0.0239, "0.0239"),
            (-24.1825, "-24.1825"),
            (100_000_000.0, "100000000.0000"),
            (0.0, "0.0000"),
            (-0.0, "0.0000"),
            (99_999_999_999.999_9, "99999999999.9999"),
            (123_456_789_012.345_6, "123456789012.3456"),
            // What a binary number shows beyond its digits.
            (0.1 + 0.2, "0.3000"),
            (9_999_999_999_999_998.0, "9999999999999998.0000"),
            // What is stored of the largest number.
            (1e16, "9999999999999999.9999"),
            (-1e16, "-9999999999999999.9999"),
        ] {
            assert_eq!(decimal(number, 20, 4).map(|decimal| decimal.to_string()).as_deref(), Ok(written));
        }
        for number in [
            0.00001,
            0.873_452_342_342_342_3,
            1.234_567_890_123_456_7e-5,
            1e-30,
            1.1e16,
            1e300,
            f64::INFINITY,
            f64::NAN,
        ] {
            assert!(decimal(number, 20, 4).is_err(), "{number}");
        }
        let largest = whole(9_007_199_254_740_993, 20, 4).map(|decimal| decimal.to_string());
        assert_eq!(largest.as_deref(), Ok("9007199254740993.0000"));
        assert!(whole(i64::MAX, 20, 4).is_err());
        assert!(decimal(10.0, 5, 4).is_err());
    }

    #[test]
    fn times_are_written_as_postgresql_writes_them() {
        for (time, written) in [
            ("2026-11-22T09:20:23", "2026-11-22 09:20:23"),
            ("2026-11-22T09:20:23.120", "2026-11-22 09:20:23.12"),
            ("2026-11-22T09:20:23.000001", "2026-11-22 09:20:23.000001"),
            ("2026-11-22T09:20:23.123456789", "2026-11-22 09:20:23.123456"),
        ] {
            let mut line = Vec::new();
            write_time(&mut line, time.parse().expect("a time"));
            assert_eq!(String::from_utf8_lossy(&line), written);
        }
    }
}
