//! The text of a cell, as it would stand in a CSV file.

use std::fmt::Write as _;

use calamine::{DataRef, ExcelDateTime};

/// Excel's dates end with the year 9999: days since 1899-12-31, as it counts them.
const DATES_END: f64 = 2_958_466.0;
/// Whole numbers up to here and fractions down to there are written without an exponent.
const ORDINARY: std::ops::Range<f64> = 1e-7..1e21;
const DAY_MILLIS: f64 = 86_400_000.0;
/// What Excel shows for a date that is none.
const NO_DATE: &str = "########";

/// Writes a cell's text after what is there.
///
/// Dates become ISO text, durations hours, minutes and seconds, so that neither is taken for the number it is stored as.
pub fn push(cell: &DataRef<'_>, text: &mut String) -> std::fmt::Result {
    match cell {
        DataRef::Empty => Ok(()),
        DataRef::Int(number) => write!(text, "{number}"),
        DataRef::Float(number) => push_number(*number, text),
        DataRef::String(string) => text.write_str(string),
        DataRef::SharedString(string) => text.write_str(string),
        DataRef::Bool(true) => text.write_str("TRUE"),
        DataRef::Bool(false) => text.write_str("FALSE"),
        DataRef::DateTime(date) if date.is_duration() => push_duration(date.as_f64(), text),
        DataRef::DateTime(date) => push_date(date, text),
        DataRef::DateTimeIso(iso) | DataRef::DurationIso(iso) => text.write_str(iso),
        DataRef::Error(error) => write!(text, "{error}"),
    }
}

/// The shortest text that gives the same number back.
fn push_number(number: f64, text: &mut String) -> std::fmt::Result {
    if number == 0.0 {
        text.write_str("0")
    } else if number.is_finite() && !ORDINARY.contains(&number.abs()) {
        write!(text, "{number:e}")
    } else {
        write!(text, "{number}")
    }
}

fn push_date(date: &ExcelDateTime, text: &mut String) -> std::fmt::Result {
    if !(0.0..DATES_END).contains(&date.as_f64()) {
        return text.write_str(NO_DATE);
    }
    let (year, month, day, hour, minute, second, milli) = date.to_ymd_hms_milli();
    let dated = date.as_f64() >= 1.0;
    let timed = (hour, minute, second, milli) != (0, 0, 0, 0);
    if dated {
        write!(text, "{year:04}-{month:02}-{day:02}")?;
    }
    if dated && timed {
        text.write_str(" ")?;
    }
    if timed || !dated {
        write!(text, "{hour:02}:{minute:02}:{second:02}")?;
    }
    if milli > 0 {
        write!(text, ".{milli:03}")?;
    }
    Ok(())
}

fn push_duration(days: f64, text: &mut String) -> std::fmt::Result {
    #[expect(clippy::cast_possible_truncation, reason = "the cast ends at the largest number there is")]
    let millis = (days * DAY_MILLIS).round() as i64;
    let sign = if millis < 0 { "-" } else { "" };
    let (seconds, milli) = (millis.unsigned_abs() / 1000, millis.unsigned_abs() % 1000);
    write!(text, "{sign}{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
    if milli > 0 {
        write!(text, ".{milli:03}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use calamine::ExcelDateTimeType::{self, DateTime, TimeDelta};
    use proptest::prelude::*;

    fn number(number: f64) -> String {
        let mut text = String::new();
        push(&DataRef::Float(number), &mut text).unwrap();
        text
    }

    fn date(serial: f64, kind: ExcelDateTimeType) -> String {
        let mut text = String::new();
        push(&DataRef::DateTime(ExcelDateTime::new(serial, kind, false)), &mut text).unwrap();
        text
    }

    #[test]
    fn numbers_are_short_and_plain() {
        for (given, text) in [
            (2023.0, "2023"),
            (100_000_000.0, "100000000"),
            (-0.0, "0"),
            (-24.1825, "-24.1825"),
            (0.1 + 0.2, "0.30000000000000004"),
            (0.00005, "0.00005"),
            (1e20, "100000000000000000000"),
            (1e300, "1e300"),
            (5e-324, "5e-324"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(number(given), text);
        }
    }

    proptest! {
        #[test]
        fn a_number_comes_back_from_its_text(given in any::<f64>().prop_filter("a number", |number| !number.is_nan())) {
            prop_assert_eq!(number(given).parse::<f64>().unwrap().total_cmp(&(given + 0.0)), std::cmp::Ordering::Equal);
        }
    }

    #[test]
    fn dates_and_durations_are_no_numbers() {
        assert_eq!(date(45322.0, DateTime), "2024-01-31");
        assert_eq!(date(45322.4375, DateTime), "2024-01-31 10:30:00");
        assert_eq!(date(45_322.437_505_787_04, DateTime), "2024-01-31 10:30:00.500");
        assert_eq!(date(1.0, DateTime), "1900-01-01");
        assert_eq!(date(0.75, DateTime), "18:00:00");
        assert_eq!(date(0.0, DateTime), "00:00:00");
        assert_eq!(date(2_958_465.0, DateTime), "9999-12-31");
        for none in [-1.0, 2_958_466.0, 1e300, f64::NAN, f64::INFINITY] {
            assert_eq!(date(none, DateTime), "########");
        }
        assert_eq!(date(1.5, TimeDelta), "36:00:00");
        assert_eq!(date(-0.25, TimeDelta), "-6:00:00");
        assert_eq!(date(1.0 / 86_400_000.0, TimeDelta), "0:00:00.001");
        assert!(date(f64::INFINITY, TimeDelta).contains(':'));
    }
}
