//! What is in a cell becomes text.

use proptest::prelude::*;
use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Workbook};

use super::*;

#[test]
fn a_workbook_reads_the_same_however_it_is_cut_into_chunks() {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    for (row, cells) in (0..).zip([["a", "b"], ["1", "é"], ["", "x\ny"], [" 2 ", "_x0041_&amp;<"]]) {
        for (column, cell) in (0..).zip(cells) {
            sheet.write_string(row, column, cell).unwrap();
        }
    }
    let file = workbook.save_to_buffer().unwrap();
    for size in [1, 2, 3, 7, 100, 4096, file.len()] {
        let records = read_as(&file, size, Budget::default()).whole();
        assert_eq!(records, ["1: a|b", "2: 1|é", "3: |x\ny", "4:  2 |_x0041_&amp;<"], "chunks of {size}");
    }
}

#[test]
fn a_csv_file_reads_as_ever() {
    let file = b"\xEF\xBB\xBFa;b\r\n1;\"x\ny\"\r\n\r\n2;PK";
    for size in 1..=file.len() {
        assert_eq!(
            read_as(file, size, Budget::default()).whole(),
            ["1: a|b", "2: 1|x\ny", "5: 2|PK"],
            "chunks of {size}"
        );
    }
    assert_eq!(read(b"").whole(), Vec::<String>::new());
}

#[test]
fn values_become_the_text_that_a_csv_file_would_have() {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    let date = Format::new().set_num_format("yyyy-mm-dd");
    let local = Format::new().set_num_format("[$-409]d\\ mmm\\ yyyy");
    let duration = Format::new().set_num_format("[h]:mm:ss");
    let money = Format::new().set_num_format("[Red]#,##0.00 \"USD\"");
    for (column, name) in (0..).zip(["number", "date", "other"]) {
        sheet.write(0, column, name).unwrap();
    }
    sheet.write(1, 0, 2023).unwrap();
    sheet.write_with_format(1, 1, ExcelDateTime::from_ymd(2024, 1, 31).unwrap(), &date).unwrap();
    sheet.write(1, 2, true).unwrap();
    sheet.write(2, 0, 100_000_000.0).unwrap();
    let noon = ExcelDateTime::from_ymd(2024, 1, 31).unwrap().and_hms(10, 30, 0).unwrap();
    sheet.write_with_format(2, 1, &noon, &local).unwrap();
    sheet.write(2, 2, false).unwrap();
    sheet.write_with_format(3, 0, -24.1825, &money).unwrap();
    sheet.write_with_format(3, 1, 1.5, &duration).unwrap();
    sheet.write(3, 2, Formula::new("1/0").set_result("#DIV/0!")).unwrap();
    sheet.write(4, 0, Formula::new("A2*2").set_result("4046")).unwrap();
    sheet.write(4, 1, Formula::new("\"x\"&\"y\"").set_result("xy & z")).unwrap();
    sheet.write(4, 2, 1e300).unwrap();
    let file = workbook.save_to_buffer().unwrap();
    assert_eq!(
        read(&file).whole(),
        [
            "1: number|date|other",
            "2: 2023|2024-01-31|TRUE",
            "3: 100000000|2024-01-31 10:30:00|FALSE",
            "4: -24.1825|36:00:00|#DIV/0!",
            "5: 4046|xy & z|1e300",
        ]
    );
}

#[test]
fn a_formula_is_what_it_gave_when_the_workbook_was_saved() {
    let file = Parts::with_rows(
        r#"<row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c><c r="B1" t="str"><f>"b"</f><v>b</v></c></row>
        <row r="2"><c r="A2" t="str"><f>""</f><v></v></c><c r="B2"><f>1+1</f><v>2</v></c></row>
        <row r="3"><c r="A3" t="e"><f>NA()</f><v>#N/A</v></c><c r="B3"><v/></c></row>"#,
    );
    assert_eq!(read(&file.zip()).whole(), ["1: a|b", "2: |2", "3: #N/A|"]);
}

#[test]
fn a_workbook_whose_formulas_were_never_calculated_is_refused() {
    for cell in
        [r#"<c r="B7"><f>1+1</f></c>"#, r#"<c s="1" r="B7"><f>1+1</f><v/></c>"#, r"<c r='B7'><f>1</f><v></v></c>"]
    {
        let file = Parts::with_rows(&format!(r#"<row r="7"><c r="A7"><v>1</v></c>{cell}</row>"#));
        let fault = read(&file.zip()).fault();
        assert_eq!(fault, WorkbookFault::Uncalculated("B7".to_owned()), "{cell}");
        let told = "The workbook has a formula without a stored value in cell B7; open it in Excel, save it, and send it again.";
        assert_eq!(fault.to_string(), told);
    }
}

#[test]
fn dates_may_be_counted_from_1904() {
    let styles = r#"<styleSheet><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>"#;
    let workbook = WORKBOOK.replace("<sheets>", r#"<workbookPr date1904="1"/><sheets>"#);
    let file = Parts::with_rows(r#"<row r="1"><c r="A1" s="1"><v>43860</v></c></row>"#)
        .with("xl/styles.xml", styles)
        .with("xl/workbook.xml", workbook);
    assert_eq!(read(&file.zip()).whole(), ["1: 2024-01-31"]);
}

/// A header of `width` names, and rows of texts, none of them empty as a whole.
fn tables() -> impl Strategy<Value = Vec<Vec<String>>> {
    (1..8_usize).prop_flat_map(|width| {
        let header = prop::collection::vec("[a-z]{1,8}", width);
        let cell = "[ -~éß€😀\n]{0,12}";
        let row = ("[ -~]{1,5}", prop::collection::vec(cell, width - 1)).prop_map(|(first, mut cells)| {
            cells.insert(0, first);
            cells
        });
        (header, prop::collection::vec(row, 0..12)).prop_map(|(header, mut rows)| {
            rows.insert(0, header);
            rows
        })
    })
}

fn cells_of(file: &[u8]) -> Vec<String> {
    let records = read(file).whole();
    records.into_iter().map(|record| record.split_once(": ").unwrap().1.to_owned()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn a_table_of_texts_reads_the_same_from_a_workbook_and_from_csv(table in tables()) {
        let mut workbook = Workbook::new();
        let sheet = workbook.add_worksheet();
        let mut csv = csv::Writer::from_writer(Vec::new());
        for (row, cells) in (0..).zip(&table) {
            csv.write_record(cells).unwrap();
            for (column, cell) in (0..).zip(cells) {
                sheet.write_string(row, column, cell).unwrap();
            }
        }
        let from_csv = cells_of(&csv.into_inner().unwrap());
        prop_assert_eq!(cells_of(&workbook.save_to_buffer().unwrap()), from_csv);
    }
}
