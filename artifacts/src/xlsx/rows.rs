//! Cells of a sheet become rows.

use std::ops::Range;

use calamine::DataRef;

use super::{Stop, text};
use crate::csv::{Cells, Fault, MAX_CELLS, MAX_RECORD_BYTES, Record};

/// The most rows that a sheet of Excel has.
const MAX_ROWS: u64 = 1_048_576;
/// Rows are handed on when they have so much text, in bytes, or so many cells.
const HAND_ON_BYTES: usize = 256 * 1024;
const HAND_ON_CELLS: usize = 16 * 1024;

/// Some rows of a sheet.
#[derive(Debug, Default)]
pub struct Rows {
    text: String,
    ends: Vec<usize>,
    places: Vec<Span>,
}

/// Where a row stands in the text and among the ends of cells.
#[derive(Debug)]
struct Span {
    line: u64,
    cells: Result<(Range<usize>, Range<usize>), Fault>,
}

impl Rows {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// One of them.
    pub fn get(&self, index: usize) -> Option<Record<'_>> {
        let row = self.places.get(index)?;
        let cells = match &row.cells {
            Ok((text, ends)) => Ok(Cells::new(self.text.get(text.clone())?, self.ends.get(ends.clone())?)),
            Err(fault) => Err(*fault),
        };
        Some(Record { line: row.line, cells })
    }

    fn is_enough(&self) -> bool {
        self.text.len() >= HAND_ON_BYTES || self.ends.len() >= HAND_ON_CELLS || self.places.len() >= HAND_ON_CELLS
    }
}

/// Puts rows together from cells, which come row by row, each from left to right.
#[derive(Default)]
pub struct Builder {
    rows: Rows,
    /// How many cells the header has; `None` before it.
    width: Option<usize>,
    /// The row at hand, from 1; 0 before the first.
    line: u64,
    /// The first place in it that has no cell yet.
    column: usize,
    /// Where it begins in the text and among the ends.
    start: (usize, usize),
    too_long: bool,
}

impl Builder {
    /// The last row that is known to be complete: another has begun after it.
    pub fn line(&self) -> u64 {
        self.rows.places.last().map_or_else(|| self.line.saturating_sub(1), |row| row.line)
    }

    /// Adds a cell at its row and column, from 0. Rows that are complete are handed out from time to time.
    pub fn add(&mut self, (row, column): (u32, u32), cell: &DataRef<'_>) -> Result<Option<Rows>, Stop> {
        let (line, column) = (u64::from(row) + 1, column as usize);
        if line > MAX_ROWS {
            return Err(Stop::unreadable("a row beyond the last"));
        }
        if line < self.line || (line == self.line && column < self.column) {
            return Err(Stop::unreadable("its cells are out of order"));
        }
        let mut complete = None;
        if line > self.line {
            complete = self.end_row();
            self.line = line;
        }
        self.column = column + 1;
        self.push(column, cell);
        Ok(complete)
    }

    /// What is left, at the end of the sheet.
    pub fn end(mut self) -> Rows {
        self.end_row().unwrap_or(self.rows)
    }

    /// What is complete, where the sheet is broken.
    pub fn end_broken(self) -> Rows {
        self.rows
    }

    fn push(&mut self, column: usize, cell: &DataRef<'_>) {
        let (text_start, ends_start) = self.start;
        if self.too_long {
            return;
        }
        let before = self.rows.text.len();
        // Writing to a string never fails.
        self.too_long = text::push(cell, &mut self.rows.text).is_err();
        let text = self.rows.text.len();
        if text == before {
            return;
        }
        self.too_long |= column >= MAX_CELLS || text - text_start > MAX_RECORD_BYTES;
        if self.too_long {
            self.rows.text.truncate(text_start);
            self.rows.ends.truncate(ends_start);
            return;
        }
        self.rows.ends.resize(ends_start + column, before - text_start);
        self.rows.ends.push(text - text_start);
    }

    fn end_row(&mut self) -> Option<Rows> {
        let (text_start, ends_start) = self.start;
        let (text, cells) = (self.rows.text.len(), self.rows.ends.len() - ends_start);
        if self.too_long {
            self.width.get_or_insert(0);
            self.rows.places.push(Span { line: self.line, cells: Err(Fault::TooLong) });
        } else if cells > 0 {
            let width = *self.width.get_or_insert(cells);
            self.rows.ends.resize(ends_start + cells.max(width), text - text_start);
            let cells = Ok((text_start..text, ends_start..self.rows.ends.len()));
            self.rows.places.push(Span { line: self.line, cells });
        }
        (self.too_long, self.column) = (false, 0);
        let complete = self.rows.is_enough().then(|| std::mem::take(&mut self.rows));
        self.start = (self.rows.text.len(), self.rows.ends.len());
        complete
    }
}
