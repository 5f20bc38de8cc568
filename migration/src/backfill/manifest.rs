//! The operator's own list: which job made a prediction, named by its id or by company and period.

use std::{collections::HashMap, path::Path};

use artifacts::csv::{Cells, CsvReader};
use entity::stored::Kind;
use sea_orm_migration::sea_orm::{
    DatabaseConnection, DbBackend, DbErr, FromQueryResult, Statement,
    prelude::{DateTime, Uuid},
};

use super::{
    Failure,
    evidence::{Unreadable, chunks, position, quarter, subject, unreadable},
    facts::{LONGEST_TRANSACTION, Subject},
    rows::table,
};
use crate::counted::counted;

/// Which job made which prediction, in the operator's words.
#[derive(Clone, Debug, Default)]
pub struct Manifest {
    jobs: HashMap<Uuid, Uuid>,
}

/// What a line names.
enum Named {
    Prediction(Uuid),
    Period(Subject, String, Option<Box<str>>),
}

struct Columns {
    prediction: Option<usize>,
    symbol: Option<usize>,
    year: Option<usize>,
    quarter: Option<usize>,
    job: usize,
}

impl Manifest {
    /// Reads a CSV file with `job_id`, and `prediction_id` or `company_symbol`, `reporting_year` and, where the period
    /// is a quarter, `reporting_quarter`. A line that names no prediction of the job's owner says nothing.
    pub async fn read(db: &DatabaseConnection, path: &Path) -> Result<Self, Failure> {
        let mut file = CsvReader::new(chunks(path).await?);
        let failed = |error| unreadable(path, error);
        let columns = match file.next().await.map_err(failed)? {
            None => None,
            Some(header) => header.cells.ok().and_then(Columns::find),
        };
        let columns = columns.ok_or_else(|| {
            unreadable(
                path,
                "line 1 must name the columns job_id and either prediction_id, or company_symbol and reporting_year",
            )
        })?;
        let mut manifest = Self::default();
        let mut owners = Owners { db, known: HashMap::new() };
        let mut idle = 0;
        while let Some(record) = file.next().await.map_err(failed)? {
            let line = record.line;
            let wrong = |why: String| unreadable(path, format!("line {line}{why}"));
            let cells = record.cells.map_err(|fault| wrong(format!(" {fault}")))?;
            let (named, job) = columns.read(cells).map_err(|why| wrong(format!(": {why}")))?;
            let prediction = match named {
                Named::Prediction(id) => Some(id),
                Named::Period(subject, symbol, quarter) => match owners.of(job).await? {
                    Some(owner) => {
                        owner.prediction(db, &subject, &symbol, quarter.as_deref()).await?.map_err(|many| {
                            wrong(format!(
                                ": {many} predictions of {subject} can be meant; name one by its prediction_id"
                            ))
                        })?
                    }
                    None => None,
                },
            };
            let Some(prediction) = prediction else {
                idle += 1;
                continue;
            };
            if manifest.jobs.insert(prediction, job).is_some_and(|other| other != job) {
                return Err(wrong(format!(" names a second job for {prediction}")).into());
            }
        }
        if idle > 0 {
            tracing::warn!(
                "{}: {} ignored, for no prediction there was made while the job was at work",
                path.display(),
                counted(idle, "line")
            );
        }
        Ok(manifest)
    }

    /// How many predictions it names.
    pub fn len(&self) -> u64 {
        self.jobs.len() as u64
    }

    /// The job that made a prediction.
    pub fn job_of(&self, prediction: Uuid) -> Option<Uuid> {
        self.jobs.get(&prediction).copied()
    }
}

impl Columns {
    fn find(header: Cells<'_>) -> Option<Self> {
        let place = |name| position(header, name);
        let columns = Self {
            prediction: place("prediction_id"),
            symbol: place("company_symbol"),
            year: place("reporting_year"),
            quarter: place("reporting_quarter"),
            job: place("job_id")?,
        };
        (columns.prediction.is_some() || (columns.symbol.is_some() && columns.year.is_some())).then_some(columns)
    }

    fn read(&self, cells: Cells<'_>) -> Result<(Named, Uuid), String> {
        let cell = |place: Option<usize>| place.and_then(|place| cells.get(place)).unwrap_or_default().trim();
        let id = |text: &str| text.parse::<Uuid>().map_err(|_| format!("\"{text}\" is no id"));
        let job = id(cell(Some(self.job)))?;
        let prediction = cell(self.prediction);
        let (symbol, year) = (cell(self.symbol), cell(self.year));
        let named = if !prediction.is_empty() || symbol.is_empty() || year.is_empty() {
            Named::Prediction(id(prediction)?)
        } else {
            Named::Period(subject(symbol, year), symbol.to_uppercase(), quarter(cell(self.quarter)))
        };
        Ok((named, job))
    }
}

/// The jobs that the list speaks of.
struct Owners<'a> {
    db: &'a DatabaseConnection,
    known: HashMap<Uuid, Option<Owner>>,
}

/// Whose predictions a job made, of which kind, and when.
#[derive(Clone, Debug, FromQueryResult)]
struct Owner {
    user_id: Uuid,
    organization_id: Option<Uuid>,
    job_type: String,
    status: Option<String>,
    started_at: Option<DateTime>,
    completed_at: Option<DateTime>,
    updated_at: Option<DateTime>,
}

#[derive(FromQueryResult)]
struct Candidate {
    id: Uuid,
    reporting_year: String,
    reporting_quarter: Option<String>,
    predicted_at: Option<DateTime>,
}

impl Owners<'_> {
    async fn of(&mut self, job: Uuid) -> Result<Option<Owner>, DbErr> {
        if let Some(known) = self.known.get(&job) {
            return Ok(known.clone());
        }
        let sql = "SELECT user_id, organization_id, job_type, status, started_at, completed_at, updated_at FROM bulk_upload_jobs \
                   WHERE id = $1";
        let statement = Statement::from_sql_and_values(self.db.get_database_backend(), sql, [job.into()]);
        let owner = Owner::find_by_statement(statement).one(self.db).await?;
        self.known.insert(job, owner.clone());
        Ok(owner)
    }
}

impl Owner {
    /// The one prediction of a company and period that the job can have made; the error is how many there are.
    async fn prediction(
        &self,
        db: &DatabaseConnection,
        wanted: &Subject,
        symbol: &str,
        wanted_quarter: Option<&str>,
    ) -> Result<Result<Option<Uuid>, usize>, DbErr> {
        let Some(kind) = Kind::from_stored(&self.job_type) else { return Ok(Ok(None)) };
        let backend = db.get_database_backend();
        let same = if backend == DbBackend::Sqlite { "IS" } else { "IS NOT DISTINCT FROM" };
        let sql = format!(
            "SELECT p.id, p.reporting_year, p.reporting_quarter, p.predicted_at FROM {} p \
             JOIN companies c ON c.id = p.company_id WHERE upper(c.symbol) = $1 AND p.created_by = $2 \
             AND p.organization_id {same} $3",
            table(kind)
        );
        let values = [symbol.into(), self.user_id.into(), self.organization_id.into()];
        let statement = Statement::from_sql_and_values(backend, sql, values);
        let mut found = Candidate::find_by_statement(statement).all(db).await?;
        found.retain(|row| {
            subject(symbol, &row.reporting_year) == *wanted
                && wanted_quarter
                    .is_none_or(|wanted| row.reporting_quarter.as_deref().and_then(quarter).as_deref() == Some(wanted))
        });
        // A job skips what is there already, so a file also lists what somebody else made at another time.
        found.retain(|row| self.was_at_work(row.predicted_at));
        Ok(if found.len() > 1 { Err(found.len()) } else { Ok(found.first().map(|row| row.id)) })
    }

    fn was_at_work(&self, at: Option<DateTime>) -> bool {
        let (Some(at), Some(from)) = (at, self.started_at) else { return false };
        let Some(end) = self.completed_at.or(self.updated_at) else { return false };
        // What broke off may have stored one transaction more.
        let ended_well = self.completed_at.is_some() && self.status.as_deref() == Some("completed");
        from <= at && at <= if ended_well { end } else { end + LONGEST_TRANSACTION }
    }
}

impl From<Unreadable> for Failure {
    fn from(error: Unreadable) -> Self {
        Self::File(error.to_string())
    }
}
