//! PostgreSQL's binary form of a `numeric`, as its `numeric_send` writes it.
//!
//! The driver adds up powers of 10,000 as decimals and brings the sum to its scale, which was a sixth of the time in which a page of
//! predictions was answered.

use sea_orm::prelude::Decimal;

/// More groups may be more than a [`Decimal`] holds.
const MOST_GROUPS: usize = 7;
const NEGATIVE: u16 = 0x4000;

/// Reads a number; `None` for what is too large for the short way, or none.
///
/// The form: how many groups of four digits there are, the power of 10,000 of the first, the sign and the digits after the
/// decimal point, then the groups; 16 bits each, the higher byte first.
pub fn read(bytes: &[u8]) -> Option<Decimal> {
    let (words, []) = bytes.as_chunks::<2>() else { return None };
    let [count, weight, sign, scale, groups @ ..] = words else { return None };
    if groups.len() > MOST_GROUPS || groups.len() != usize::from(u16::from_be_bytes(*count)) {
        return None;
    }
    if groups.is_empty() {
        return (*sign == [0, 0]).then_some(Decimal::ZERO);
    }
    let whole = groups.iter().fold(0_i128, |whole, group| whole * 10_000 + i128::from(u16::from_be_bytes(*group)));
    let after_first = i32::try_from(groups.len() - 1).ok()?;
    let (weight, scale) = (i32::from(i16::from_be_bytes(*weight)), u16::from_be_bytes(*scale));
    // The last group may have more digits than the scale says, which are zeros, or there may be groups of zeros after it.
    let shift = 4 * (weight - after_first) + i32::from(scale);
    let power = 10_i128.checked_pow(shift.unsigned_abs())?;
    let mantissa = match shift {
        0.. => whole.checked_mul(power)?,
        _ if whole % power == 0 => whole / power,
        _ => return None,
    };
    let signed = match u16::from_be_bytes(*sign) {
        0 => mantissa,
        NEGATIVE => -mantissa,
        _ => return None,
    };
    Decimal::try_from_i128_with_scale(signed, scale.into()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u32> = hex.chars().map(|char| char.to_digit(16).expect("a digit")).collect();
        digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).expect("a byte")).collect()
    }

    #[test]
    fn numbers_are_read_as_the_database_sends_them() {
        // SELECT numeric_send(…), PostgreSQL 15.
        for (hex, number) in [
            ("0000000000000000", "0"),
            ("0000000000000004", "0.0000"),
            ("0001ffff0000000400ef", "0.0239"),
            ("0001ffff4000000400ef", "-0.0239"),
            ("00010000000000000001", "1"),
            ("00010001000000000001", "10000"),
            ("0003000100000004000109291a85", "12345.6789"),
            ("000200004000000400180721", "-24.1825"),
            ("0005000300000004270f270f270f270f270f", "9999999999999999.9999"),
            ("00010002000000000001", "100000000"),
            ("0001ffff000000011388", "0.5"),
            ("0001ffff000000040001", "0.0001"),
            ("0001fffe000000060064", "0.000001"),
            ("0007000600000000007b11d722c509291a85007b11d7", "123456789012345678901234567"),
            ("000100010000000201a4", "4200000.00"),
            ("0001ffff000000021388", "0.50"),
            ("00060004000000020063270f270f270f270f26ac", "999999999999999999.99"),
        ] {
            let read = read(&bytes(hex));
            let wanted: Decimal = number.parse().expect("a number");
            assert_eq!(read, Some(wanted), "{number}");
            if !wanted.is_zero() {
                assert_eq!(read.map(|read| read.scale()), Some(wanted.scale()), "{number}");
            }
        }
    }

    #[test]
    fn what_is_no_number_or_too_large_is_left_to_the_driver() {
        for hex in [
            // NaN
            "00000000c0000000",
            // 1e30
            "00010007000000000064",
            // 79228162514264337593543950335
            "00080007000000000007240c0659059210f1172f112b014f",
            // Torn, and a sign that there is not.
            "",
            "00",
            "0001000000000000",
            "00010000000000",
            "000100000000000000010001",
            "00020001000000000001",
            "0001000020000000000a",
        ] {
            assert_eq!(read(&bytes(hex)), None, "{hex}");
        }
    }
}
