//! A file that is no table of the kind is refused with one sentence that names the line; nothing of it is left, and the
//! refusal is in the audit log. A failure before the job is written leaves nothing either.

use api::{
    app::Limits,
    checkpoint::{Checkpoint, Checkpoints},
    error::Error,
};
use serde_json::json;
use tests::{Engine, Setup, World, multipart};

use super::{ANNUAL, QUARTERLY, annual, good_row, job_id, lines, nothing_left};

tests::on_both!(
    a_file_that_is_no_table_of_the_kind_is_refused_and_leaves_nothing,
    a_failure_before_the_job_is_written_leaves_nothing_and_is_masked,
    a_file_name_is_never_a_path_and_is_cut_to_what_the_table_holds,
    a_kind_that_does_not_exist_leaves_no_file,
);

/// The most rows of a file in these tests.
const ROWS: u64 = 200;

fn bad_files() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let row = good_row("ACME", 2020);
    let utf16: Vec<u8> =
        "\u{feff}".chars().chain(ANNUAL.chars()).flat_map(|char| (char as u16).to_le_bytes()).collect();
    vec![
        ("empty", "ANNUAL", vec![]),
        ("only a byte order mark", "ANNUAL", b"\xEF\xBB\xBF".to_vec()),
        ("only ends of lines", "ANNUAL", b"\n\r\n\r\r\n".to_vec()),
        ("header without an end", "ANNUAL", ANNUAL.into()),
        ("header only", "ANNUAL", format!("{ANNUAL}\n\n").into()),
        ("no header", "ANNUAL", row.clone().into()),
        ("one column missing", "ANNUAL", format!("{}\n{row}\n", ANNUAL.replace("sector", "branch")).into()),
        ("four columns missing", "ANNUAL", "company_symbol;reporting_quarter,sector,market_cap,total_debt_to_ebitda,net_income_margin,ebit_to_interest_expense,return_on_assets\n".into()),
        ("quarterly file as annual", "ANNUAL", format!("{QUARTERLY}\nA,B,C,1,2020,Q1,1,1,1,1\n").into()),
        ("annual file as quarterly", "QUARTERLY", annual(3).into()),
        ("quarter missing", "QUARTERLY", format!("{}\nA,B,C,1,2020,Q1,1,1,1,1\n", QUARTERLY.replace("_quarter", "")).into()),
        ("columns twice", "ANNUAL", format!("{ANNUAL},Sector,MARKET_CAP\n{row},x,1\n").into()),
        ("header after empty lines", "ANNUAL", format!("\r\n\n{}\n{row}\n", ANNUAL.replace("sector", "")).into()),
        ("header that is not UTF-8", "ANNUAL", [ANNUAL.as_bytes(), b",\xFF\n", row.as_bytes()].concat()),
        ("UTF-16", "ANNUAL", utf16),
        ("PNG", "ANNUAL", b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR\0\0\0\x01".to_vec()),
        ("zip", "ANNUAL", b"PK\x03\x04\x14\0\0\0\x08\0docProps/app.xml".to_vec()),
        ("open quote in the header", "ANNUAL", format!("\"{ANNUAL}\n{row}\n").into()),
        ("10 MB on one line", "ANNUAL", vec![b'x'; 10_000_000]),
        ("10 MB of commas on one line", "ANNUAL", vec![b','; 10_000_000]),
        ("too many rows", "ANNUAL", annual(201).into()),
    ]
}

async fn a_file_that_is_no_table_of_the_kind_is_refused_and_leaves_nothing(engine: Engine) {
    let limits = Limits { file_rows: ROWS, ..Limits::default() };
    let world = World::with(engine, Setup { limits, ..Setup::default() }).await;
    let mut seen = Vec::new();
    for (case, kind, file) in bad_files() {
        let created = world.create(kind, "file.csv", file).await;
        assert_eq!(created["job"], json!(null), "{case}");
        let error = &created["userErrors"][0];
        let field: Vec<_> = error["field"].as_array().unwrap().iter().filter_map(|step| step.as_str()).collect();
        let [code, message] = ["code", "message"].map(|part| error[part].as_str().unwrap());
        seen.push(format!("{case}: {code} {} {message}", field.join(".")));
        nothing_left(&world, case).await;
    }
    on_both_alike!(seen.join("\n"), @r"
    empty: INVALID_FILE input.source.file The file is empty.
    only a byte order mark: INVALID_FILE input.source.file The file is empty.
    only ends of lines: INVALID_FILE input.source.file The file is empty.
    header without an end: INVALID_FILE input.source.file The file has a header but no data row.
    header only: INVALID_FILE input.source.file The file has a header but no data row.
    no header: INVALID_FILE input.source.file Line 1 lacks the columns company_symbol, company_name, market_cap, sector, reporting_year, long_term_debt_to_total_capital, total_debt_to_ebitda, net_income_margin, ebit_to_interest_expense, return_on_assets.
    one column missing: INVALID_FILE input.source.file Line 1 lacks the column sector.
    four columns missing: INVALID_FILE input.source.file Line 1 lacks the columns company_symbol, company_name, reporting_year, long_term_debt_to_total_capital.
    quarterly file as annual: INVALID_FILE input.source.file Line 1 lacks the columns net_income_margin, ebit_to_interest_expense, return_on_assets.
    annual file as quarterly: INVALID_FILE input.source.file Line 1 lacks the columns sga_margin, return_on_capital.
    quarter missing: INVALID_FILE input.source.file Line 1 lacks the column reporting_quarter.
    columns twice: INVALID_FILE input.source.file Line 1 names the columns market_cap, sector twice.
    header after empty lines: INVALID_FILE input.source.file Line 3 lacks the column sector.
    header that is not UTF-8: INVALID_FILE input.source.file Line 1 is not UTF-8 text; send a CSV or Excel file with a header.
    UTF-16: INVALID_FILE input.source.file Line 1 is not UTF-8 text; send a CSV or Excel file with a header.
    PNG: INVALID_FILE input.source.file Line 1 is not UTF-8 text; send a CSV or Excel file with a header.
    zip: INVALID_FILE input.source.file The file cannot be read as an Excel workbook.
    open quote in the header: INVALID_FILE input.source.file Line 1 opens a quote that is never closed; send a CSV or Excel file with a header.
    10 MB on one line: INVALID_FILE input.source.file Line 1 is longer than 64 kB or has more than 1,024 cells; send a CSV or Excel file with a header.
    10 MB of commas on one line: INVALID_FILE input.source.file Line 1 is longer than 64 kB or has more than 1,024 cells; send a CSV or Excel file with a header.
    too many rows: INVALID_FILE input.source.file The file has more than 200 rows; split it.
    ");
    let refused = "SELECT count(*) FROM audit_log WHERE action = 'create_job' AND outcome = 'refused'
        AND code = 'INVALID_FILE' AND detail IS NOT NULL AND target_id IS NULL AND request_id IS NOT NULL";
    assert_eq!(world.count(refused).await, i64::try_from(seen.len()).unwrap());
    world.check_invariants().await;
    // The limits themselves are allowed.
    world.upload("ANNUAL", "file.csv", annual(200)).await;
}

async fn a_failure_before_the_job_is_written_leaves_nothing_and_is_masked(engine: Engine) {
    let checkpoints = Checkpoints::hooked(|at| {
        Box::pin(async move {
            if at == Checkpoint::JobBeforeInsert { Err(Error::Injected("a secret place")) } else { Ok(()) }
        })
    });
    let world = World::with(engine, Setup { checkpoints, ..Setup::default() }).await;
    let response = multipart(world.post(), "ANNUAL", "a.csv", annual(3).into()).await;
    let answer: serde_json::Value = response.json().await.unwrap();
    assert_eq!(answer["data"], json!({ "createJob": null }));
    let error = &answer["errors"][0];
    assert_eq!(error["extensions"]["code"], "INTERNAL_SERVER_ERROR");
    assert!(error["extensions"]["requestId"].is_string());
    assert!(!answer.to_string().contains("secret"), "{answer}");
    nothing_left(&world, "a failure").await;
    world.check_invariants().await;
}

async fn a_file_name_is_never_a_path_and_is_cut_to_what_the_table_holds(engine: Engine) {
    // No worker: a job has its input alone.
    let world = World::with(engine, Setup { idle: true, ..Setup::default() }).await;
    let long = "é".repeat(400) + ".csv";
    let names = [
        ("../../../tmp/x.csv", "x.csv".to_owned()),
        ("C:\\data\\y.csv", "y.csv".to_owned()),
        ("..", "upload.csv".to_owned()),
        ("a/", "upload.csv".to_owned()),
        (&long, "é".repeat(255)),
    ];
    for (number, (given, kept)) in names.into_iter().enumerate() {
        let id = job_id(&world.create("ANNUAL", given, lines([good_row("A", 1950 + number)])).await);
        let query = "query($id: ID!) { job(id: $id) { fileName artifacts { name } } }";
        let job = world.data(query, json!({ "id": id })).await["job"].take();
        assert_eq!(job, json!({ "fileName": kept, "artifacts": [{ "name": kept }] }), "{given}");
    }
    for key in world.app.store.keys().await.unwrap() {
        let ids: Vec<_> = key.split('/').collect();
        assert!(
            matches!(ids[..], ["jobs", job, "input" | "output", artifact] if job.len() == 36 && artifact.len() == 36),
            "{key}"
        );
    }
    world.check_invariants().await;
}

async fn a_kind_that_does_not_exist_leaves_no_file(engine: Engine) {
    let world = World::new(engine).await;
    let response = multipart(world.post(), "MONTHLY", "a.csv", annual(3).into()).await;
    let answer: serde_json::Value = response.json().await.unwrap();
    let error = &answer["errors"][0];
    let seen = format!("{} {}", error["extensions"]["code"].as_str().unwrap(), error["message"].as_str().unwrap());
    on_both_alike!(seen, @r#"BAD_USER_INPUT Variable "$kind" is wrong: one of ANNUAL, QUARTERLY is expected."#);
    nothing_left(&world, "no kind").await;
}
