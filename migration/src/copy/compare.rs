//! Compares what two databases hold: the rows of each table, and a checksum of their values.
//!
//! The checksum of a table is the sum of its rows' checksums, so it does not depend on their order; that of a row is of the
//! line that stands for it (`super::text`).

use sea_orm_migration::sea_orm::DatabaseConnection;
use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use super::{chunk, select::Pass, snapshot::Snapshot, tables::Table};
use crate::{
    Error,
    progress::{Progress, Watch},
};

/// What one database holds of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sum {
    /// How many rows.
    pub rows: u64,
    /// The sum of their checksums, modulo 2 to the power of 128.
    #[serde(serialize_with = "as_digits")]
    pub checksum: u128,
}

fn as_digits<S: Serializer>(number: &u128, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{number:032x}"))
}

/// A table in both.
#[derive(Clone, Debug, Serialize)]
pub struct Compared {
    /// Its name.
    pub table: String,
    /// In the source.
    pub source: Sum,
    /// In the target.
    pub target: Sum,
}

impl Compared {
    /// Whether both hold the same.
    pub fn is_same(&self) -> bool {
        self.source == self.target
    }
}

/// Compares tables as both databases hold them now.
pub async fn compare(
    source: &DatabaseConnection,
    target: &DatabaseConnection,
    tables: &[Table],
    watch: &Watch,
) -> Result<Vec<Compared>, Error> {
    tracing::info!("comparing the source and the target");
    let (mut source, mut target) = (Snapshot::of(source).await?, Snapshot::of(target).await?);
    let (mut rows, mut of) = (0, 0);
    for table in tables {
        of += source.count(table).await?;
    }
    let mut compared = Vec::new();
    for table in tables {
        let tell = |some| {
            rows += some;
            watch.tell(&Progress { rows, of, more: format!("comparing {}", table.name) });
        };
        let (source, target) = tokio::try_join!(sum(&mut source, table, tell), sum(&mut target, table, |_| ()))?;
        compared.push(Compared { table: table.name.clone(), source, target });
    }
    Ok(compared)
}

async fn sum(snapshot: &mut Snapshot, table: &Table, mut told: impl FnMut(u64)) -> Result<Sum, Error> {
    let (into, mut from) = chunk::way(u64::MAX);
    let read = snapshot.read(table, Pass::Whole, into);
    let add = async {
        let mut sum = Sum::default();
        while let Some(chunk) = from.recv().await {
            sum.rows += chunk.rows;
            told(chunk.rows);
            let checksum = tokio::task::spawn_blocking(move || of_lines(&chunk.lines)).await;
            let checksum = checksum.map_err(|error| Error::Failed(error.to_string()))?;
            sum.checksum = sum.checksum.wrapping_add(checksum);
        }
        Ok(sum)
    };
    tokio::try_join!(read, add).map(|((), sum)| sum)
}

/// The sum of the checksums of lines: of each the first half of its SHA-256.
fn of_lines(lines: &[u8]) -> u128 {
    let lines = lines.split_inclusive(|byte| *byte == b'\n');
    lines.fold(0, |sum, line| {
        let digest = Sha256::digest(line);
        let half = digest.first_chunk().map_or(0, |half| u128::from_be_bytes(*half));
        sum.wrapping_add(half)
    })
}

#[cfg(test)]
mod tests {
    use super::of_lines;

    #[test]
    fn a_checksum_depends_on_rows_and_not_on_their_order() {
        assert_eq!(of_lines(b"a\tb\nc\td\n"), of_lines(b"c\td\na\tb\n"));
        assert_ne!(of_lines(b"a\tb\nc\td\n"), of_lines(b"a\td\nc\tb\n"));
        assert_ne!(of_lines(b"a\n"), of_lines(b"a\na\n"));
        assert_ne!(of_lines(b"a\\N\n"), of_lines(b"a\n"));
    }
}
