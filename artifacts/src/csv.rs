//! A CSV file as a stream of records, each with the line at which it begins.
//!
//! Memory is bounded whatever the file holds: a record longer than [`MAX_RECORD_BYTES`] is reported by its line and
//! passed over. The parsing itself is that of the `csv-core` crate (RFC 4180, with `\n`, `\r\n` or `\r` as the end of a line).
//! Cells are separated by commas, semicolons or tabs, by whichever the first line has most of.

use bytes::Bytes;
use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use futures_util::{Stream, StreamExt};

/// The longest record that is read, in bytes without quotes.
pub const MAX_RECORD_BYTES: usize = 64 * 1024;
/// The most cells a record may have.
pub const MAX_CELLS: usize = 1024;

/// The byte order mark that some programs put at the front of UTF-8 files.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
/// What may separate cells; of two that are equally frequent the first.
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

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
    /// Cells that stand one after the other in `text`, each up to the next of `ends`.
    pub(crate) const fn new(text: &'a str, ends: &'a [usize]) -> Self {
        Self { text, ends }
    }

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

/// How far the reader is from the end of its file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Ahead,
    Reached,
    /// The end of a line was put after it. It ends the last record, as the end of the file would; inside quotes it is
    /// text, and so tells a record that is whole from one that is not.
    Closed,
}

/// Reads records from a stream of chunks.
pub struct CsvReader<S> {
    chunks: S,
    chunk: Bytes,
    end: End,
    began: bool,
    parser: Reader,
    line: u64,
    /// The last byte was a `\r`: a `\n` now belongs to it.
    after_cr: bool,
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
            end: End::Ahead,
            began: false,
            parser: Reader::new(),
            line: 1,
            after_cr: false,
            text: vec![0; MAX_RECORD_BYTES],
            ends: vec![0; MAX_CELLS],
        }
    }

    /// The next record; `None` at the end of the file. Empty lines are passed over.
    pub async fn next(&mut self) -> Result<Option<Record<'_>>, E> {
        if !self.began {
            self.skip_byte_order_mark().await?;
            self.skip_line_ends().await?;
            self.find_separator().await?;
            self.began = true;
        }
        self.skip_line_ends().await?;
        let line = self.line;
        let (mut text_end, mut cells, mut too_long) = (0, 0, false);
        loop {
            let at_end = self.chunk.is_empty() && self.end == End::Closed;
            match self.end {
                End::Ahead if self.chunk.is_empty() => {
                    self.fill().await?;
                    continue;
                }
                End::Reached if self.chunk.is_empty() => {
                    self.chunk = Bytes::from_static(b"\n");
                    self.end = End::Closed;
                }
                _ => {}
            }
            let (result, read, written, ended_cells) =
                self.parser.read_record(&self.chunk, &mut self.text[text_end..], &mut self.ends[cells..]);
            let consumed = self.chunk.split_to(read);
            self.count_lines(&consumed);
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
                    let cells = if at_end {
                        Err(Fault::OpenQuote)
                    } else if too_long {
                        Err(Fault::TooLong)
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
            None => self.end = End::Reached,
        }
        Ok(())
    }

    async fn skip_byte_order_mark(&mut self) -> Result<(), E> {
        let mut front = Vec::new();
        while front.len() < BYTE_ORDER_MARK.len() && self.end == End::Ahead {
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

    /// Reads the first line, or as much of it as a record may have, and takes the separator that it has most of.
    async fn find_separator(&mut self) -> Result<(), E> {
        let mut front = Vec::new();
        let (mut quoted, mut counted) = (false, 0);
        let mut counts = [0; SEPARATORS.len()];
        loop {
            front.extend_from_slice(&self.chunk);
            self.chunk = Bytes::new();
            for byte in &front[counted..] {
                match byte {
                    b'"' => quoted = !quoted,
                    b'\r' | b'\n' if !quoted => {
                        self.separate_by(counts, front);
                        return Ok(());
                    }
                    byte if !quoted => {
                        for (separator, count) in SEPARATORS.iter().zip(&mut counts) {
                            *count += usize::from(byte == separator);
                        }
                    }
                    _ => {}
                }
            }
            counted = front.len();
            if self.end != End::Ahead || counted > MAX_RECORD_BYTES {
                self.separate_by(counts, front);
                return Ok(());
            }
            self.fill().await?;
        }
    }

    fn separate_by(&mut self, counts: [usize; SEPARATORS.len()], front: Vec<u8>) {
        let mut most = 0;
        for (separator, count) in SEPARATORS.into_iter().zip(counts) {
            if count > most {
                most = count;
                self.parser = ReaderBuilder::new().delimiter(separator).build();
            }
        }
        self.chunk = Bytes::from(front);
    }

    /// Passes over what separates records, so that a record's line is the one on which its first cell stands.
    async fn skip_line_ends(&mut self) -> Result<(), E> {
        loop {
            let skipped = self.chunk.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            let consumed = self.chunk.split_to(skipped);
            self.count_lines(&consumed);
            if !self.chunk.is_empty() || self.end != End::Ahead {
                return Ok(());
            }
            self.fill().await?;
        }
    }

    /// Counts the ends of lines: `\n`, `\r\n` or `\r`, as the parser takes them.
    fn count_lines(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.line += u64::from(*byte == b'\r' || (*byte == b'\n' && !self.after_cr));
            self.after_cr = *byte == b'\r';
        }
    }
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
    fn cells_are_separated_by_what_the_first_line_has_most_of() {
        for (file, header) in [
            (&b"a,b;c\n1,2;3"[..], "1: a|b;c"),
            (b"a;b;c,d\n1;2;3,4", "1: a|b|c,d"),
            (b"\n\na\tb\n1\t2", "3: a|b"),
            (b"\"x,y,z\";b\n1;2", "1: x,y,z|b"),
            (b"a;b,c\n", "1: a;b|c"),
            (b"one\n2;3", "1: one"),
        ] {
            for size in 1..=file.len() {
                assert_eq!(records(file, size)[0], header, "chunks of {size}");
            }
        }
        assert_eq!(records(b"a;b\n1,5;2\n\"x;y\";3\n", 3), ["1: a|b", "2: 1,5|2", "3: x;y|3"]);
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
        assert_eq!(records(b"a,b\n1,5\" pipe", 3), ["1: a|b", "2: 1|5\" pipe"]);
        assert_eq!(records(b"a,b\n1,\"2\n3,4\n", 3), ["1: a|b", "2! OpenQuote"]);
        assert_eq!(records(b"a", 1), ["1: a"]);
    }

    #[test]
    fn lines_are_counted_whatever_ends_them() {
        for end in ["\n", "\r", "\r\n"] {
            let file = ["a,b", "1,\"x", "y\"", "", "2,z"].join(end);
            for size in 1..file.len() {
                let seen = ["1: a|b".to_owned(), format!("2: 1|x{end}y"), "5: 2|z".to_owned()];
                assert_eq!(records(file.as_bytes(), size), seen, "{end:?} in chunks of {size}");
            }
        }
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
