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

/// A file's own name, without a folder, as the table can hold it.
pub fn file_name(given: &str) -> String {
    let own = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = own.chars().filter(|char| !char.is_control()).take(LONGEST_NAME).collect();
    if clean.trim().is_empty() { "upload.csv".to_owned() } else { clean }
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
}
