//! Files: those that were sent and wait for a job, those of jobs, and the artifact store as a whole.

pub mod download;
pub mod mark;
pub mod staged;
pub mod sweep;

use sea_orm::prelude::Uuid;

/// The longest file name that the tables hold, in characters.
const LONGEST_NAME: usize = 255;

/// A file that was sent and stands in the store, outside any job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedFile {
    /// Its id in the store.
    pub id: Uuid,
    /// The name that the sender gave.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Hex, lower case.
    pub sha256: String,
}

/// A file's own name, without a folder, as the table can hold it and as people can trust it: what breaks lines or turns
/// letters round is left out, and what would name a folder is no name.
pub fn file_name(given: &str) -> String {
    let own = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = own.chars().filter(|char| !is_formatting(*char)).take(LONGEST_NAME).collect();
    let names_nothing = clean.trim_matches(|char: char| char == '.' || char.is_whitespace()).is_empty();
    if names_nothing { "upload.csv".to_owned() } else { clean }
}

/// Whether a character is a control, a line or paragraph separator, or one that changes the direction of a text
/// (property `Bidi_Control`, Unicode Standard Annex 9): such a name reads otherwise than its ending says.
fn is_formatting(char: char) -> bool {
    let turns = matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    char.is_control() || turns || matches!(char, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn a_file_name_is_never_a_path() {
        assert_eq!(file_name("../../etc/passwd"), "passwd");
        assert_eq!(file_name("C:\\data\\annual.csv"), "annual.csv");
        assert_eq!(file_name("a\0b\n.csv"), "ab.csv");
        assert_eq!(file_name("x/"), "upload.csv");
        assert_eq!(file_name(&"é".repeat(300)).chars().count(), 255);
    }

    #[test]
    fn a_file_name_reads_as_it_ends() {
        for none in ["", ".", "..", "...", " . ", "a/..", "..\\", "\u{202e}", ".\u{200f}.", "\u{2028}\t"] {
            assert_eq!(file_name(none), "upload.csv", "{none:?}");
        }
        assert_eq!(file_name("annual\u{202e}vsc.exe"), "annualvsc.exe");
        for turning in ['\u{61c}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202e}', '\u{2066}', '\u{2069}', '\u{2029}'] {
            assert_eq!(file_name(&format!("a{turning}.csv")), "a.csv", "{turning:?}");
        }
        // Languages and emoji need their joiners.
        for whole in [".hidden", "a..csv", "نمونه\u{200c}ها.csv", "דוח.csv", "👩\u{200d}💻.csv"] {
            assert_eq!(file_name(whole), whole);
        }
    }
}
