//! What reading costs; run in release with `--ignored --nocapture --test-threads 1`.

use std::{fmt::Write as _, time::Instant};

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

fn measure(what: &str, file: Vec<u8>) -> u64 {
    let size = file.len();
    let chunks = stream::iter(
        (0..size).step_by(65536).map(move |at| Ok::<_, &str>(Bytes::copy_from_slice(&file[at..size.min(at + 65536)]))),
    );
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

fn workbook(shared_strings: bool) -> Vec<u8> {
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
    workbook.save_to_buffer().unwrap()
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

#[test]
#[ignore = "holds hundreds of megabytes"]
fn the_worst_styles_and_strings_cost_what_is_documented() {
    let font = format!(r#"<fonts><font><name val="{}"/></font></fonts>"#, "x".repeat(2000));
    let format = format!(r#"<numFmts><numFmt numFmtId="200" formatCode="{}"/></numFmts>"#, "x".repeat(2000));
    let xfs = r#"<xf fontId="0" numFmtId="200"/>"#.repeat(100_000);
    let styles = format!("<styleSheet>{format}{font}<cellXfs>{xfs}</cellXfs></styleSheet>");
    let strings = format!("<sst>{}</sst>", "<si><t>a</t></si>".repeat(3_500_000));
    let rows = r#"<row r="1"><c r="A1" t="s"><v>0</v></c></row>"#;
    for file in [
        Parts::with_rows(rows)
            .with("xl/sharedStrings.xml", "<sst><si><t>a</t></si></sst>")
            .with("xl/styles.xml", styles),
        Parts::with_rows(rows).with("xl/sharedStrings.xml", strings),
    ] {
        let file = file.zip();
        peak();
        let began = Instant::now();
        assert_eq!(read(&file).whole(), ["1: a"]);
        println!("{} bytes: {:.1?}; peak {} kB", file.len(), began.elapsed(), peak());
    }
}
