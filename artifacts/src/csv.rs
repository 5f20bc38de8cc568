//! A CSV file as a stream of records, each with the line at which it begins.
//!
//! Memory is bounded whatever the file holds: a record longer than [`MAX_RECORD_BYTES`] is reported by its line and
//! passed over. The parsing itself is that of the `csv-core` crate (RFC 4180, with `\n`, `\r\n` or `\r` as the end of a line).

use bytes::Bytes;
use csv_core::{ReadRecordResult, Reader};
use futures_util::{Stream, StreamExt};

/// The longest record that is read, in bytes without quotes.
pub const MAX_RECORD_BYTES: usize = 64 * 1024;
/// The most cells a record may have.
pub const MAX_CELLS: usize = 1024;

/// The byte order mark that some programs put at the front of UTF-8 files.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Why a record cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Longer than [`MAX_RECORD_BYTES`] or more than [`MAX_CELLS`] cells.
    #[error("is longer than 64 kB or has more than 1,024 cells")]
    TooLong,
    /// Bytes that are not UTF-8.
    #[error("is not UTF-8 text")]
    NotText,
    /// The file ends inside a quoted cell.
    #[error("opens a quote that is never closed")]
    OpenQuote,
}

/// One record.
#[derive(Debug)]
pub struct Record<'a> {
    /// The line at which it begins, from 1.
    pub line: u64,
    /// Its cells, or why they cannot be used.
    pub cells: Result<Cells<'a>, Fault>,
}

/// The cells of one record.
#[derive(Clone, Copy, Debug)]
pub struct Cells<'a> {
    text: &'a str,
    ends: &'a [usize],
}

impl<'a> Cells<'a> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The text of a cell; `None` beyond the last.
    pub fn get(&self, index: usize) -> Option<&'a str> {
        let end = *self.ends.get(index)?;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        self.text.get(start..end)
    }

    /// All cells in order.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + '_ {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}

/// Reads records from a stream of chunks.
pub struct CsvReader<S> {
    chunks: S,
    chunk: Bytes,
    ended: bool,
    began: bool,
    parser: Reader,
    line: u64,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl<S, E> CsvReader<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    /// Reads from the beginning of a file.
    pub fn new(chunks: S) -> Self {
        Self {
            chunks,
            chunk: Bytes::new(),
            ended: false,
            began: false,
            parser: Reader::new(),
            line: 1,
            text: vec![0; MAX_RECORD_BYTES],
            ends: vec![0; MAX_CELLS],
        }
    }

    /// The next record; `None` at the end of the file. Empty lines are passed over.
    pub async fn next(&mut self) -> Result<Option<Record<'_>>, E> {
        if !self.began {
            self.skip_byte_order_mark().await?;
            self.began = true;
        }
        self.skip_line_ends().await?;
        let line = self.line;
        let (mut text_end, mut cells, mut quotes, mut too_long) = (0, 0, 0_usize, false);
        loop {
            if self.chunk.is_empty() && !self.ended {
                self.fill().await?;
                continue;
            }
            let (result, read, written, ended_cells) =
                self.parser.read_record(&self.chunk, &mut self.text[text_end..], &mut self.ends[cells..]);
            let consumed = self.chunk.split_to(read);
            self.line += count(&consumed, b'\n');
            quotes += usize::try_from(count(&consumed, b'"')).unwrap_or(usize::MAX);
            text_end += written;
            cells += ended_cells;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    // Go on parsing to the end of the record, into the same memory.
                    too_long = true;
                    (text_end, cells) = (0, 0);
                }
                ReadRecordResult::End => return Ok(None),
                ReadRecordResult::Record => {
                    let open = self.ended && self.chunk.is_empty() && quotes % 2 == 1;
                    let cells = if too_long {
                        Err(Fault::TooLong)
                    } else if open {
                        Err(Fault::OpenQuote)
                    } else {
                        std::str::from_utf8(&self.text[..text_end])
                            .map(|text| Cells { text, ends: &self.ends[..cells] })
                            .map_err(|_| Fault::NotText)
                    };
                    return Ok(Some(Record { line, cells }));
                }
            }
        }
    }

    async fn fill(&mut self) -> Result<(), E> {
        match self.chunks.next().await {
            Some(chunk) => self.chunk = chunk?,
            None => self.ended = true,
        }
        Ok(())
    }

    async fn skip_byte_order_mark(&mut self) -> Result<(), E> {
        let mut front = Vec::new();
        while front.len() < BYTE_ORDER_MARK.len() && !self.ended {
            self.fill().await?;
            front.extend_from_slice(&self.chunk);
            self.chunk = Bytes::new();
        }
        self.chunk = Bytes::from(front);
        if self.chunk.starts_with(BYTE_ORDER_MARK) {
            self.chunk = self.chunk.split_off(BYTE_ORDER_MARK.len());
        }
        Ok(())
    }

    /// Passes over what separates records, so that a record's line is the one on which its first cell stands.
    async fn skip_line_ends(&mut self) -> Result<(), E> {
        loop {
            let skipped = self.chunk.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            let consumed = self.chunk.split_to(skipped);
            self.line += count(&consumed, b'\n');
            if !self.chunk.is_empty() || self.ended {
                return Ok(());
            }
            self.fill().await?;
        }
    }
}

fn count(bytes: &[u8], wanted: u8) -> u64 {
    bytes.iter().filter(|byte| **byte == wanted).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;

    /// Reads `file` cut into chunks of `size` bytes; each record as `line: cell|cell` or `line! fault`.
    fn records(file: &[u8], size: usize) -> Vec<String> {
        let chunks: Vec<Result<Bytes, ()>> = file.chunks(size).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        let mut reader = CsvReader::new(stream::iter(chunks));
        let mut seen = Vec::new();
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            while let Some(record) = reader.next().await.unwrap() {
                seen.push(match record.cells {
                    Ok(cells) => format!("{}: {}", record.line, cells.iter().collect::<Vec<_>>().join("|")),
                    Err(fault) => format!("{}! {fault:?}", record.line),
                });
            }
        });
        seen
    }

    #[test]
    fn records_do_not_depend_on_how_the_file_is_cut_into_chunks() {
        let file = b"\xEF\xBB\xBFa,b\r\n1,\"x\ny\"\r\n\r\n\n2,\"say \"\"hi\"\"\"\n3,\xC3\xA9";
        for size in 1..file.len() {
            assert_eq!(records(file, size), ["1: a|b", "2: 1|x\ny", "6: 2|say \"hi\"", "7: 3|é"], "chunks of {size}");
        }
    }

    #[test]
    fn a_record_that_is_too_long_is_passed_over_and_the_next_one_read() {
        let mut file = b"a,b\n".to_vec();
        file.extend(std::iter::repeat_n(b'x', 10 * 1024 * 1024));
        file.extend(b"\n1,2\n");
        assert_eq!(records(&file, 4096), ["1: a|b", "2! TooLong", "3: 1|2"]);
        let wide = format!("{}\n1,2\n", ",".repeat(5000));
        assert_eq!(records(wide.as_bytes(), 4096), ["1! TooLong", "2: 1|2"]);
    }

    #[test]
    fn a_file_that_ends_inside_quotes_says_so() {
        assert_eq!(records(b"a,b\n1,\"2", 3), ["1: a|b", "2! OpenQuote"]);
        assert_eq!(records(b"a,b\n1,\"2\"", 3), ["1: a|b", "2: 1|2"]);
    }

    #[test]
    fn bytes_that_are_not_text_are_a_fault_of_their_record_alone() {
        assert_eq!(records(b"a,b\n1,\xFF\n3,4\n", 5), ["1: a|b", "2! NotText", "3: 3|4"]);
    }

    #[test]
    fn nothing_comes_from_an_empty_file() {
        assert_eq!(records(b"", 1), Vec::<String>::new());
        assert_eq!(records(b"\n\r\n", 1), Vec::<String>::new());
    }
}
