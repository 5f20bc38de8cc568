//! What people and programs are shown.

use std::io::{ErrorKind, IsTerminal, Write};

use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};
use indicatif::HumanBytes;
use serde::Serialize;

use super::Exit;

/// The widest that a table is where nobody says how wide the terminal is.
const USUAL_WIDTH: u16 = 160;
/// The longest name in a table, in characters.
const LONGEST: usize = 48;

/// A text of somebody's that a terminal can be shown: what would move its cursor, colour it or turn text around is
/// written as its number.
pub fn clean(text: &str) -> String {
    let each = |char: char| {
        if is_unseemly(char) { char.escape_unicode().to_string() } else { char.to_string() }
    };
    text.chars().map(each).collect()
}

/// Control characters, marks of direction, separators of lines, and what is not to be seen at all (Unicode, categories Cc,
/// Cf, Zl and Zp, without the joiners that scripts and emoji need).
fn is_unseemly(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
        || matches!(char, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The same, cut where it is long.
pub fn name(text: &str) -> String {
    let text = clean(text);
    if text.chars().count() <= LONGEST {
        return text;
    }
    text.chars().take(LONGEST - 1).chain(['…']).collect()
}

/// A time of the server's, to the second, in UTC.
pub fn time(time: Option<&str>) -> String {
    let second = time.map(|time| time.chars().take(19).collect::<String>().replace('T', " "));
    clean(&second.unwrap_or_else(|| "-".to_owned()))
}

/// A number of bytes.
pub fn bytes(bytes: u64) -> String {
    HumanBytes(bytes).to_string()
}

/// What is there, or a dash.
pub fn or_dash(text: Option<impl ToString>) -> String {
    text.map_or_else(|| "-".to_owned(), |text| text.to_string())
}

/// A number of things, with the right ending.
pub fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Prints a line. `false`: nobody reads any more.
pub fn say(text: impl AsRef<str>) -> Result<bool, Exit> {
    match writeln!(std::io::stdout().lock(), "{}", text.as_ref()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Exit::failed("cannot write the output", error)),
    }
}

/// Prints a line of JSON.
pub fn say_line(value: &impl Serialize) -> Result<bool, Exit> {
    say(serde_json::to_string(value).map_err(|error| Exit::failed("cannot write JSON", error))?)
}

/// Prints a document of JSON.
pub fn say_document(value: &impl Serialize) -> Result<bool, Exit> {
    say(serde_json::to_string_pretty(value).map_err(|error| Exit::failed("cannot write JSON", error))?)
}

/// Tells a person something beside the output.
pub fn tell(text: impl AsRef<str>) {
    // Nobody may read it any more.
    _ = writeln!(std::io::stderr().lock(), "{}", text.as_ref());
}

/// A table, as wide as the terminal.
pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(header);
    if std::io::stdout().is_terminal() {
        let width = terminal_size::terminal_size().map_or(USUAL_WIDTH, |(width, _)| width.0);
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    table
}

/// Prints a table. Its first column, which is what other commands are given, stays in one piece.
pub fn say_table(mut table: Table) -> Result<bool, Exit> {
    if let Some(first) = table.column_mut(0) {
        first.set_constraint(ColumnConstraint::ContentWidth);
    }
    // Each cell has a space on both sides.
    let line = |line: &str| line.strip_prefix(' ').unwrap_or(line).trim_end().to_owned();
    say(table.to_string().lines().map(line).collect::<Vec<_>>().join("\n"))
}

/// Prints names and values, one pair a line.
pub fn say_pairs(pairs: &[(&str, String)]) -> Result<bool, Exit> {
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    say(pairs.iter().map(|(name, value)| format!("{name:width$}  {value}")).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_speak_to_the_terminal() {
        assert_eq!(clean("a\x1b[31mb\u{9b}c\r\n\u{202e}d"), "a\\u{1b}[31mb\\u{9b}c\\u{d}\\u{a}\\u{202e}d");
        for harmless in
            ["Zahlen für Q1 (neu).csv", "データ.csv", "e\u{301}.csv", "\"quoted\" & 'so'.csv", "👩\u{200d}🔬.csv"]
        {
            assert_eq!(clean(harmless), harmless);
        }
    }

    #[test]
    fn long_names_are_cut() {
        assert_eq!(name(&"x".repeat(48)), "x".repeat(48));
        assert_eq!(name(&"ü".repeat(49)), "ü".repeat(47) + "…");
    }

    #[test]
    fn times_are_told_to_the_second() {
        assert_eq!(time(Some("2026-03-05T09:47:23.806911Z")), "2026-03-05 09:47:23");
        assert_eq!(time(None), "-");
    }
}
