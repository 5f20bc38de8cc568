//! An input file as a stream of records, whichever format it has: CSV, or an Excel workbook.
//!
//! Which it is, its first bytes say; its name does not matter.

use bytes::Bytes;
use futures_util::{
    Stream, StreamExt,
    stream::{self, BoxStream},
};

use crate::{
    csv::{CsvReader, Record},
    xlsx::{Budget, WorkbookFault, XlsxReader},
};

/// How a zip begins; an empty one has no entry to begin with.
const ZIP: [&[u8]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];
/// How an OLE compound file begins: an `.xls`, or an `.xlsx` encrypted by its password.
const OLE: &[u8] = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1";

/// Why a file was not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum TableError<E> {
    /// Where the file comes from failed; another time it may not.
    #[error("{0}")]
    Source(E),
    /// The disk for temporary files failed; another time it may not.
    #[error("cannot keep a workbook in a temporary file: {0}")]
    Disk(std::io::Error),
    /// The file itself is at fault: it will be so each time.
    #[error("{0}")]
    Workbook(WorkbookFault),
}

/// Reads the records of a file.
pub struct Table<E> {
    format: Format<E>,
}

enum Format<E> {
    Csv(Box<CsvReader<BoxStream<'static, Result<Bytes, E>>>>),
    Workbook(XlsxReader),
}

impl<E: Send + 'static> Table<E> {
    /// Reads from the beginning of a file. A workbook is received, and checked, to its end first.
    pub async fn open(
        chunks: impl Stream<Item = Result<Bytes, E>> + Send + Unpin + 'static,
        budget: Budget,
    ) -> Result<Self, TableError<E>> {
        let (front, chunks) = peek(chunks).await.map_err(TableError::Source)?;
        let format = if front.starts_with(OLE) {
            return Err(TableError::Workbook(WorkbookFault::OldOrLocked));
        } else if ZIP.iter().any(|zip| front.starts_with(zip)) {
            Format::Workbook(XlsxReader::open(chunks, budget).await?)
        } else {
            Format::Csv(Box::new(CsvReader::new(chunks)))
        };
        Ok(Self { format })
    }

    /// The next record; `None` at the end of the file. May be dropped while it waits: of a workbook nothing is lost, a CSV
    /// file is not to be read on.
    pub async fn next(&mut self) -> Result<Option<Record<'_>>, TableError<E>> {
        match &mut self.format {
            Format::Csv(reader) => reader.next().await.map_err(TableError::Source),
            Format::Workbook(reader) => Ok(reader.next().await?),
        }
    }

    /// The sheet that is read, where the file is a workbook.
    pub fn sheet(&self) -> Option<&str> {
        match &self.format {
            Format::Csv(_) => None,
            Format::Workbook(reader) => Some(reader.sheet()),
        }
    }

    /// The names of a workbook's sheets that are not read, hidden ones too, in their order.
    pub fn other_sheets(&self) -> &[String] {
        match &self.format {
            Format::Csv(_) => &[],
            Format::Workbook(reader) => reader.other_sheets(),
        }
    }
}

type Chunks<E> = BoxStream<'static, Result<Bytes, E>>;

/// The first bytes of a file, enough to tell its format, and the whole file.
async fn peek<E: Send + 'static>(
    mut chunks: impl Stream<Item = Result<Bytes, E>> + Send + Unpin + 'static,
) -> Result<(Vec<u8>, Chunks<E>), E> {
    let mut front = Vec::new();
    let mut seen = Vec::new();
    while front.len() < OLE.len() {
        let Some(chunk) = chunks.next().await.transpose()? else { break };
        front.extend(chunk.iter().take(OLE.len()));
        seen.push(Ok(chunk));
    }
    Ok((front, stream::iter(seen).chain(chunks).boxed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent<T: Send>(_: &T) {}

    async fn read(table: &mut Table<String>) {
        assert!(table.next().await.unwrap().is_none());
    }

    #[test]
    fn a_table_is_read_in_any_thread() {
        let opening = Table::<String>::open(stream::empty(), Budget::default());
        sent(&opening);
        let mut table = tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(opening).unwrap();
        sent(&read(&mut table));
    }
}
