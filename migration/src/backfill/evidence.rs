//! What is known from outside the database: files that jobs read, and the operator's own list.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use artifacts::csv::{Cells, CsvReader};
use bytes::Bytes;
use entity::stored::Kind;
use futures_util::{Stream, stream};
use rust_decimal::{Decimal, prelude::ToPrimitive};
use sea_orm_migration::sea_orm::prelude::Uuid;
use tokio::io::AsyncReadExt;

use super::facts::{Cell, Line, Listing, MAX_RATIOS, Subject};

/// Ratios of an adopted installation were `numeric(10,4)`: below 10^6. What is larger was stored as something else.
const RATIO_LIMIT: i64 = 1_000_000 * 10_000;
/// Cells that stand for a missing ratio, beside the empty one.
const MISSING: [&str; 4] = ["NM", "N/A", "NA", "NAN"];
/// How much of a file is read at once.
const CHUNK: usize = 64 * 1024;

/// The columns that hold the ratios of a kind, in the files and in its table.
pub const fn ratios(kind: Kind) -> &'static [&'static str] {
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

/// A company and a year as both sides write them.
pub fn subject(symbol: &str, year: &str) -> Subject {
    let year = year.trim();
    format!("{} {}", symbol.trim().to_uppercase(), year.strip_suffix(".0").unwrap_or(year)).into()
}

/// A quarter as both sides write it.
pub fn quarter(text: &str) -> Option<Box<str>> {
    let text = text.trim().to_uppercase();
    (!text.is_empty()).then(|| text.into())
}

/// A stored ratio in units of the fourth decimal.
pub fn units(ratio: Decimal) -> Option<i64> {
    (ratio * Decimal::from(10_000)).round().to_i64()
}

/// Why a file or a list cannot be read; one sentence.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

fn unreadable(path: &Path, why: impl std::fmt::Display) -> Unreadable {
    Unreadable(format!("{}: {why}", path.display()))
}

/// A folder of files that jobs read.
#[derive(Clone, Debug)]
pub struct Sources {
    folder: PathBuf,
}

impl Sources {
    /// Opens a folder.
    pub fn open(folder: &Path) -> Result<Self, Unreadable> {
        let found = std::fs::metadata(folder).map_err(|error| unreadable(folder, error))?;
        if found.is_dir() { Ok(Self { folder: folder.to_owned() }) } else { Err(unreadable(folder, "is no folder")) }
    }

    /// The file that is named by a job's id.
    pub fn of(&self, job: Uuid) -> Option<PathBuf> {
        Some(self.folder.join(format!("{job}.csv"))).filter(|path| path.is_file())
    }
}

/// Reads what a file lists. The error says why it cannot be used.
pub async fn listing(path: &Path, kind: Kind) -> Result<Listing, Unreadable> {
    let mut file = CsvReader::new(chunks(path).await?);
    let failed = |error| unreadable(path, error);
    let columns = match file.next().await.map_err(failed)? {
        None => return Err(unreadable(path, "is empty")),
        Some(header) => {
            let cells = header.cells.map_err(|fault| unreadable(path, format!("line 1 {fault}")))?;
            Columns::find(kind, cells).map_err(|column| unreadable(path, format!("has no column {column}")))?
        }
    };
    let mut listing = Listing::default();
    while let Some(record) = file.next().await.map_err(failed)? {
        let position = listing.rows;
        listing.rows = position.checked_add(1).ok_or_else(|| unreadable(path, "has too many rows"))?;
        // A row that cannot be read was not stored.
        let Ok(cells) = record.cells else { continue };
        let cell = |place: usize| cells.get(place).unwrap_or_default();
        let mut ratios = [Cell::Missing; MAX_RATIOS];
        for (ratio, place) in ratios.iter_mut().zip(&columns.ratios) {
            *ratio = number(cell(*place));
        }
        let quarter = columns.quarter.and_then(|place| quarter(cell(place)));
        let subject = subject(cell(columns.symbol), cell(columns.year));
        listing.lines.entry(subject).or_default().push(Line { position, quarter, ratios });
    }
    Ok(listing)
}

struct Columns {
    symbol: usize,
    year: usize,
    quarter: Option<usize>,
    ratios: Vec<usize>,
}

impl Columns {
    /// The error is the name of a missing column.
    fn find(kind: Kind, header: Cells<'_>) -> Result<Self, &'static str> {
        let place = |wanted: &'static str| position(header, wanted).ok_or(wanted);
        Ok(Self {
            symbol: place("company_symbol")?,
            year: place("reporting_year")?,
            quarter: place("reporting_quarter").ok(),
            ratios: ratios(kind).iter().map(|ratio| place(ratio)).collect::<Result<_, _>>()?,
        })
    }
}

fn position(header: Cells<'_>, wanted: &str) -> Option<usize> {
    header.iter().position(|name| name.trim().eq_ignore_ascii_case(wanted))
}

fn number(cell: &str) -> Cell {
    let cell = cell.trim();
    if cell.is_empty() || MISSING.iter().any(|missing| cell.eq_ignore_ascii_case(missing)) {
        return Cell::Missing;
    }
    let exact = cell.parse::<Decimal>().or_else(|_| Decimal::from_scientific(cell));
    match exact.ok().and_then(units) {
        Some(units) if units.abs() < RATIO_LIMIT => Cell::Number(units),
        _ => Cell::Unknown,
    }
}

async fn chunks(path: &Path) -> Result<impl Stream<Item = std::io::Result<Bytes>> + Unpin, Unreadable> {
    let file = tokio::fs::File::open(path).await.map_err(|error| unreadable(path, error))?;
    Ok(Box::pin(stream::try_unfold(file, async |mut file| {
        let mut chunk = vec![0; CHUNK];
        let read = file.read(&mut chunk).await?;
        chunk.truncate(read);
        Ok((read > 0).then(|| (Bytes::from(chunk), file)))
    })))
}

/// The operator's own list: which job made a prediction.
#[derive(Clone, Debug, Default)]
pub struct Manifest {
    jobs: HashMap<Uuid, Uuid>,
}

impl Manifest {
    /// Reads a CSV file with the columns `prediction_id` and `job_id`.
    pub async fn read(path: &Path) -> Result<Self, Unreadable> {
        let mut file = CsvReader::new(chunks(path).await?);
        let failed = |error| unreadable(path, error);
        let places = match file.next().await.map_err(failed)? {
            None => None,
            Some(header) => header
                .cells
                .ok()
                .and_then(|cells| Some((position(cells, "prediction_id")?, position(cells, "job_id")?))),
        };
        let (prediction, job) =
            places.ok_or_else(|| unreadable(path, "line 1 must name the columns prediction_id and job_id"))?;
        let mut jobs = HashMap::new();
        while let Some(record) = file.next().await.map_err(failed)? {
            let line = record.line;
            let cells = record.cells.map_err(|fault| unreadable(path, format!("line {line} {fault}")))?;
            let id = |place: usize| {
                let cell = cells.get(place).unwrap_or_default().trim();
                cell.parse::<Uuid>().map_err(|_| unreadable(path, format!("line {line}: \"{cell}\" is no id")))
            };
            let (prediction, job) = (id(prediction)?, id(job)?);
            if jobs.insert(prediction, job).is_some_and(|other| other != job) {
                return Err(unreadable(path, format!("line {line} names a second job for {prediction}")));
            }
        }
        Ok(Self { jobs })
    }

    /// The job that made a prediction.
    pub fn job_of(&self, prediction: Uuid) -> Option<Uuid> {
        self.jobs.get(&prediction).copied()
    }
}
