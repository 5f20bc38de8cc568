//! Input files: whatever the bytes, a file is read to its end or refused in one sentence, the same in whatever pieces it
//! arrives, and its lines are in order.

use std::io::{Cursor, Write};

use artifacts::{
    table::{Table, TableError},
    xlsx::Budget,
};
use bytes::Bytes;
use futures_util::stream;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// Far above what these inputs hold, so that a file within it is judged by its content.
const BUDGET: Budget = Budget { sheet_bytes: 4_000_000, other_bytes: 1_000_000, entries: 100 };

/// Where the parts of a workbook are divided: a byte that no XML has.
const DIVIDER: u8 = 0;

const ROOT_RELATIONS: &str = r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#;
const RELATIONS: &str = r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings" Target="sharedStrings.xml"/><Relationship Id="rId3" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/></Relationships>"#;
const WORKBOOK: &str = r#"<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="Data" sheetId="1" r:id="rId1"/></sheets></workbook>"#;

#[test]
fn a_file_is_read_the_same_in_whatever_pieces_it_arrives() {
    bolero::check!(name = "file").for_each(|file: &[u8]| {
        let whole = read(file, file.len().max(1));
        assert_eq!(whole, read(file, 1));
        assert_eq!(whole, read(file, 7));
        in_order(&whole);
    });
}

#[test]
fn a_workbook_of_any_parts_is_read_or_refused() {
    bolero::check!(name = "workbook").for_each(|parts: &[u8]| {
        let file = workbook(parts);
        let read = read(&file, 4096);
        in_order(&read);
    });
}

/// The records of a file with their lines, and at last how it ended.
#[derive(Debug, PartialEq, Eq)]
struct Read {
    records: Vec<(u64, Result<Vec<String>, String>)>,
    end: Result<(), String>,
}

fn read(file: &[u8], piece: usize) -> Read {
    let pieces: Vec<Result<Bytes, String>> =
        file.chunks(piece).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    let mut records = Vec::new();
    let reading = async {
        let mut table = Table::open(stream::iter(pieces), BUDGET).await?;
        while let Some(record) = table.next().await? {
            let cells = match record.cells {
                Ok(cells) => Ok(cells.iter().map(ToOwned::to_owned).collect()),
                Err(fault) => Err(fault.to_string()),
            };
            records.push((record.line, cells));
        }
        Ok(())
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let end = match runtime.block_on(reading) {
        Ok(()) => Ok(()),
        Err(TableError::Workbook(fault)) => Err(fault.to_string()),
        Err(error @ (TableError::Source(_) | TableError::Disk(_))) => panic!("the file is not at fault: {error}"),
    };
    Read { records, end }
}

fn in_order(read: &Read) {
    assert!(read.records.is_sorted_by(|(one, _), (next, _)| one < next), "{read:?}");
    if let Err(sentence) = &read.end {
        assert!(sentence.ends_with('.') && !sentence.contains('\n'), "{sentence:?}");
    }
}

/// A workbook whose sheet, shared strings and styles are these bytes.
fn workbook(parts: &[u8]) -> Vec<u8> {
    let mut parts = parts.split(|byte| *byte == DIVIDER);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut add = |name: &str, content: &[u8]| {
        zip.start_file(name, options).unwrap();
        zip.write_all(content).unwrap();
    };
    add("_rels/.rels", ROOT_RELATIONS.as_bytes());
    add("xl/_rels/workbook.xml.rels", RELATIONS.as_bytes());
    add("xl/workbook.xml", WORKBOOK.as_bytes());
    for name in ["xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/styles.xml"] {
        if let Some(content) = parts.next() {
            add(name, content);
        }
    }
    zip.finish().unwrap().into_inner()
}
