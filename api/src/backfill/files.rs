//! The lists of a run as CSV files, read piece by piece, however long they are. What a run left has the form that
//! `migration backfill … --unresolved` writes.

use bytes::Bytes;
use entity::{backfill_decision, backfill_run, backfill_unresolved};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, prelude::Uuid};

use super::still_without_link;
use crate::{auth::Viewer, csv_cell::neutral, error::Error};

/// How many rows are read at once.
const ROWS: u64 = 1_000;

/// A list of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// What it decided about each job.
    Decisions,
    /// The predictions that it left without a link and that still have none.
    Unresolved,
}

impl List {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Decisions, Self::Unresolved];

    /// The name of its file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Decisions => "decisions.csv",
            Self::Unresolved => "unresolved.csv",
        }
    }

    /// Where it can be fetched, on this server.
    pub fn path(self, run: Uuid) -> String {
        format!("/backfill/{run}/{}", self.name())
    }

    const fn header(self) -> &'static [&'static str] {
        match self {
            Self::Decisions => &["job_id", "evidence", "linked", "unresolved", "note"],
            Self::Unresolved => &["kind", "prediction_id", "reason", "candidates"],
        }
    }
}

/// Whether the caller sees a run of this id.
pub async fn is_seen(db: &impl ConnectionTrait, viewer: &Viewer, run: Uuid) -> Result<bool, DbErr> {
    let run = backfill_run::Entity::find_by_id(run).filter(viewer.sees_backfill_runs());
    Ok(run.one(db).await?.is_some())
}

/// A list, to be taken piece by piece.
#[derive(Debug)]
pub struct Pieces {
    list: List,
    run: Uuid,
    /// How far it was taken.
    place: Place,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Beginning,
    After(Uuid),
    End,
}

impl Pieces {
    /// The list of a run.
    pub const fn new(list: List, run: Uuid) -> Self {
        Self { list, run, place: Place::Beginning }
    }

    /// The next piece; `None` at the end.
    pub async fn next(&mut self, db: &impl ConnectionTrait) -> Result<Option<Bytes>, Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let after = match self.place {
            Place::End => return Ok(None),
            Place::After(id) => Some(id),
            Place::Beginning => {
                write(&mut writer, self.list.header())?;
                None
            }
        };
        let last = match self.list {
            List::Decisions => self.decisions(db, after, &mut writer).await?,
            List::Unresolved => self.unresolved(db, after, &mut writer).await?,
        };
        self.place = last.map_or(Place::End, Place::After);
        let bytes = writer.into_inner().map_err(|error| Error::Format(error.to_string()))?;
        Ok(Some(bytes).filter(|bytes| !bytes.is_empty()).map(Bytes::from))
    }

    /// Writes the decisions after that job, and answers after which one there may be more.
    async fn decisions(
        &self,
        db: &impl ConnectionTrait,
        after: Option<Uuid>,
        writer: &mut csv::Writer<Vec<u8>>,
    ) -> Result<Option<Uuid>, Error> {
        use backfill_decision::{Column, Entity};
        let rows = Entity::find().filter(Column::RunId.eq(self.run)).order_by_asc(Column::JobId).limit(ROWS);
        let rows = match after {
            Some(id) => rows.filter(Column::JobId.gt(id)),
            None => rows,
        };
        let rows = rows.all(db).await?;
        for row in &rows {
            let (evidence, note) =
                (row.evidence.as_deref().unwrap_or_default(), row.note.as_deref().unwrap_or_default());
            let counts = [row.linked.to_string(), row.unresolved.to_string()];
            write(writer, &[&row.job_id.to_string(), evidence, &counts[0], &counts[1], note])?;
        }
        Ok(rows.last().map(|row| row.job_id))
    }

    /// Writes what was left after that prediction, and answers after which one there may be more.
    async fn unresolved(
        &self,
        db: &impl ConnectionTrait,
        after: Option<Uuid>,
        writer: &mut csv::Writer<Vec<u8>>,
    ) -> Result<Option<Uuid>, Error> {
        use backfill_unresolved::Column;
        let rows = still_without_link().filter(Column::RunId.eq(self.run));
        let rows = match after {
            Some(id) => rows.filter(Column::PredictionId.gt(id)),
            None => rows,
        };
        let rows = rows.order_by_asc(Column::PredictionId).limit(ROWS).all(db).await?;
        for row in &rows {
            write(writer, &[&row.kind, &row.prediction_id.to_string(), &row.reason, &row.candidates])?;
        }
        Ok(rows.last().map(|row| row.prediction_id))
    }
}

fn write(writer: &mut csv::Writer<Vec<u8>>, cells: &[&str]) -> Result<(), Error> {
    let cells = cells.iter().map(|cell| neutral(cell).into_owned());
    writer.write_record(cells).map_err(|error| Error::Format(error.to_string()))
}
