//! The results of a job: each row of its file that was processed, with its prediction or its error, as CSV.
//!
//! They are made from the file and the row errors: the id of a row's prediction is a function of job and line. So they are
//! the same whoever writes them, and whatever happened to the workers before.

use std::{collections::VecDeque, sync::atomic::Ordering};

use bytes::Bytes;
use entity::{job, row_error};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::claim::Claim;
use crate::{
    app::App,
    checkpoint::Checkpoint,
    csv_cell::neutral,
    error::Error,
    jobs::input::Input,
    predictions::{
        row::{Labels, Row},
        row_id,
        store::four_decimals,
    },
};

const HEADER: [&str; 12] = [
    "line",
    "company_symbol",
    "company_name",
    "reporting_year",
    "reporting_quarter",
    "probability",
    "risk_level",
    "confidence",
    "prediction_id",
    "error_code",
    "error_column",
    "error_message",
];
/// How much is written at once, in bytes.
const CHUNK: usize = 64 * 1024;
/// How many row errors are read at once.
const PAGE: u64 = 1_000;

/// The results of a job, to be taken piece by piece.
pub struct Results {
    app: App,
    job: job::Model,
    input: Input,
    claim: Claim,
    /// Rows still to come; `None` = the header, too.
    left: Option<i32>,
    /// Row errors that were read and not yet met, and the line behind which more are.
    faults: VecDeque<row_error::Model>,
    read_to: i32,
    all_read: bool,
}

impl Results {
    /// The results of a job over its file.
    pub fn new(app: App, job: job::Model, input: Input, claim: Claim) -> Self {
        Self { app, job, input, claim, left: None, faults: VecDeque::new(), read_to: 0, all_read: false }
    }

    /// The next piece; `None` at the end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        if self.claim.lost.is_cancelled() {
            return Err(Error::Gone);
        }
        self.app.checkpoints.pass(Checkpoint::ResultsPiece).await?;
        let mut writer = csv::Writer::from_writer(Vec::with_capacity(CHUNK + 1024));
        if self.left.is_none() {
            write(&mut writer, HEADER)?;
            self.left = self.job.processed_rows;
        }
        while writer.get_ref().len() < CHUNK && self.left.is_some_and(|left| left > 0) {
            if !self.write_row(&mut writer).await? {
                self.left = Some(0);
            }
        }
        let bytes = writer.into_inner().map_err(|error| Error::Format(error.to_string()))?;
        self.claim.steps.fetch_add(1, Ordering::Relaxed);
        Ok(Some(bytes).filter(|bytes| !bytes.is_empty()).map(Bytes::from))
    }

    /// Writes one row; `false`: the file has no more.
    async fn write_row(&mut self, writer: &mut csv::Writer<Vec<u8>>) -> Result<bool, Error> {
        if self.faults.is_empty() && !self.all_read {
            self.read_faults().await?;
        }
        let columns = self.input.columns.clone();
        let record = match self.input.next().await {
            Err(Error::Unreadable(_)) => None,
            record => record?,
        };
        let Some(record) = record else { return Ok(false) };
        self.left = self.left.map(|left| left - 1);
        let line = i32::try_from(record.line).unwrap_or(i32::MAX);
        let labels = record.cells.map(|cells| columns.labels(cells)).unwrap_or_default();
        let fault = self.faults.pop_front_if(|fault| fault.line == line);
        match (fault, columns.read(record.line, record.cells)) {
            (Some(fault), _) => write_fault(writer, labels, &fault)?,
            (None, Ok(row)) => write_stored(writer, labels, &row, &row_id::of_row(self.job.id, line).to_string())?,
            // A version before this one stored rows by other rules.
            (None, Err(_)) => write(
                writer,
                [
                    &line.to_string(),
                    labels.symbol,
                    labels.name,
                    labels.year,
                    labels.quarter,
                    "",
                    "",
                    "",
                    &row_id::of_row(self.job.id, line).to_string(),
                    "",
                    "",
                    "",
                ],
            )?,
        }
        Ok(true)
    }

    async fn read_faults(&mut self) -> Result<(), Error> {
        let page = row_error::Entity::find()
            .filter(row_error::Column::JobId.eq(self.job.id))
            .filter(row_error::Column::Line.gt(self.read_to))
            .order_by_asc(row_error::Column::Line)
            .limit(PAGE)
            .all(self.app.db.reader())
            .await?;
        self.all_read = page.is_empty();
        self.read_to = page.last().map_or(self.read_to, |last| last.line);
        self.faults = page.into();
        Ok(())
    }
}

fn write_stored(
    writer: &mut csv::Writer<Vec<u8>>,
    labels: Labels<'_>,
    row: &Row,
    prediction: &str,
) -> Result<(), Error> {
    let [probability, confidence] =
        [row.score.probability, row.score.confidence].map(|it| four_decimals(it).to_string());
    let (line, risk) = (row.line.to_string(), row.score.risk_level.as_stored().to_ascii_uppercase());
    let own = [&line, labels.symbol, labels.name, labels.year, labels.quarter];
    write(writer, own.into_iter().chain([&*probability, &risk, &confidence, prediction, "", "", ""]))
}

fn write_fault(writer: &mut csv::Writer<Vec<u8>>, labels: Labels<'_>, fault: &row_error::Model) -> Result<(), Error> {
    let line = fault.line.to_string();
    let own = [&line, labels.symbol, labels.name, labels.year, labels.quarter];
    let column = fault.column_name.as_deref().unwrap_or_default();
    write(writer, own.into_iter().chain(["", "", "", "", &fault.code.to_ascii_uppercase(), column, &fault.message]))
}

fn write<'a>(writer: &mut csv::Writer<Vec<u8>>, cells: impl IntoIterator<Item = &'a str>) -> Result<(), Error> {
    let failed = |error: csv::Error| Error::Format(error.to_string());
    for cell in cells {
        writer.write_field(neutral(cell).as_bytes()).map_err(failed)?;
    }
    writer.write_record(None::<&[u8]>).map_err(failed)
}
