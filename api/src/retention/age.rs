//! Ages and durations as people write them: `30s`, `10m`, `12h`, `7d`.

use std::time::Duration;

use migration::counted::counted;

/// Units by their sign, in words, and their seconds; the largest first.
const UNITS: [(char, &str, u64); 4] =
    [('d', "day", 86_400), ('h', "hour", 3_600), ('m', "minute", 60), ('s', "second", 1)];

/// What to tell whoever wrote it otherwise.
pub const HOW: &str = "give a number and its unit, such as 30s, 10m, 12h or 7d";

/// Reads one; `None` where it is none. At most 2^32 of a unit.
pub fn parse(text: &str) -> Option<Duration> {
    let sign = text.chars().last()?;
    let (.., seconds) = UNITS.into_iter().find(|(unit, ..)| *unit == sign)?;
    let digits = text.strip_suffix(sign)?;
    let number: u32 = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??;
    Some(Duration::from_secs(u64::from(number) * seconds))
}

/// As [`parse`] reads it, in the largest unit that divides it.
pub fn short(age: Duration) -> String {
    let (number, sign, _) = parts(age);
    format!("{number}{sign}")
}

/// In words: `7 days`.
pub fn in_words(age: Duration) -> String {
    let (number, _, name) = parts(age);
    counted(number, name)
}

fn parts(age: Duration) -> (u64, char, &'static str) {
    let seconds = age.as_secs();
    let unit = UNITS.into_iter().find(|(.., unit)| seconds > 0 && seconds.is_multiple_of(*unit));
    unit.map_or((seconds, 's', "second"), |(sign, name, unit)| (seconds / unit, sign, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_read_back_as_they_are_shown() {
        for text in ["1s", "90s", "10m", "12h", "36h", "7d", "4294967295d"] {
            assert_eq!(parse(text).map(short).as_deref(), Some(text));
        }
        assert_eq!(parse("60m").map(short).as_deref(), Some("1h"));
        assert_eq!(parse("0d").map(short).as_deref(), Some("0s"));
        assert_eq!(parse("24h").map(in_words).as_deref(), Some("1 day"));
    }

    #[test]
    fn what_is_no_age_is_refused() {
        for text in ["", "7", "d", "-1d", "+1d", "1.5d", "7 d", "7D", "7w", "4294967296s", "P7D", "7é"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
