//! A bad row is recorded with its line, its column and what is wrong, on both databases alike; the rows around it are
//! stored, whatever the file's line ends, marks and quotes.

use tests::{Engine, World};

use super::{ANNUAL, QUARTERLY, good_row, lines, predictions, progress, row_errors};

tests::on_both!(
    each_bad_row_is_recorded_with_its_line_and_column_and_the_rest_is_stored,
    bad_rows_of_a_quarterly_file_are_recorded_alike,
    a_file_reads_the_same_whatever_its_ends_of_lines_marks_and_columns,
    a_file_that_is_cut_off_stores_what_is_whole,
    a_job_without_a_good_row_has_failed,
);

/// A good row with one cell changed, by its place.
fn with(symbol: &str, place: usize, cell: &str) -> String {
    let row = good_row(symbol, 2020);
    let mut cells: Vec<&str> = row.split(',').collect();
    cells[place] = cell;
    cells.join(",")
}

async fn each_bad_row_is_recorded_with_its_line_and_column_and_the_rest_is_stored(engine: Engine) {
    let world = World::new(engine).await;
    let long = |length: usize| "ß".repeat(length);
    let huge = "x".repeat(10_000_000);
    let rows = [
        good_row("GOOD1", 2020),
        with("", 0, " "),
        with("X", 0, &long(21)),
        with("X", 1, &long(256)),
        with("X", 3, &long(101)),
        with(&long(20), 1, &long(255)),
        with("LONG", 3, &long(100)),
        with("X", 1, "a\0b"),
        with("X", 2, ""),
        with("X", 2, "-1"),
        with("X", 2, "1e18"),
        with("X", 2, "a lot"),
        with("X", 4, ""),
        with("X", 4, "20"),
        with("X", 4, "1899"),
        with("X", 4, "2020.0"),
        with("X", 5, "Q5"),
        with("NOQUARTER", 5, ""),
        with("X", 6, "NaN"),
        with("X", 6, "inf"),
        with("X", 7, "-Infinity"),
        with("X", 8, "0x10"),
        with("X", 9, "\"1,000\""),
        with("X", 9, "a\0b"),
        with("X", 10, "1e20"),
        with("X", 10, "-1e20"),
        with("X", 10, &"9".repeat(400)),
        with("BILLION", 10, "1e9"),
        with("MISSING", 10, "n/a"),
        with("X", 1, "\"two\nlines\"") + ",too many",
        with("QUOTED", 1, "\"three\n\n\"\"lines\"\"\""),
        "X,too few".to_owned(),
        String::new(),
        good_row("X", 2020) + ",",
        with("X", 1, &huge),
        with("X", 1, &",".repeat(2000)),
        good_row("GOOD2", 2020),
    ];
    let mut file = lines(rows).into_bytes();
    file.extend(b"X\xFF,not text,1,Industrials,2020,Q4,1,1,1,1,1\n");
    file.extend(good_row("GOOD2", 2020).bytes());
    file.extend(b"\nX,\"never closed,1,Industrials,2020,Q4,1,1,1,1,1\nX");
    let id = world.upload("ANNUAL", "a.csv", file).await;
    on_both_alike!(row_errors(&world, &id).await.join("\n"), @r#"
    3 MISSING_VALUE company_symbol: company_symbol is empty.
    4 INVALID_VALUE company_symbol: company_symbol has more than 20 characters.
    5 INVALID_VALUE company_name: company_name has more than 255 characters.
    6 INVALID_VALUE sector: sector has more than 100 characters.
    9 INVALID_VALUE company_name: company_name is "a b", which is not text.
    10 MISSING_VALUE market_cap: market_cap is empty.
    11 INVALID_VALUE market_cap: market_cap is "-1", which is not a number of dollars from 0.
    12 OUT_OF_RANGE market_cap: market_cap is "1e18", which is out of range: below 1000000000000000000 is allowed.
    13 INVALID_VALUE market_cap: market_cap is "a lot", which is not a number.
    14 MISSING_VALUE reporting_year: reporting_year is empty.
    15 INVALID_VALUE reporting_year: reporting_year is "20", which is not a year from 1900 to 2199.
    16 INVALID_VALUE reporting_year: reporting_year is "1899", which is not a year from 1900 to 2199.
    17 INVALID_VALUE reporting_year: reporting_year is "2020.0", which is not a year from 1900 to 2199.
    18 INVALID_VALUE reporting_quarter: reporting_quarter is "Q5", which is not one of Q1, Q2, Q3, Q4.
    20 INVALID_VALUE long_term_debt_to_total_capital: long_term_debt_to_total_capital is "NaN", which is not a number.
    21 INVALID_VALUE long_term_debt_to_total_capital: long_term_debt_to_total_capital is "inf", which is not a number.
    22 INVALID_VALUE total_debt_to_ebitda: total_debt_to_ebitda is "-Infinity", which is not a number.
    23 INVALID_VALUE net_income_margin: net_income_margin is "0x10", which is not a number.
    24 INVALID_VALUE ebit_to_interest_expense: ebit_to_interest_expense is "1,000", which is not a number.
    25 INVALID_VALUE ebit_to_interest_expense: ebit_to_interest_expense is "a b", which is not a number.
    26 OUT_OF_RANGE return_on_assets: return_on_assets is "1e20", which is out of range: below 10000000000000000 is allowed.
    27 OUT_OF_RANGE return_on_assets: return_on_assets is "-1e20", which is out of range: below 10000000000000000 is allowed.
    28 OUT_OF_RANGE return_on_assets: return_on_assets is "9999999999999999999999999999999999999999…", which is out of range: below 10000000000000000 is allowed.
    31 MALFORMED -: The row has 12 cells, the header 11.
    36 MALFORMED -: The row has 2 cells, the header 11.
    38 MALFORMED -: The row has 12 cells, the header 11.
    39 MALFORMED -: The row is longer than 64 kB or has more than 1,024 cells.
    40 MALFORMED -: The row is longer than 64 kB or has more than 1,024 cells.
    42 MALFORMED -: The row is not UTF-8 text.
    43 DUPLICATE -: GOOD2 already has a prediction for Q4 2020.
    44 MALFORMED -: The row opens a quote that is never closed.
    "#);
    let symbols = "SELECT symbol FROM companies ORDER BY symbol";
    let symbols: Vec<_> =
        world.rows(symbols).await.iter().map(|row| row["symbol"].as_str().unwrap().to_owned()).collect();
    assert_eq!(symbols.join(" "), ["BILLION GOOD1 GOOD2 LONG MISSING NOQUARTER QUOTED", &long(20)].join(" "));
    assert_eq!(world.count("SELECT count(*) FROM annual_predictions").await, 8);
    let billion = "SELECT count(*) FROM annual_predictions WHERE return_on_assets = 1000000000";
    assert_eq!(world.count(billion).await, 1);
    let (status, [total, processed, ..]) = progress(&world, &id).await;
    assert_eq!((status.as_str(), total), ("COMPLETED", processed));
    world.check_invariants().await;
}

async fn bad_rows_of_a_quarterly_file_are_recorded_alike(engine: Engine) {
    let world = World::new(engine).await;
    let rows = [
        "A,Company A,Tech,1,2020,q1,1,2,3,4",
        "A,Company A,Tech,1,2020,,1,2,3,4",
        "A,Company A,Tech,1,2020,4,1,2,3,4",
        "A,Company A,Tech,1,2020,Q1,1,2,3,5",
        "A,Company A,Tech,1,2020,Q2,,,,",
    ];
    let id = world.upload("QUARTERLY", "q.csv", format!("{QUARTERLY}\n{}", rows.join("\n"))).await;
    on_both_alike!(row_errors(&world, &id).await.join("\n"), @r#"
    3 MISSING_VALUE reporting_quarter: reporting_quarter is empty.
    4 INVALID_VALUE reporting_quarter: reporting_quarter is "4", which is not one of Q1, Q2, Q3, Q4.
    5 DUPLICATE -: A already has a prediction for Q1 2020.
    "#);
    assert_eq!(progress(&world, &id).await, ("COMPLETED".to_owned(), [5, 5, 2, 3]));
    world.check_invariants().await;
}

async fn a_file_reads_the_same_whatever_its_ends_of_lines_marks_and_columns(engine: Engine) {
    let rows = [
        good_row("A", 2020),
        good_row("A", 2020),
        with("B", 1, "\"two\nlines\""),
        good_row("B", 2020),
        with("C", 4, "x"),
        good_row("C", 2021),
    ];
    let plain = lines(&rows);
    let shuffled = |row: &str| {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(row.as_bytes());
        let cells = reader.records().next().unwrap().unwrap();
        let quote = |cell: &str| format!("\" {cell} \"");
        cells.iter().rev().map(quote).chain(["unknown".to_owned()]).collect::<Vec<_>>().join(",")
    };
    let header = shuffled(ANNUAL).to_uppercase().replace("UNKNOWN", "notes");
    let reordered = rows.iter().fold(header, |file, row| file + "\n" + &shuffled(row));
    let mut outcomes = Vec::new();
    for file in [
        plain.clone(),
        plain.replace('\n', "\r\n"),
        plain.replace('\n', "\r"),
        format!("\u{feff}{}", plain.replace('\n', "\r\n")),
        plain.trim_end().to_owned(),
        reordered,
    ] {
        let world = World::new(engine).await;
        let id = world.upload("ANNUAL", "a.csv", file).await;
        world.check_invariants().await;
        outcomes.push((progress(&world, &id).await, row_errors(&world, &id).await, predictions(&world).await));
    }
    on_both_alike!(outcomes[0].1.join("\n"), @r#"
    3 DUPLICATE -: A already has a prediction for Q4 2020.
    6 DUPLICATE -: B already has a prediction for Q4 2020.
    7 INVALID_VALUE reporting_year: reporting_year is "x", which is not a year from 1900 to 2199.
    "#);
    assert_eq!(outcomes[0].0, ("COMPLETED".to_owned(), [6, 6, 3, 3]));
    for outcome in &outcomes[1..] {
        assert_eq!(outcome, &outcomes[0]);
    }
}

async fn a_file_that_is_cut_off_stores_what_is_whole(engine: Engine) {
    let whole = lines([good_row("A", 2020), good_row("B", 2020)]);
    let quoted = lines([good_row("A", 2020), with("B", 1, "\"B, Inc.\"")]);
    let cut = |file: &str, at: &str| file[..file.find(at).unwrap() + at.len()].to_owned();
    let mut seen = Vec::new();
    for file in [cut(&whole, "Company B"), cut(&quoted, "\"B, I"), cut(&whole, "B,Company B,1000000,Ind")] {
        let world = World::new(engine).await;
        let id = world.upload("ANNUAL", "a.csv", file).await;
        assert_eq!(progress(&world, &id).await, ("COMPLETED".to_owned(), [2, 2, 1, 1]));
        seen.extend(row_errors(&world, &id).await);
        world.check_invariants().await;
    }
    on_both_alike!(seen.join("\n"), @r"
    3 MALFORMED -: The row has 2 cells, the header 11.
    3 MALFORMED -: The row opens a quote that is never closed.
    3 MALFORMED -: The row has 4 cells, the header 11.
    ");
}

async fn a_job_without_a_good_row_has_failed(engine: Engine) {
    let world = World::new(engine).await;
    let id = world.upload("ANNUAL", "a.csv", lines([with("A", 4, ""), with("A", 4, "1")])).await;
    assert_eq!(progress(&world, &id).await, ("FAILED".to_owned(), [2, 2, 0, 2]));
    let query = "query($id: ID!) { job(id: $id) { errorMessage } }";
    let job = world.data(query, serde_json::json!({ "id": id })).await;
    on_both_alike!(job["job"]["errorMessage"].as_str().unwrap(), @"No row could be stored: each of the 2 rows has an error.");
    let id = world.upload("ANNUAL", "a.csv", lines([with("A", 4, "")])).await;
    let job = world.data(query, serde_json::json!({ "id": id })).await;
    on_both_alike!(job["job"]["errorMessage"].as_str().unwrap(), @"No row could be stored: the only row has an error.");
    world.check_invariants().await;
}
