//! A job's file, opened at its first data row.

use std::sync::Arc;

use artifacts::{Key, StoreError, csv::Record, table::Table, xlsx::Budget};
use entity::{
    artifact, job,
    stored::{ArtifactKind, Kind},
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::{app::App, error::Error, predictions::row::Columns};

/// How many names a log has room for.
const NAMED: usize = 50;

/// A file whose header was read.
pub struct Input {
    table: Table<StoreError>,
    /// Where its rows have what.
    pub columns: Arc<Columns>,
}

impl Input {
    /// The next data row; [`Error::Unreadable`] where a workbook is broken behind the rows so far.
    pub async fn next(&mut self) -> Result<Option<Record<'_>>, Error> {
        Ok(self.table.next().await?)
    }

    /// What of the file is not read, a sentence for each.
    pub fn unread(&self) -> Vec<String> {
        let mut told = Vec::new();
        let ignored = self.columns.ignored();
        if !ignored.is_empty() {
            told.push(format!("Columns that are not read: {}.", named(ignored)));
        }
        let others = self.table.other_sheets();
        if let Some(sheet) = self.table.sheet().filter(|_| !others.is_empty()) {
            told.push(format!("The sheet \"{sheet}\" is read; not read: {}.", named(others)));
        }
        told
    }
}

/// Opens a file of the store; else in one sentence why it is no table of this kind.
pub async fn open(app: &App, kind: Kind, key: Key) -> Result<Result<Input, String>, Error> {
    match open_table(app, kind, key).await {
        Err(Error::Unreadable(why)) => Ok(Err(why)),
        opened => opened,
    }
}

async fn open_table(app: &App, kind: Kind, key: Key) -> Result<Result<Input, String>, Error> {
    let mut table = Table::open(app.store.read(key).await?, Budget::default()).await?;
    let sheet = table.sheet().map(ToOwned::to_owned);
    let Some(header) = table.next().await? else { return Ok(Err("The file is empty.".to_owned())) };
    let line = match sheet {
        Some(sheet) => format!("Row {} of the sheet \"{sheet}\"", header.line),
        None => format!("Line {}", header.line),
    };
    let columns = match header.cells {
        Err(fault) => Err(format!("{line} {fault}; send a CSV or Excel file with a header.")),
        Ok(cells) if cells.iter().any(|cell| cell.contains('\0')) => {
            Err(format!("{line} is not text; send a CSV or Excel file with a header."))
        }
        Ok(cells) => Columns::find(kind, cells).map_err(|fault| format!("{line} {fault}.")),
    };
    Ok(columns.map(|columns| Input { table, columns: columns.into() }))
}

/// Opens the input of a job; else in one sentence why it cannot be read.
pub async fn of_job(app: &App, job: &job::Model) -> Result<Result<Input, String>, Error> {
    let Some(input) = registered(app, job).await? else { return Ok(Err("The job has no input file.".to_owned())) };
    match open(app, super::status::kind(job), Key::Input { job: job.id, artifact: input.id }).await {
        Err(Error::Store(error)) if error.is_missing() => {
            Ok(Err("The input file is gone from the artifact store.".to_owned()))
        }
        opened => opened,
    }
}

/// Names in quotes, as many as a log has room for.
fn named(names: &[String]) -> String {
    let some: Vec<_> = names.iter().take(NAMED).map(|name| format!("\"{name}\"")).collect();
    let more = if names.len() > NAMED { format!(" and {} more", names.len() - NAMED) } else { String::new() };
    some.join(", ") + &more
}

/// The registered input of a job.
pub async fn registered(app: &App, job: &job::Model) -> Result<Option<artifact::Model>, Error> {
    let found = artifact::Entity::find()
        .filter(artifact::Column::JobId.eq(job.id))
        .filter(artifact::Column::Kind.eq(ArtifactKind::Input.as_stored()))
        .one(app.db.reader());
    Ok(found.await?)
}
