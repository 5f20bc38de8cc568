//! A job's file, opened at its first data row.

use artifacts::{Key, StoreError, csv::CsvReader};
use bytes::Bytes;
use entity::{
    artifact, job,
    stored::{ArtifactKind, Kind},
};
use futures_util::stream::BoxStream;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::{app::App, error::Error, predictions::row::Columns};

/// The records of a file in the store.
pub type Records = CsvReader<BoxStream<'static, Result<Bytes, StoreError>>>;

/// A file whose header was read.
pub struct Input {
    /// Its data rows.
    pub records: Records,
    /// Where they have what.
    pub columns: Columns,
}

/// Opens a file of the store; else in one sentence why it is no table of this kind.
pub async fn open(app: &App, kind: Kind, key: Key) -> Result<Result<Input, String>, StoreError> {
    let mut records = CsvReader::new(app.store.read(key).await?);
    let Some(header) = records.next().await? else { return Ok(Err("The file is empty.".to_owned())) };
    let line = header.line;
    let columns = match header.cells {
        Err(fault) => Err(format!("Line {line} {fault}; send a CSV file with a header.")),
        Ok(cells) if cells.iter().any(|cell| cell.contains('\0')) => {
            Err(format!("Line {line} is not text; send a CSV file with a header."))
        }
        Ok(cells) => Columns::find(kind, cells).map_err(|fault| format!("Line {line} {fault}.")),
    };
    Ok(columns.map(|columns| Input { records, columns }))
}

/// Opens the input of a job; else in one sentence why it cannot be read.
pub async fn of_job(app: &App, job: &job::Model) -> Result<Result<Input, String>, Error> {
    let Some(input) = registered(app, job).await? else { return Ok(Err("The job has no input file.".to_owned())) };
    match open(app, super::status::kind(job), Key::Input { job: job.id, artifact: input.id }).await {
        Err(error) if error.is_missing() => Ok(Err("The input file is gone from the artifact store.".to_owned())),
        opened => Ok(opened?),
    }
}

/// The registered input of a job.
pub async fn registered(app: &App, job: &job::Model) -> Result<Option<artifact::Model>, Error> {
    let found = artifact::Entity::find()
        .filter(artifact::Column::JobId.eq(job.id))
        .filter(artifact::Column::Kind.eq(ArtifactKind::Input.as_stored()))
        .one(app.db.reader());
    Ok(found.await?)
}
