//! An Excel workbook (`.xlsx`) as a stream of records, each with its row number in the sheet.
//!
//! The first visible worksheet is read. Its first row that is not empty is the header; empty rows are passed over, and rows
//! are filled up with empty cells to the header's width. Macros are neither run nor looked at.
//!
//! A workbook is a zip and its directory stands at its end, so the file is received into a temporary file without a name
//! (in the folder that `TMPDIR` names, `/tmp` by default), which goes with the reader. A thread of its own then checks it
//! ([`inspect`]) and reads it with the `calamine` crate, a few rows ahead of whoever asks for them.
//!
//! Memory: shared strings, styles and the list of sheets are held; cells are not, however many there are. With the default
//! [`Budget`] shared strings cost 1.5 times their part's length where they are ordinary texts, and half a gigabyte all in
//! all where a file is made to hurt, by millions of empty ones (`tests/large.rs` measures it). A million rows of twelve
//! cells cost some megabytes beside their shared strings.

use std::io;

use bytes::Bytes;
use futures_util::Stream;
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinHandle,
};

use crate::{csv::Record, table::TableError};

mod inspect;
mod read;
mod rows;
mod spool;
mod text;

pub use inspect::Budget;
use rows::Rows;

/// How many workbooks a process has open at once: each may hold half a gigabyte. Others wait.
static AT_ONCE: Semaphore = Semaphore::const_new(4);
/// How many pieces of a sheet are read ahead.
const READ_AHEAD: usize = 2;
/// Why a workbook cannot be read; one sentence for whoever sent it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkbookFault {
    /// Not the format of Excel since 2007, or encrypted.
    #[error(
        "The file is an old .xls workbook or is protected by a password; save it as .xlsx without a password, or as CSV."
    )]
    OldOrLocked,
    /// Unpacked it would be too large.
    #[error("The workbook is too large: {0}; save its first sheet as CSV.")]
    TooLarge(String),
    /// A program wrote it that does not calculate; the name of a cell.
    #[error(
        "The workbook has a formula without a stored value in cell {0}; open it in Excel, save it, and send it again."
    )]
    Uncalculated(String),
    /// Nothing to read.
    #[error("The workbook has no visible worksheet.")]
    NoWorksheet,
    /// No workbook, or a damaged one.
    #[error("The file cannot be read as an Excel workbook{}.", .place.as_ref().map(Place::to_string).unwrap_or_default())]
    Unreadable {
        /// How far reading came, where a sheet was being read.
        place: Option<Place>,
        /// What went wrong, for logs.
        cause: String,
    },
}

/// How far the reading of a sheet came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The sheet's name.
    pub sheet: String,
    /// The last row that was read; 0 where none was.
    pub row: u64,
}

impl std::fmt::Display for Place {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "; its sheet \"{}\" is damaged ", self.sheet)?;
        if self.row == 0 { write!(out, "before its first row") } else { write!(out, "after row {}", self.row) }
    }
}

/// Why the thread that reads stopped before the end.
#[derive(Debug)]
pub(crate) enum Stop {
    Fault(WorkbookFault),
    Disk(io::Error),
    /// Nobody waits for its rows any more.
    Dropped,
}

impl<E> From<Stop> for TableError<E> {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Fault(fault) => Self::Workbook(fault),
            Stop::Disk(error) => Self::Disk(error),
            Stop::Dropped => Self::Disk(io::ErrorKind::Interrupted.into()),
        }
    }
}

impl Stop {
    fn unreadable(cause: impl std::fmt::Display) -> Self {
        Self::Fault(WorkbookFault::Unreadable { place: None, cause: cause.to_string() })
    }

    fn too_large(what: impl Into<String>) -> Self {
        Self::Fault(WorkbookFault::TooLarge(what.into()))
    }

    /// The file's fault, unless the operating system says that it could not read it.
    fn of(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut cause = Some(error);
        while let Some(current) = cause {
            if let Some(code) = current.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error) {
                return Self::Disk(io::Error::from_raw_os_error(code));
            }
            cause = current.source();
        }
        Self::unreadable(error)
    }

    /// The same, with how far the sheet was read.
    fn at(self, sheet: &str, row: u64) -> Self {
        match self {
            Self::Fault(WorkbookFault::Unreadable { cause, .. }) => {
                let place = Some(Place { sheet: sheet.to_owned(), row });
                Self::Fault(WorkbookFault::Unreadable { place, cause })
            }
            other => other,
        }
    }
}

/// What the thread that reads tells.
enum Message {
    /// First: the workbook is sound as far as can be seen from outside its sheet.
    Opened {
        sheet: String,
        others: Vec<String>,
    },
    Rows(Rows),
}

/// Reads the first visible worksheet of a workbook. Dropping it ends the thread that reads.
pub(crate) struct XlsxReader {
    sheet: String,
    others: Vec<String>,
    rows: Rows,
    /// Which of `rows` is next.
    next: usize,
    messages: mpsc::Receiver<Result<Message, Stop>>,
    thread: Option<JoinHandle<()>>,
    /// The last row that was handed out.
    line: u64,
}

impl XlsxReader {
    /// Receives a workbook and checks it. Nothing is inflated beyond the budget.
    pub async fn open<E>(chunks: impl Stream<Item = Result<Bytes, E>>, budget: Budget) -> Result<Self, TableError<E>> {
        // Never closed, so there is always a permit in the end.
        let permit = AT_ONCE.acquire().await.ok();
        let file = spool::receive(chunks, budget).await?;
        let (sender, messages) = mpsc::channel(READ_AHEAD);
        let thread = tokio::task::spawn_blocking(move || {
            read::read(file, budget, &sender);
            drop(permit);
        });
        let (sheet, others, rows) = (String::new(), Vec::new(), Rows::default());
        let mut reader = Self { sheet, others, rows, next: 0, messages, thread: Some(thread), line: 0 };
        match reader.receive().await? {
            Some(Message::Opened { sheet, others }) => Ok(Self { sheet, others, ..reader }),
            Some(Message::Rows(_)) | None => Err(Stop::unreadable("the sheet was not opened").into()),
        }
    }

    /// The name of the sheet that is read.
    pub fn sheet(&self) -> &str {
        &self.sheet
    }

    /// The names of all other sheets.
    pub fn other_sheets(&self) -> &[String] {
        &self.others
    }

    /// The next record; `None` at the end of the sheet.
    pub async fn next(&mut self) -> Result<Option<Record<'_>>, Stop> {
        while self.next == self.rows.len() {
            match self.receive().await? {
                Some(Message::Rows(rows)) => (self.rows, self.next) = (rows, 0),
                Some(Message::Opened { .. }) => {}
                None => return Ok(None),
            }
        }
        self.next += 1;
        let record = self.rows.get(self.next - 1);
        self.line = record.as_ref().map_or(self.line, |record| record.line);
        Ok(record)
    }

    /// The thread's next message; `None` at its end. A panic there is the file's fault: `calamine` met what it does not know.
    async fn receive(&mut self) -> Result<Option<Message>, Stop> {
        if let Some(message) = self.messages.recv().await {
            return message.map(Some);
        }
        let Some(thread) = &mut self.thread else { return Ok(None) };
        let ended = thread.await;
        self.thread = None;
        match ended {
            Ok(()) => Ok(None),
            Err(panic) if self.sheet.is_empty() => Err(Stop::unreadable(panic)),
            Err(panic) => Err(Stop::unreadable(panic).at(&self.sheet, self.line)),
        }
    }
}

#[cfg(test)]
mod tests;
