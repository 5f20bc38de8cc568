//! Lines on their way: as many as are worth a message, and never so many that memory would count.

use tokio::sync::mpsc::{self, Receiver, Sender};

use super::{tables::Table, text};
use crate::Error;

/// About how many bytes a chunk has; a single row may have more.
const BYTES: usize = 256 * 1024;
/// How many chunks wait for who takes them.
const WAITING: usize = 4;

/// Some lines.
#[derive(Debug, Default)]
pub struct Chunk {
    /// The lines, each with its end.
    pub lines: Vec<u8>,
    /// How many they are.
    pub rows: u64,
    /// Where the last one begins.
    last: usize,
}

impl Chunk {
    /// The key of its last row, in a pass that reads all columns.
    pub fn last_key(&self, table: &Table) -> Vec<String> {
        let line = &self.lines[self.last..];
        let values = text::values(line.strip_suffix(b"\n").unwrap_or(line));
        // A primary key has no column without a value.
        table.key.iter().map(|place| values[*place].clone().unwrap_or_default()).collect()
    }
}

/// The end that is filled.
#[derive(Debug)]
pub struct Filling {
    chunk: Chunk,
    most_rows: u64,
    to: Sender<Chunk>,
}

/// A way for chunks of at most so many rows.
pub fn way(most_rows: u64) -> (Filling, Receiver<Chunk>) {
    let (to, from) = mpsc::channel(WAITING);
    (Filling { chunk: Chunk::default(), most_rows, to }, from)
}

impl Filling {
    /// Adds a line, which is written at the end of what it is given.
    pub async fn add(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), Error>) -> Result<(), Error> {
        self.chunk.last = self.chunk.lines.len();
        write(&mut self.chunk.lines)?;
        self.chunk.rows += 1;
        if self.chunk.rows >= self.most_rows || self.chunk.lines.len() >= BYTES { self.send().await } else { Ok(()) }
    }

    /// Sends what is left.
    pub async fn end(mut self) -> Result<(), Error> {
        if self.chunk.rows > 0 { self.send().await } else { Ok(()) }
    }

    async fn send(&mut self) -> Result<(), Error> {
        let chunk = std::mem::take(&mut self.chunk);
        // Whoever takes them has failed, and says why.
        self.to
            .send(chunk)
            .await
            .map_err(|_| Error::Failed("the rows that were read are not taken any more".to_owned()))
    }
}
