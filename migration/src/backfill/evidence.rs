//! What jobs read: the files that an operator has kept.

use std::path::{Path, PathBuf};

use artifacts::{
    ArtifactStore,
    csv::{Cells, CsvReader},
};
use bytes::Bytes;
use entity::stored::Kind;
use futures_util::{Stream, StreamExt, TryStreamExt, stream, stream::BoxStream};
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
    ratio.checked_mul(Decimal::from(10_000))?.round().to_i64()
}

/// Why a file or a list cannot be read; one sentence.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

/// As an error about a file.
pub fn unreadable(path: &Path, why: impl std::fmt::Display) -> Unreadable {
    Unreadable(format!("{}: {why}", path.display()))
}

/// Where the files that jobs read are kept.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    folder: Option<PathBuf>,
    store: Option<ArtifactStore>,
}

/// A file that a job may have read.
pub struct Source {
    /// What it is called in messages.
    name: String,
    chunks: BoxStream<'static, std::io::Result<Bytes>>,
}

impl Sources {
    /// Opens a folder and an artifact store, where they are given.
    pub fn open(folder: Option<&Path>, store: Option<&str>) -> Result<Self, Unreadable> {
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            let folder = folder.display();
            return Err(Unreadable(format!(
                "there is no folder {folder}; name the one with the files that the jobs read"
            )));
        }
        let open = |location: &str| {
            // Opening would make it.
            let path = Path::new(location.strip_prefix("file://").unwrap_or(location));
            if !location.starts_with("s3://") && !path.is_dir() {
                return Err(unreadable(path, "is no folder"));
            }
            ArtifactStore::open(location).map_err(|error| unreadable(path, error))
        };
        Ok(Self { folder: folder.map(Path::to_owned), store: store.map(open).transpose()? })
    }

    /// The file of a job: in the folder by the job's id, in the store, or in the folder by the name with which it was
    /// uploaded.
    pub async fn of(&self, job: Uuid, file_name: &str) -> Result<Option<Source>, Unreadable> {
        if let Some(path) = self.in_folder(&format!("{job}.csv")) {
            return Source::file(&path).await.map(Some);
        }
        if let Some(store) = &self.store {
            let failed = |error| Unreadable(format!("the input of job {job}: {error}"));
            if let Some(chunks) = store.read_input(job).await.map_err(failed)? {
                let chunks = chunks.map_err(std::io::Error::other).boxed();
                return Ok(Some(Source { name: format!("the input of job {job}"), chunks }));
            }
        }
        // What a client once called its file must not lead out of the folder.
        let is_plain = Path::new(file_name).file_name().is_some_and(|name| name == file_name);
        match self.in_folder(file_name).filter(|_| is_plain) {
            Some(path) => Source::file(&path).await.map(Some),
            None => Ok(None),
        }
    }

    fn in_folder(&self, name: &str) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(name)).filter(|path| path.is_file())
    }
}

impl Source {
    async fn file(path: &Path) -> Result<Self, Unreadable> {
        Ok(Self { name: path.display().to_string(), chunks: chunks(path).await?.boxed() })
    }
}

/// Reads what a file lists. The error says why it cannot be used.
pub async fn listing(source: Source, kind: Kind) -> Result<Listing, Unreadable> {
    let Source { name, chunks } = source;
    let mut file = CsvReader::new(chunks);
    let path = Path::new(&name);
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

/// The place of a column.
pub fn position(header: Cells<'_>, wanted: &str) -> Option<usize> {
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

/// A file as a stream.
pub async fn chunks(
    path: &Path,
) -> Result<impl Stream<Item = std::io::Result<Bytes>> + Send + Unpin + 'static, Unreadable> {
    let file = tokio::fs::File::open(path).await.map_err(|error| unreadable(path, error))?;
    Ok(Box::pin(stream::try_unfold(file, async |mut file| {
        let mut chunk = vec![0; CHUNK];
        let read = file.read(&mut chunk).await?;
        chunk.truncate(read);
        Ok((read > 0).then(|| (Bytes::from(chunk), file)))
    })))
}
