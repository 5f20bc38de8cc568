//! A workbook is received into a temporary file.

use std::{fs::File, io};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, pin_mut};
use tokio::io::AsyncWriteExt;

use super::{Budget, Stop};
use crate::table::TableError;

/// How an entry begins in a zip's directory.
const ENTRY: [u8; 4] = *b"PK\x01\x02";

/// Receives a workbook into a temporary file that has no name, never whole in memory.
///
/// One with more entries than the budget allows is refused here: opening a zip holds its directory in memory, and what
/// its end says of their number may be a lie.
pub async fn receive<E>(chunks: impl Stream<Item = Result<Bytes, E>>, budget: Budget) -> Result<File, TableError<E>> {
    let file = tokio::task::spawn_blocking(tempfile::tempfile).await;
    let file = file.map_err(io::Error::other).and_then(|file| file).map_err(TableError::Disk)?;
    let mut file = tokio::fs::File::from_std(file);
    let mut entries = Entries::default();
    pin_mut!(chunks);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(TableError::Source)?;
        entries.count(&chunk);
        if entries.seen > budget.entries {
            return Err(Stop::too_many(budget).into());
        }
        file.write_all(&chunk).await.map_err(TableError::Disk)?;
    }
    file.flush().await.map_err(TableError::Disk)?;
    Ok(file.into_std().await)
}

/// Counts entries of directories, however the file is cut into chunks.
#[derive(Default)]
struct Entries {
    seen: usize,
    /// The last bytes of what was seen, too few to be the mark.
    tail: Vec<u8>,
}

impl Entries {
    fn count(&mut self, chunk: &[u8]) {
        let mut seam = std::mem::take(&mut self.tail);
        seam.extend(chunk.iter().take(ENTRY.len() - 1));
        let marks = |bytes: &[u8]| bytes.windows(ENTRY.len()).filter(|window| *window == ENTRY).count();
        self.seen += marks(&seam) + marks(chunk);
        let end = if chunk.len() < ENTRY.len() { &seam } else { chunk };
        self.tail = end[end.len().saturating_sub(ENTRY.len() - 1)..].to_vec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_counted_however_the_file_is_cut() {
        let file = b"PK\x01\x02..PPK\x01\x02PK\x01PK\x01\x02\x02PK\x01";
        for size in 1..=file.len() {
            let mut entries = Entries::default();
            file.chunks(size).for_each(|chunk| entries.count(chunk));
            assert_eq!(entries.seen, 3, "chunks of {size}");
        }
    }
}
