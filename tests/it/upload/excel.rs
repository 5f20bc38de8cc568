//! Excel workbooks: read as the same table in CSV would be, refused where they are none.

use api::app::Limits;
use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Workbook, Worksheet};
use serde_json::json;
use tests::{Engine, Setup, World};

use super::{ANNUAL, annual, good_row, job_id, nothing_left, predictions, progress, row_errors};

tests::on_both!(
    a_workbook_gives_what_the_same_table_in_csv_gives,
    cells_are_taken_for_what_excel_shows,
    the_first_sheet_that_is_seen_is_read_and_the_log_names_the_others,
    what_is_no_workbook_or_too_much_is_refused_and_leaves_nothing,
);

/// A sheet of these rows, with numbers as numbers.
fn fill(sheet: &mut Worksheet, csv: &str) {
    let mut rows = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(csv.as_bytes());
    for (at, row) in rows.records().enumerate() {
        for (column, cell) in row.unwrap().iter().enumerate() {
            let (at, column) = (u32::try_from(at).unwrap(), u16::try_from(column).unwrap());
            match cell.parse::<f64>() {
                Ok(number) if number.is_finite() => sheet.write_number(at, column, number).unwrap(),
                _ => sheet.write_string(at, column, cell).unwrap(),
            };
        }
    }
}

/// A workbook with this table.
fn workbook(csv: &str) -> Vec<u8> {
    let mut book = Workbook::new();
    fill(book.add_worksheet(), csv);
    book.save_to_buffer().unwrap()
}

async fn a_workbook_gives_what_the_same_table_in_csv_gives(engine: Engine) {
    let csv = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/annual.csv")).unwrap();
    let [by_csv, by_excel] = [World::new(engine).await, World::new(engine).await];
    let first = by_csv.upload("ANNUAL", "a.csv", csv.clone()).await;
    let second = by_excel.upload("ANNUAL", "a.xlsx", workbook(&csv)).await;
    assert_eq!(progress(&by_excel, &second).await, progress(&by_csv, &first).await);
    assert_eq!(row_errors(&by_excel, &second).await, row_errors(&by_csv, &first).await);
    assert_eq!(predictions(&by_excel).await, predictions(&by_csv).await);
    by_excel.check_invariants().await;

    let quarterly = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/quarterly.csv")).unwrap();
    let first = by_csv.upload("QUARTERLY", "q.csv", quarterly.clone()).await;
    // By its content, whatever it is called.
    let second = by_excel.upload("QUARTERLY", "q.csv", workbook(&quarterly)).await;
    assert_eq!(progress(&by_excel, &second).await, progress(&by_csv, &first).await);
    assert_eq!(row_errors(&by_excel, &second).await, row_errors(&by_csv, &first).await);
}

async fn cells_are_taken_for_what_excel_shows(engine: Engine) {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    let rows: Vec<_> = ["A", "B", "C", "D", "E", "F"].iter().map(|symbol| good_row(symbol, 2001)).collect();
    fill(sheet, &format!("{ANNUAL}\n{}\n", rows.join("\n")));
    let day = Format::new().set_num_format("yyyy-mm-dd");
    // The last column of each row, return_on_assets, but for the last row, whose year is a date.
    sheet.write_formula(1, 10, Formula::new("=1+2").set_result("3")).unwrap();
    sheet.write_formula(2, 10, Formula::new("=1/0").set_result("#DIV/0!")).unwrap();
    sheet.write_datetime_with_format(3, 10, ExcelDateTime::from_ymd(2024, 1, 31).unwrap(), &day).unwrap();
    sheet.write_boolean(4, 10, true).unwrap();
    sheet.write_string(5, 10, "n/a").unwrap();
    sheet.write_datetime_with_format(6, 4, ExcelDateTime::from_ymd(2001, 12, 31).unwrap(), &day).unwrap();
    let world = World::new(engine).await;
    let id = world.upload("ANNUAL", "a.xlsx", book.save_to_buffer().unwrap()).await;
    assert_eq!(progress(&world, &id).await, ("COMPLETED".to_owned(), [6, 6, 2, 4]));
    assert_eq!(
        row_errors(&world, &id).await,
        [
            "3 INVALID_VALUE return_on_assets: return_on_assets is \"#DIV/0!\", which is not a number.",
            "4 INVALID_VALUE return_on_assets: return_on_assets is \"2024-01-31\", which is not a number.",
            "5 INVALID_VALUE return_on_assets: return_on_assets is \"TRUE\", which is not a number.",
            "7 INVALID_VALUE reporting_year: reporting_year is \"2001-12-31\", which is not a year from 1900 to 2199.",
        ]
    );
    world.check_invariants().await;
}

async fn the_first_sheet_that_is_seen_is_read_and_the_log_names_the_others(engine: Engine) {
    let mut book = Workbook::new();
    book.add_worksheet().set_name("Hidden").unwrap().set_hidden(true);
    let table = book.add_worksheet();
    table.set_name("Figures").unwrap().set_active(true);
    fill(table, &format!("{}\n{},x\n", ANNUAL.to_owned() + ",note", good_row("A", 2001)));
    book.add_worksheet().set_name("Remarks").unwrap();
    let world = World::new(engine).await;
    let id = world.upload("ANNUAL", "a.xlsx", book.save_to_buffer().unwrap()).await;
    assert_eq!(progress(&world, &id).await, ("COMPLETED".to_owned(), [1, 1, 1, 0]));
    let log = world.file(&id, "log").await;
    assert!(log.contains("Columns that are not read: \"note\".\n"), "{log}");
    assert!(log.contains("The sheet \"Figures\" is read; not read: \"Hidden\", \"Remarks\".\n"), "{log}");
}

async fn what_is_no_workbook_or_too_much_is_refused_and_leaves_nothing(engine: Engine) {
    let limits = Limits { file_rows: 200, ..Limits::default() };
    let world = World::with(engine, Setup { limits, ..Setup::default() }).await;
    let good = workbook(&annual(50));
    let mut elsewhere = Workbook::new();
    elsewhere.add_worksheet().set_name("Cover").unwrap().write_string(0, 0, "Figures of 2024").unwrap();
    fill(elsewhere.add_worksheet(), &annual(3));
    let mut wide = Workbook::new();
    let sheet = wide.add_worksheet();
    for column in 0..16_384 {
        sheet.write_string(0, column, "x").unwrap();
    }
    for (case, file) in [
        ("cut off", good[..good.len() / 2].to_vec()),
        ("an old workbook", [&b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"[..], &[0; 600]].concat()),
        ("the table is not on the first sheet", elsewhere.save_to_buffer().unwrap()),
        ("16,384 columns", wide.save_to_buffer().unwrap()),
        ("too many rows", workbook(&annual(201))),
        ("no row", workbook(&format!("{ANNUAL}\n"))),
        ("an empty sheet", workbook("")),
        ("a zip bomb", bomb()),
    ] {
        let created = world.create("ANNUAL", "file.xlsx", file).await;
        assert_eq!(created["job"], json!(null), "{case}");
        assert_eq!(created["userErrors"][0]["code"], "INVALID_FILE", "{case}");
        let message = created["userErrors"][0]["message"].as_str().unwrap();
        println!("{case}: {message}");
        assert!(message.ends_with('.') && message.len() < 400, "{case}: {message}");
        nothing_left(&world, case).await;
    }
    let id = job_id(&world.create("ANNUAL", "file.xlsx", good).await);
    assert_eq!(world.ended(&id).await, "completed", "the server is well");
}

/// A workbook with more text beside its sheets than is read.
fn bomb() -> Vec<u8> {
    use std::io::Write;
    let book = zip::ZipArchive::new(std::io::Cursor::new(workbook(&annual(1)))).unwrap();
    let mut out = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    out.merge_archive(book).unwrap();
    out.start_file("xl/more.xml", zip::write::SimpleFileOptions::default()).unwrap();
    let spaces = vec![b' '; 1024 * 1024];
    for _ in 0..70 {
        out.write_all(&spaces).unwrap();
    }
    out.finish().unwrap().into_inner()
}
