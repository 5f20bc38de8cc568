//! Scores are those of the scorecards to 1e-9, and what is stored is what was scored: the first row of each company and
//! period, rounded as the columns are; each later one is a row error with its line.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    path::PathBuf,
};

use api::predictions::row::Columns;
use artifacts::csv::CsvReader;
use entity::{annual_prediction, company, quarterly_prediction, stored::Kind};
use sea_orm::{EntityTrait, prelude::Decimal};
use tests::{Engine, World};

use super::{progress, row_errors};

tests::on_both!(
    annual_rows_at_the_ends_of_the_bins_score_as_computed_apart,
    quarterly_rows_at_the_ends_of_the_bins_score_as_computed_apart,
    real_files_give_what_they_must,
);

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");
/// How far a probability may be off.
const TOLERANCE: f64 = 1e-9;

async fn annual_rows_at_the_ends_of_the_bins_score_as_computed_apart(engine: Engine) {
    let read = |name: &str| std::fs::read_to_string(format!("{FIXTURES}/{name}.csv")).unwrap();
    assert_eq!(gives(engine, Kind::Annual, &read("annual"), &read("annual_expected")).await, 1);
}

async fn quarterly_rows_at_the_ends_of_the_bins_score_as_computed_apart(engine: Engine) {
    let read = |name: &str| std::fs::read_to_string(format!("{FIXTURES}/{name}.csv")).unwrap();
    assert_eq!(gives(engine, Kind::Quarterly, &read("quarterly"), &read("quarterly_expected")).await, 1);
}

/// The real files are not part of the project; where they lie beside it they are checked too.
async fn real_files_give_what_they_must(engine: Engine) {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data"));
    let mut huge = (0, 0);
    for name in ["annual_1", "annual_2", "annual_3", "quarterly_1", "quarterly_2", "quarterly_3"] {
        let read = |path: String| std::fs::read_to_string(folder.join(path)).ok();
        let Some((file, expected)) = read(format!("{name}.csv")).zip(read(format!("expected/{name}.csv"))) else {
            eprintln!("the real file {name} is not here");
            return;
        };
        let kind = if name.starts_with("annual") { Kind::Annual } else { Kind::Quarterly };
        huge.0 += file.lines().filter(|line| line.contains(",100000000.0")).count();
        huge.1 += gives(engine, kind, &file, &expected).await;
    }
    // One of the rows repeats an earlier period.
    assert_eq!(huge, (14, 13), "rows with 100000000.0, and how many of them are stored");
}

/// What a row of the file must be in the database.
#[derive(Debug, PartialEq)]
struct Wanted {
    ratios: Vec<Option<f64>>,
    probability: f64,
    level: String,
}

/// Uploads a file to a fresh database and checks each of its rows; answers how many stored rows hold 100000000.0.
async fn gives(engine: Engine, kind: Kind, file: &str, expected: &str) -> usize {
    let expected: Vec<(String, String, String, f64, String)> =
        csv::Reader::from_reader(expected.as_bytes()).deserialize().map(Result::unwrap).collect();
    every_row_scores(kind, file, &expected).await;

    let world = World::new(engine).await;
    let mut reader = csv::Reader::from_reader(file.as_bytes());
    let columns: HashMap<String, usize> =
        reader.headers().unwrap().iter().enumerate().map(|(place, name)| (name.to_owned(), place)).collect();
    let (mut wanted, mut companies, mut duplicates) = (HashMap::new(), HashMap::new(), HashSet::new());
    for (row, (symbol, year, quarter, probability, level)) in reader.records().map(Result::unwrap).zip(&expected) {
        let cell = |column: &str| row[columns[column]].to_owned();
        let ratio = |name: &&str| row[columns[*name]].parse::<f64>().ok();
        assert_eq!(
            [symbol, year, quarter].map(String::as_str),
            [&cell("company_symbol"), &cell("reporting_year"), &cell("reporting_quarter")]
        );
        companies.entry(symbol.clone()).or_insert((
            cell("company_name"),
            cell("sector"),
            cell("market_cap").parse().unwrap(),
        ));
        let ratios = ratios(kind).iter().map(ratio).collect();
        // Half away from zero, as `round` rounds.
        let probability = (probability * 10_000.0).round() / 10_000.0;
        let period = (symbol.clone(), year.clone(), quarter.clone());
        match wanted.entry(period) {
            Entry::Vacant(entry) => {
                entry.insert(Wanted { ratios, probability, level: level.clone() });
            }
            Entry::Occupied(_) => {
                let line = row.position().unwrap().line();
                let message = format!("{symbol} already has a prediction for {quarter} {year}.");
                duplicates.insert(format!("{line} DUPLICATE -: {message}"));
            }
        }
    }

    let id = world.upload(&kind.as_stored().to_uppercase(), "file.csv", file).await;
    let count = |rows: usize| i64::try_from(rows).unwrap();
    let counts = [expected.len(), expected.len(), wanted.len(), duplicates.len()].map(count);
    assert_eq!(progress(&world, &id).await, ("COMPLETED".to_owned(), counts));
    assert_eq!(row_errors(&world, &id).await.into_iter().collect::<HashSet<_>>(), duplicates);
    let found = stored(&world, kind, &id, &companies).await;
    assert_eq!(found.len(), wanted.len());
    for (period, row) in &found {
        assert_eq!(row, &wanted[period], "{period:?}");
    }
    world.check_invariants().await;
    found.values().filter(|row| row.ratios.contains(&Some(100_000_000.0))).count()
}

fn ratios(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Annual => &[
            "long_term_debt_to_total_capital",
            "total_debt_to_ebitda",
            "net_income_margin",
            "ebit_to_interest_expense",
            "return_on_assets",
        ],
        Kind::Quarterly => {
            &["total_debt_to_ebitda", "sga_margin", "long_term_debt_to_total_capital", "return_on_capital"]
        }
    }
}

/// Reads and scores the file as a worker does.
async fn every_row_scores(kind: Kind, file: &str, expected: &[(String, String, String, f64, String)]) {
    let chunk = bytes::Bytes::copy_from_slice(file.as_bytes());
    let mut reader = CsvReader::new(futures_util::stream::iter([Ok::<_, ()>(chunk)]));
    let columns = Columns::find(kind, reader.next().await.unwrap().unwrap().cells.unwrap()).unwrap();
    let mut rows = expected.iter();
    while let Some(record) = reader.next().await.unwrap() {
        let row = columns.read(record.line, record.cells).unwrap();
        let (symbol, year, quarter, probability, level) = rows.next().expect("as many rows as expected");
        assert_eq!((&row.company.symbol, &row.year, row.quarter.as_ref()), (symbol, year, Some(quarter)));
        let off = (row.score.probability - probability).abs();
        assert!(off <= TOLERANCE, "line {}: {} instead of {probability}", row.line, row.score.probability);
        assert_eq!(row.score.risk_level.as_stored(), level, "line {}", row.line);
    }
    assert_eq!(rows.next(), None);
}

/// What the database holds, by company and period; each row linked to the job.
async fn stored(
    world: &World,
    kind: Kind,
    job: &str,
    wanted_companies: &HashMap<String, (String, String, Decimal)>,
) -> HashMap<(String, String, String), Wanted> {
    let db = world.app.db.reader();
    let companies: HashMap<_, _> =
        company::Entity::find().all(db).await.unwrap().into_iter().map(|company| (company.id, company)).collect();
    assert_eq!(companies.len(), wanted_companies.len(), "each company once");
    for company in companies.values() {
        let (name, sector, market_cap) = &wanted_companies[&company.symbol];
        assert_eq!((&company.name, &company.sector, &company.market_cap), (name, sector, market_cap));
    }
    let number = |decimal: Decimal| decimal.to_string().parse::<f64>().unwrap();
    macro_rules! rows {
        ($table:ident, $quarter:expr, $probability:expr, [$($ratio:ident),+]) => {
            $table::Entity::find().all(db).await.unwrap().into_iter().map(|row| {
                assert_eq!((row.job_id.unwrap().to_string().as_str(), row.job_link.as_deref()), (job, Some("upload")));
                let probability = number($probability(&row));
                assert!((number(row.confidence) - (1.0 - 2.0 * probability).max(0.5)).abs() < 0.000_2);
                let ratios = vec![$(row.$ratio.map(number)),+];
                let period = (companies[&row.company_id].symbol.clone(), row.reporting_year.clone(), $quarter(&row));
                (period, Wanted { ratios, probability, level: row.risk_level })
            }).collect()
        };
    }
    match kind {
        Kind::Annual => rows!(
            annual_prediction,
            |row: &annual_prediction::Model| row.reporting_quarter.clone().unwrap(),
            |row: &annual_prediction::Model| row.probability,
            [
                long_term_debt_to_total_capital,
                total_debt_to_ebitda,
                net_income_margin,
                ebit_to_interest_expense,
                return_on_assets
            ]
        ),
        Kind::Quarterly => rows!(
            quarterly_prediction,
            |row: &quarterly_prediction::Model| row.reporting_quarter.clone(),
            |row: &quarterly_prediction::Model| {
                assert_eq!((row.logistic_probability, row.gbm_probability), (row.ensemble_probability, None));
                row.ensemble_probability.unwrap()
            },
            [total_debt_to_ebitda, sga_margin, long_term_debt_to_total_capital, return_on_capital]
        ),
    }
}
