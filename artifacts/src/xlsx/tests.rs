//! Real workbooks, read through [`Table`] as the rest of the program reads them.

use std::io::{Cursor, Write};

use bytes::Bytes;
use futures_util::stream;
use zip::{ZipWriter, write::SimpleFileOptions};

use super::{Budget, Place, WorkbookFault};
use crate::table::{Table, TableError};

mod cells;
mod hostile;
mod large;
mod sheets;

const ROOT_RELATIONS: &str = r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#;
const RELATIONS: &str = r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#;
const WORKBOOK: &str = r#"<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="Data" sheetId="1" r:id="rId1"/></sheets></workbook>"#;

/// What a file is read as: each record as `line: cell|cell` or `line! fault`, and why reading ended.
struct Seen {
    records: Vec<String>,
    end: Result<(), TableError<&'static str>>,
}

impl Seen {
    /// The records of a file that is read to its end.
    fn whole(self) -> Vec<String> {
        self.end.unwrap();
        self.records
    }

    /// Why a file is refused.
    fn fault(self) -> WorkbookFault {
        match self.end {
            Err(TableError::Workbook(fault)) => fault,
            end => panic!("{end:?} after {:?}", self.records),
        }
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn chunked(file: &[u8], size: usize) -> stream::Iter<std::vec::IntoIter<Result<Bytes, &'static str>>> {
    stream::iter(file.chunks(size).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect::<Vec<_>>())
}

fn read_as(file: &[u8], size: usize, budget: Budget) -> Seen {
    run(async {
        let mut records = Vec::new();
        let end = async {
            let mut table = Table::open(chunked(file, size), budget).await?;
            while let Some(record) = table.next().await? {
                records.push(match record.cells {
                    Ok(cells) => format!("{}: {}", record.line, cells.iter().collect::<Vec<_>>().join("|")),
                    Err(fault) => format!("{}! {fault:?}", record.line),
                });
            }
            Ok(())
        };
        let end = end.await;
        Seen { records, end }
    })
}

fn read(file: &[u8]) -> Seen {
    read_as(file, 4096, Budget::default())
}

/// A workbook made by hand.
struct Parts(Vec<(String, Vec<u8>)>);

impl Parts {
    /// One with one sheet, of these rows.
    fn with_rows(rows: &str) -> Self {
        Self::with_sheet(&format!("<worksheet><sheetData>{rows}</sheetData></worksheet>"))
    }

    fn with_sheet(sheet: &str) -> Self {
        Self(Vec::new())
            .with("_rels/.rels", ROOT_RELATIONS)
            .with("xl/_rels/workbook.xml.rels", RELATIONS)
            .with("xl/workbook.xml", WORKBOOK)
            .with("xl/worksheets/sheet1.xml", sheet)
    }

    fn with(mut self, name: &str, content: impl Into<Vec<u8>>) -> Self {
        self.0.retain(|(other, _)| other != name);
        self.0.push((name.to_owned(), content.into()));
        self
    }

    fn zip(&self) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in &self.0 {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }
}
