//! Files in: scored, stored, refused with a clear reason, and finished whatever happens to the server.

/// A snapshot in its place, the same on both databases.
macro_rules! on_both_alike {
    ($text:expr, @$snapshot:literal) => {{
        let text = $text;
        insta::allow_duplicates! { insta::assert_snapshot!(text, @$snapshot) }
    }};
}

mod bad_files;
mod bad_rows;
mod concurrent;
mod excel;
mod interrupted;
mod program;
mod requests;
mod resume;
mod scoring;
mod stopping;

use std::path::Path;

use serde_json::{Value, json};
use tests::World;

pub const ANNUAL: &str = "company_symbol,company_name,market_cap,sector,reporting_year,reporting_quarter,long_term_debt_to_total_capital,total_debt_to_ebitda,net_income_margin,ebit_to_interest_expense,return_on_assets";
pub const QUARTERLY: &str = "company_symbol,company_name,sector,market_cap,reporting_year,reporting_quarter,total_debt_to_ebitda,sga_margin,long_term_debt_to_total_capital,return_on_capital";

/// An annual file: `rows` rows that can all be stored, of a company for each fifty years.
pub fn annual(rows: usize) -> String {
    lines((0..rows).map(|row| good_row(&format!("S{}", row / 50), 1950 + row % 50)))
}

/// An annual file of these rows.
pub fn lines(rows: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    rows.into_iter().fold(format!("{ANNUAL}\n"), |file, row| file + row.as_ref() + "\n")
}

/// A row that can be stored.
pub fn good_row(symbol: &str, year: usize) -> String {
    format!("{symbol},Company {symbol},1000000,Industrials,{year},Q4,10,1,5,10,3")
}

/// The id of the job that a payload of `createJob` names.
pub fn job_id(created: &Value) -> String {
    created["job"]["id"].as_str().unwrap_or_else(|| panic!("no job: {created}")).to_owned()
}

/// `total processed succeeded failed` of a job, and its status.
pub async fn progress(world: &World, id: &str) -> (String, [i64; 4]) {
    let query = "query($id: ID!) { job(id: $id) { status progress { total processed succeeded failed } } }";
    let job = world.data(query, json!({ "id": id })).await["job"].take();
    let counts = ["total", "processed", "succeeded", "failed"].map(|count| job["progress"][count].as_i64().unwrap());
    (job["status"].as_str().unwrap().to_owned(), counts)
}

/// All row errors of a job, each as `line CODE column: message`.
pub async fn row_errors(world: &World, id: &str) -> Vec<String> {
    let query = "query($id: ID!, $after: String) { job(id: $id) { rowErrors(first: 100, after: $after) {
        pageInfo { hasNextPage endCursor } nodes { line column code message } } } }";
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = world.data(query, json!({ "id": id, "after": after })).await["job"]["rowErrors"].take();
        for row in page["nodes"].as_array().unwrap() {
            let column = row["column"].as_str().unwrap_or("-");
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            seen.push(format!("{} {} {column}: {}", row["line"], text("code"), text("message")));
        }
        if page["pageInfo"]["hasNextPage"] == false {
            return seen;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

/// Every file below the store's folder, the store's own temporary ones too.
pub fn files_on_disk(world: &World) -> Vec<String> {
    fn walk(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                walk(&entry.path(), found);
            } else {
                found.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
    }
    let mut found = Vec::new();
    walk(&world.artifacts, &mut found);
    found
}

/// Nothing of an upload is left: no job, no prediction, no company, no file.
pub async fn nothing_left(world: &World, case: &str) {
    for table in ["bulk_upload_jobs", "artifacts", "row_errors", "annual_predictions", "companies"] {
        assert_eq!(world.count(&format!("SELECT count(*) FROM {table}")).await, 0, "{case}: rows in {table}");
    }
    assert_eq!(world.app.store.keys().await.unwrap(), Vec::<String>::new(), "{case}");
    assert_eq!(files_on_disk(world), Vec::<String>::new(), "{case}");
}

/// Each stored prediction as text, without what differs from run to run, in order.
pub async fn predictions(world: &World) -> Vec<String> {
    let sql = "SELECT c.symbol, p.reporting_year, p.reporting_quarter, p.probability, p.risk_level, p.confidence,
        p.return_on_assets, p.job_link FROM annual_predictions p JOIN companies c ON c.id = p.company_id";
    let mut rows: Vec<String> = world.rows(sql).await.iter().map(ToString::to_string).collect();
    rows.sort();
    rows
}
