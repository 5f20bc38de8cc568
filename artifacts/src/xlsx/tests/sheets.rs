//! Which sheet is read, and which of its rows.

use rust_xlsxwriter::Workbook;

use super::*;

#[test]
fn the_first_visible_worksheet_is_read_and_the_others_are_named() {
    let mut workbook = Workbook::new();
    for name in ["Hidden", "Very hidden", "Data", "Later"] {
        let sheet = workbook.add_worksheet().set_name(name).unwrap();
        sheet.write(0, 0, name).unwrap();
        match name {
            "Hidden" => _ = sheet.set_hidden(true),
            "Very hidden" => _ = sheet.set_very_hidden(true),
            "Data" => _ = sheet.set_active(true),
            _ => {}
        }
    }
    let file = workbook.save_to_buffer().unwrap();
    assert_eq!(read(&file).whole(), ["1: Data"]);
    run(async {
        let table = Table::open(chunked(&file, 1000), Budget::default()).await.unwrap();
        assert_eq!(table.sheet(), Some("Data"));
        assert_eq!(table.other_sheets(), ["Hidden", "Very hidden", "Later"]);
    });
}

#[test]
fn a_workbook_without_a_visible_worksheet_is_refused() {
    for workbook in [
        WORKBOOK.replace("r:id=", r#"state="hidden" r:id="#),
        WORKBOOK.replace("r:id=", r#"state="veryHidden" r:id="#),
        "<workbook/>".to_owned(),
    ] {
        let file = Parts::with_rows("").with("xl/workbook.xml", workbook);
        assert_eq!(read(&file.zip()).fault(), WorkbookFault::NoWorksheet);
    }
    let file =
        Parts::with_rows("").with("xl/_rels/workbook.xml.rels", RELATIONS.replace("/worksheet\"", "/chartsheet\""));
    assert_eq!(read(&file.zip()).fault(), WorkbookFault::NoWorksheet);
}

#[test]
fn empty_rows_are_passed_over_and_short_ones_filled_up() {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    let bold = rust_xlsxwriter::Format::new().set_bold();
    for (row, column, text) in [(2, 0, "a"), (2, 2, "c"), (2, 5, ""), (4, 1, "x"), (6, 2, "y"), (7, 4, "beyond")] {
        sheet.write_string(row, column, text).unwrap();
    }
    // Cells that have a format and nothing in them.
    for (row, column) in [(0, 0), (2, 9), (5, 1), (6, 3)] {
        sheet.write_blank(row, column, &bold).unwrap();
    }
    let file = workbook.save_to_buffer().unwrap();
    assert_eq!(read(&file).whole(), ["3: a||c", "5: |x|", "7: ||y", "8: ||||beyond"]);
}

#[test]
fn an_empty_sheet_has_no_records() {
    let mut workbook = Workbook::new();
    workbook.add_worksheet();
    assert_eq!(read(&workbook.save_to_buffer().unwrap()).whole(), Vec::<String>::new());
}

#[test]
fn rows_and_cells_without_references_follow_one_another() {
    let file = Parts::with_rows("<row><c><v>1</v></c><c><v>2</v></c></row><row/><row><c/><c><v>3</v></c></row>");
    assert_eq!(read(&file.zip()).whole(), ["1: 1|2", "3: |3"]);
}

#[test]
fn rows_or_cells_out_of_order_are_a_damaged_sheet() {
    for rows in [
        r#"<row r="1"><c r="A1"><v>1</v></c></row><row r="3"><c r="A3"><v>3</v></c></row><row r="2"><c r="A2"><v>2</v></c></row>"#,
        r#"<row r="1"><c r="A1"><v>1</v></c></row><row r="2"><c r="B2"><v>1</v></c><c r="A2"><v>2</v></c></row>"#,
    ] {
        let seen = read(&Parts::with_rows(rows).zip());
        assert_eq!(seen.records[0], "1: 1");
        assert!(matches!(seen.fault(), WorkbookFault::Unreadable { place: Some(_), .. }));
    }
}

#[test]
fn a_row_that_is_too_long_is_a_fault_of_its_own() {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    sheet.write(0, 0, "a").unwrap();
    for column in 0..16_384 {
        sheet.write(1, column, 1).unwrap();
    }
    sheet.write(2, 1023, "last").unwrap();
    sheet.write(3, 1024, "one more").unwrap();
    for column in 0..3 {
        sheet.write(4, column, "x".repeat(30_000)).unwrap();
    }
    sheet.write(5, 0, "b").unwrap();
    let records = read(&workbook.save_to_buffer().unwrap()).whole();
    assert_eq!(records[..2], ["1: a", "2! TooLong"]);
    assert_eq!(records[2], format!("3: {}last", "|".repeat(1023)));
    assert_eq!(records[3..], ["4! TooLong", "5! TooLong", "6: b"]);
}

#[test]
fn a_header_that_is_too_long_is_a_fault() {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    sheet.write(0, 2000, "a").unwrap();
    sheet.write(1, 1, "b").unwrap();
    assert_eq!(read(&workbook.save_to_buffer().unwrap()).whole(), ["1! TooLong", "2: |b"]);
}

#[test]
fn a_row_beyond_the_last_is_a_damaged_sheet() {
    let cell = |row: &str| format!(r#"<row r="{row}"><c r="A{row}"><v>1</v></c></row>"#);
    for row in ["1048577", "99999999999"] {
        let file = Parts::with_rows(&["1", "2", row].map(cell).concat());
        let seen = read(&file.zip());
        assert_eq!(seen.records, ["1: 1"]);
        let fault = seen.fault();
        // The row before it may have been cut short, for all that is known.
        let place = Some(Place { sheet: "Data".to_owned(), row: 1 });
        assert!(matches!(&fault, WorkbookFault::Unreadable { place: at, .. } if *at == place), "{row}: {fault:?}");
    }
}

#[test]
fn a_reader_that_is_dropped_ends_its_thread() {
    let rows = "<row><c><v>1</v></c></row>".repeat(200_000);
    let file = Parts::with_rows(&rows).zip();
    run(async {
        let mut table = Table::open(chunked(&file, 65536), Budget::default()).await.unwrap();
        assert!(table.next().await.unwrap().is_some());
    });
    // The runtime is gone, and it waits for its threads.
}

#[test]
fn names_of_sheets_are_fit_to_be_told() {
    let name = format!("a&#10;\u{202e}{}", "b".repeat(100));
    let workbook = WORKBOOK.replace("Data", &name);
    let file = Parts::with_rows("<row><c><v>1</v></c></row>").with("xl/workbook.xml", workbook).zip();
    run(async {
        let table = Table::open(chunked(&file, 1000), Budget::default()).await.unwrap();
        assert_eq!(table.sheet().unwrap().chars().filter(|char| !char.is_alphanumeric()).count(), 1);
        assert_eq!(table.sheet().unwrap().chars().count(), 31);
    });
}
