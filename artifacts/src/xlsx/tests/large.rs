//! What reading costs: `tests/run --long --only large`.

use std::{
    fmt::Write as _,
    fs::File,
    io::{Read, Seek, SeekFrom},
    time::Instant,
};

use rust_xlsxwriter::Workbook;

use super::{hostile::bomb, *};

/// Excel's most rows.
const ROWS: u32 = 1_048_576;
const COLUMNS: u16 = 12;

/// The most memory that this process had since it was last asked, in kB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}

fn measure(what: &str, mut file: File) -> u64 {
    let size = file.seek(SeekFrom::End(0)).unwrap();
    file.rewind().unwrap();
    let chunks = stream::iter((0..size).step_by(65536).map(move |at| {
        let mut chunk = vec![0; usize::try_from(65536.min(size - at)).unwrap()];
        file.read_exact(&mut chunk).unwrap();
        Ok::<_, &str>(Bytes::from(chunk))
    }));
    peak();
    let before = peak();
    let began = Instant::now();
    let (rows, opened) = run(async {
        let mut table = Table::open(Box::pin(chunks), Budget::default()).await.unwrap();
        let opened = began.elapsed();
        let mut rows = 0;
        while let Some(record) = table.next().await.unwrap() {
            assert_eq!(record.cells.unwrap().len(), usize::from(COLUMNS));
            rows += 1;
        }
        (rows, opened)
    });
    let took = began.elapsed();
    let now = peak();
    println!(
        "{what}: {size} bytes, {rows} rows, opened after {opened:.1?}, read after {took:.1?}; peak {now} kB, {before} kB before"
    );
    rows
}

fn workbook(shared_strings: bool) -> File {
    let mut workbook = Workbook::new();
    let sheet = if shared_strings {
        workbook.add_worksheet_with_low_memory()
    } else {
        workbook.add_worksheet_with_constant_memory()
    };
    let sheet = sheet.unwrap();
    let mut text = String::new();
    for row in 0..ROWS {
        for column in 0..COLUMNS {
            if column < 4 {
                text.clear();
                write!(text, "company {column} {}", row % 50_000).unwrap();
                sheet.write(row, column, &text).unwrap();
            } else {
                sheet.write(row, column, f64::from(row) / 7.0 + f64::from(column)).unwrap();
            }
        }
    }
    let mut file = tempfile::tempfile().unwrap();
    workbook.save_to_writer(&mut file).unwrap();
    file
}

#[test]
#[ignore = "takes a minute in release"]
fn the_longest_sheet_streams_through() {
    assert_eq!(measure("shared strings", workbook(true)), u64::from(ROWS));
    assert_eq!(measure("inline strings", workbook(false)), u64::from(ROWS));
}

#[test]
#[ignore = "inflates a gigabyte"]
fn a_bomb_costs_seconds_and_little_memory() {
    let file = bomb(10, u32::MAX - 1);
    peak();
    let began = Instant::now();
    let fault = read(&file).fault();
    println!("{fault} after {:.1?}; peak {} kB", began.elapsed(), peak());
}

/// Reads a workbook of one cell.
fn measure_held(parts: Parts) {
    let file = parts.zip();
    drop(parts);
    peak();
    let before = peak();
    let began = Instant::now();
    assert_eq!(read(&file).whole(), ["1: a"]);
    println!("{} bytes: {:.1?}; peak {} kB, {before} kB before", file.len(), began.elapsed(), peak());
}

const ONE_CELL: &str = r#"<row r="1"><c r="A1" t="s"><v>0</v></c></row>"#;

#[test]
#[ignore = "holds hundreds of megabytes"]
fn the_worst_styles_cost_what_is_documented() {
    let fonts = format!(r#"<fonts><font><name val="{}"/></font></fonts>"#, "x".repeat(600));
    let formats = format!(r#"<numFmts><numFmt numFmtId="200" formatCode="{}"/></numFmts>"#, "x".repeat(600));
    let xfs = r#"<xf fontId="0" numFmtId="200"/>"#.repeat(100_000);
    let styles = format!("<styleSheet>{formats}{fonts}<cellXfs>{xfs}</cellXfs></styleSheet>");
    let strings = "<sst><si><t>a</t></si></sst>";
    measure_held(Parts::with_rows(ONE_CELL).with("xl/sharedStrings.xml", strings).with("xl/styles.xml", styles));
}

#[test]
#[ignore = "holds hundreds of megabytes"]
fn the_worst_strings_cost_what_is_documented() {
    let strings = format!("<sst><si><t>a</t></si>{}</sst>", "<si/>".repeat(12_700_000));
    measure_held(Parts::with_rows(ONE_CELL).with("xl/sharedStrings.xml", strings));
}

#[test]
#[ignore = "holds hundreds of megabytes"]
fn ordinary_strings_cost_what_is_documented() {
    let strings: String = (0..1_200_000).map(|index| format!("<si><t>{index:-<32}</t></si>")).collect();
    let strings = format!("<sst><si><t>a</t></si>{strings}</sst>");
    measure_held(Parts::with_rows(ONE_CELL).with("xl/sharedStrings.xml", strings));
}
