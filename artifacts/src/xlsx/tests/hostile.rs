//! Files made to hurt, and broken ones: refused in a sentence, within the budget.

use std::sync::LazyLock;

use flate2::{Compress, Compression, FlushCompress};
use proptest::prelude::*;

use super::*;

const SMALL: Budget = Budget { sheet_bytes: 6_000_000, other_bytes: 2_000_000, entries: 100 };

fn unreadable(seen: Seen) -> String {
    match seen.fault() {
        fault @ WorkbookFault::Unreadable { .. } => fault.to_string(),
        fault => panic!("{fault:?}"),
    }
}

fn too_large(file: &[u8], budget: Budget) -> String {
    match read_as(file, 65536, budget).fault() {
        WorkbookFault::TooLarge(what) => what,
        fault => panic!("{fault:?}"),
    }
}

#[test]
fn what_is_no_workbook_is_refused() {
    let sentence = "The file cannot be read as an Excel workbook.";
    let zip = Parts(Vec::new()).with("readme.txt", "hello");
    assert_eq!(unreadable(read(&zip.zip())), sentence);
    assert_eq!(read(&Parts(Vec::new()).zip()).fault().to_string(), sentence);
    let document = Parts(Vec::new())
        .with("_rels/.rels", ROOT_RELATIONS.replace("xl/workbook.xml", "word/document.xml"))
        .with("word/_rels/document.xml.rels", "<Relationships></Relationships>")
        .with("word/document.xml", "<document><body>text</body></document>");
    assert_eq!(unreadable(read(&document.zip())), sentence);
    assert_eq!(unreadable(read(b"PK\x03\x04 and so on")), sentence);
    let old = read(b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1 and so on").fault();
    assert_eq!(old, WorkbookFault::OldOrLocked);
    assert_eq!(read(b"PK,name\n1,2\n").whole(), ["1: PK|name", "2: 1|2"]);
}

#[test]
fn a_sheet_that_breaks_off_says_where_after_its_good_rows() {
    let rows: String = (1..=500).map(|row| format!(r#"<row r="{row}"><c r="A{row}"><v>{row}</v></c></row>"#)).collect();
    for broken in
        [r#"<row r="501"><c r="A501"><v>1</v></"#, "<row><c <", r#"<row r="501"><c t="s"><v>9</v></c></row>"#, ""]
    {
        let file = Parts::with_sheet(&format!("<worksheet><sheetData>{rows}{broken}"));
        let seen = read(&file.zip());
        assert!(seen.records.len() >= 499, "{}", seen.records.len());
        let sentence = unreadable(seen);
        assert!(sentence.contains("\"Data\" is damaged after row "), "{sentence}");
    }
    let seen = read(&Parts::with_sheet("<worksheet><sheetData>").zip());
    assert_eq!(
        unreadable(seen),
        "The file cannot be read as an Excel workbook; its sheet \"Data\" is damaged before its first row."
    );
}

#[test]
fn a_failing_source_is_not_the_files_fault() {
    let file = Parts::with_rows("").zip();
    let chunks = stream::iter([Ok(Bytes::from(file)), Err("gone")]);
    let opened = run(Table::open(chunks, Budget::default()));
    assert!(matches!(opened, Err(TableError::Source("gone"))));
}

#[test]
fn macros_do_not_matter() {
    let rows = r#"<row r="1"><c r="A1"><v>1</v></c></row>"#;
    let file = Parts::with_rows(rows).with("xl/vbaProject.bin", vec![0xD0; 5000]);
    assert_eq!(read(&file.zip()).whole(), ["1: 1"]);
}

#[test]
fn what_a_sheet_says_of_its_size_does_not_matter() {
    for dimension in ["A1:XFD1048576", "A1", "B2:C3"] {
        let sheet = format!(
            r#"<worksheet><dimension ref="{dimension}"/><sheetData><row r="1" spans="1:16384"><c r="A1"><v>1</v></c></row></sheetData></worksheet>"#
        );
        assert_eq!(read(&Parts::with_sheet(&sheet).zip()).whole(), ["1: 1"]);
    }
}

#[test]
fn shared_strings_that_are_not_there_are_not_made_room_for() {
    let rows = r#"<row r="1"><c r="A1" t="s"><v>0</v></c></row>"#;
    for (count, good) in [("1", true), ("4000000000", false), ("18446744073709551615", false), ("1e9", false)] {
        let strings = format!(r#"<sst count="{count}" uniqueCount="{count}"><si><t>a</t></si></sst>"#);
        for name in ["xl/sharedStrings.xml", "XL\\SHAREDSTRINGS.XML"] {
            let seen = read(&Parts::with_rows(rows).with(name, strings.clone()).zip());
            if good {
                assert_eq!(seen.whole(), ["1: a"]);
            } else {
                unreadable(seen);
            }
        }
    }
}

#[test]
fn entities_are_not_expanded() {
    let sheet = r#"<!DOCTYPE worksheet [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;">]><worksheet><sheetData><row r="1"><c r="A1" t="str"><v>x&b;y</v></c></row></sheetData></worksheet>"#;
    let seen = read(&Parts::with_sheet(sheet).zip());
    assert!(seen.records.iter().all(|record| !record.contains("aaa")));
}

#[test]
fn a_part_may_not_outgrow_the_budget() {
    let zeros = vec![0; 3_000_000];
    for name in ["xl/sharedStrings.xml", "xl/media/image1.png", "xl/worksheets/styles.xml", "xl/embeddings/book.xlsx"] {
        let file = Parts::with_rows("").with(name, zeros.clone());
        assert_eq!(too_large(&file.zip(), SMALL), "its texts, styles and attachments unpack to more than 2 MB");
    }
    let sheet = format!("<worksheet><sheetData>{}", " ".repeat(6_100_000));
    let file = Parts::with_rows("").with("xl/worksheets/sheet7.xml", sheet);
    assert_eq!(too_large(&file.zip(), SMALL), "its sheets unpack to more than 6 MB");
    let many = (0..1000).fold(Parts::with_rows(""), |parts, index| parts.with(&format!("xl/{index}"), "x"));
    assert_eq!(too_large(&many.zip(), SMALL), "it has more than 100 parts");
}

#[test]
fn one_cell_may_not_be_held_whole_however_it_is_written() {
    let long = 1_200_000;
    for row in [
        format!(r#"<row r="1"><c r="A1" t="inlineStr"><is><t>{}</t></is></c></row>"#, "x".repeat(long)),
        format!(r#"<row r="1"><c r="A1" t="inlineStr"><is>{}</is></c></row>"#, "<r><t>x</t></r>".repeat(long / 10)),
        format!(
            r#"<row r="1"><c r="A1" t="inlineStr"><is><t>{}</t></is></c></row>"#,
            "<![CDATA[<c>]]>".repeat(long / 10)
        ),
        format!(r#"<row r="1"><c r="A1" t="str"><v>{}</v></c></row>"#, "<!-- <c> -->".repeat(long / 10)),
        format!(r#"<row r="1"><c r="A1" x="{}"/></row>"#, "<c>".repeat(long / 3)),
        format!("<!-- {} -->", "<c/>".repeat(long / 4)),
    ] {
        assert_eq!(too_large(&Parts::with_rows(&row).zip(), SMALL), "one of its cells is longer than 1 MB");
    }
}

#[test]
fn a_sheet_that_is_broken_is_not_taken_for_one_cell() {
    let cells = "<row><c><v>1</v></c></row>".repeat(5_000_000 / 26);
    let file = Parts::with_rows(&format!(r#"<row r="1"><c t="inlineStr"><is><t>x</c></row>{cells}"#));
    unreadable(read_as(&file.zip(), 65536, SMALL));
}

#[test]
fn tags_within_tags_are_not_held_without_end() {
    for name in ["xl/worksheets/sheet1.xml", "xl/styles.xml"] {
        let file = Parts::with_rows("").with(name, "<a>".repeat(100_000));
        unreadable(read(&file.zip()));
    }
}

#[test]
fn styles_that_repeat_a_long_name_are_refused() {
    let fonts = format!(r#"<fonts><font><name val="{}"/></font></fonts>"#, "x".repeat(10_000));
    for (formats, refused) in [
        (r#"<xf fontId="0"/>"#.repeat(10), None),
        (r#"<xf fontId="0"/>"#.repeat(7_000), Some("its cell formats have names that are too long")),
        ("<xf/>".repeat(100_001), Some("it has more than 100000 cell formats")),
    ] {
        let styles = format!("<styleSheet>{fonts}<cellXfs>{formats}</cellXfs></styleSheet>");
        let file = Parts::with_rows("").with("xl/styles.xml", styles).zip();
        match refused {
            Some(what) => assert_eq!(too_large(&file, SMALL), what),
            None => assert_eq!(read(&file).whole(), Vec::<String>::new()),
        }
    }
}

#[test]
fn a_list_of_sheets_is_bounded_wherever_it_stands() {
    let sheets = r#"<sheet name="x" r:id="rId1"/>"#.repeat(10_001);
    let workbook = format!("<workbook><sheets>{sheets}</sheets></workbook>");
    for name in ["xl/workbook.xml", "xl/styles.xml", "xl/sharedStrings.xml", "xl/other"] {
        let file = Parts::with_rows("").with(name, workbook.clone());
        assert_eq!(too_large(&file.zip(), SMALL), "it has more than 10000 sheets", "{name}");
    }
    for target in ["xl/worksheets/book.xml", "xl/Worksheets/book.xml", "xl/&#x77;orksheets/book.xml"] {
        let file = Parts::with_rows("")
            .with("_rels/.rels", ROOT_RELATIONS.replace("xl/workbook.xml", target))
            .with("xl/worksheets/book.xml", format!("<sheetData/>{workbook}"));
        unreadable(read(&file.zip()));
    }
}

/// A zip of one worksheet of so many zeros, with the size that it says to have.
pub fn bomb(gigabytes: usize, declared: u32) -> Vec<u8> {
    let mut block = Vec::with_capacity(1024 * 1024);
    let mut deflate = Compress::new(Compression::best(), false);
    deflate.compress_vec(&vec![0; 64 * 1024 * 1024], &mut block, FlushCompress::Full).unwrap();
    let mut deflated = block.repeat(gigabytes * 16);
    deflated.extend(b"\x03\x00");
    let name = b"xl/worksheets/sheet1.xml";
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_le_bytes();
    let size = length(&deflated);
    // Version, flags, method, time and date, checksum, both sizes, the lengths of the name and of what follows it.
    let mut about = b"\x14\0\0\0\x08\0\0\0\0\0\0\0\0\0".to_vec();
    about.extend(size);
    about.extend(declared.to_le_bytes());
    about.extend(length(name));
    let mut zip = [b"PK\x03\x04", &about[..], name, &deflated].concat();
    let directory = length(&zip);
    let entry = [b"PK\x01\x02\x14\0", &about[..], &[0; 14], name].concat();
    zip.extend(&entry);
    zip.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    zip.extend(length(&entry));
    zip.extend(directory);
    zip.extend([0, 0]);
    zip
}

#[test]
fn a_bomb_is_refused_at_the_budget() {
    assert_eq!(too_large(&bomb(10, u32::MAX - 1), SMALL), "its sheets unpack to more than 6 MB");
    unreadable(read_as(&bomb(10, 1000), 65536, SMALL));
}

static VALID: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut workbook = rust_xlsxwriter::Workbook::new();
    let date = rust_xlsxwriter::Format::new().set_num_format("yyyy-mm-dd");
    let sheet = workbook.add_worksheet();
    for row in 0..40 {
        sheet.write(row, 0, format!("text {row}")).unwrap();
        sheet.write(row, 1, row).unwrap();
        sheet.write_with_format(row, 2, 45_000 + row, &date).unwrap();
    }
    workbook.save_to_buffer().unwrap()
});

/// The same with entries that are not deflated, so that flipped bytes are flipped in the XML.
static STORED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut from = zip::ZipArchive::new(Cursor::new(&VALID[..])).unwrap();
    let mut to = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..from.len() {
        let mut entry = from.by_index(index).unwrap();
        let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        to.start_file(entry.name().unwrap(), options).unwrap();
        std::io::copy(&mut entry, &mut to).unwrap();
    }
    to.finish().unwrap().into_inner()
});

#[test]
fn a_file_that_breaks_off_is_unreadable() {
    for part in 1..20 {
        let file = &VALID[..VALID.len() * part / 20];
        assert_eq!(unreadable(read(file)), "The file cannot be read as an Excel workbook.");
    }
    assert_eq!(read(&VALID).whole().len(), 40);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn flipped_bytes_are_an_error_or_rows(
        stored in any::<bool>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1..=255_u8), 1..6),
    ) {
        let mut file = if stored { STORED.clone() } else { VALID.clone() };
        let length = file.len();
        for (place, flip) in flips {
            file[place.index(length)] ^= flip;
        }
        let seen = read_as(&file, 4096, SMALL);
        prop_assert!(!matches!(seen.end, Err(TableError::Source(_) | TableError::Disk(_))), "{:?}", seen.end);
    }

    /// Past the checksums of the zip, which find most flipped bytes.
    #[test]
    fn flipped_bytes_in_the_parts_are_an_error_or_rows(
        part in any::<prop::sample::Index>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 32..127_u8), 1..4),
    ) {
        let mut from = zip::ZipArchive::new(Cursor::new(&VALID[..])).unwrap();
        let mut parts = Parts(Vec::new());
        for index in 0..from.len() {
            let mut entry = from.by_index(index).unwrap();
            let name = entry.name().unwrap().into_owned();
            let mut content = Vec::new();
            std::io::copy(&mut entry, &mut content).unwrap();
            parts = parts.with(&name, content);
        }
        let content = &mut part.get_mut(&mut parts.0).1;
        let length = content.len();
        for (place, byte) in flips {
            content[place.index(length)] = byte;
        }
        let seen = read_as(&parts.zip(), 4096, SMALL);
        prop_assert!(!matches!(seen.end, Err(TableError::Source(_) | TableError::Disk(_))), "{:?}", seen.end);
    }
}
