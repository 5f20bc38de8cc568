//! The backfill links what the evidence decides and nothing else: checked against pasts that are known.

mod estimate;
mod evidence;
mod legacy;
mod past;
mod runs;

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use migration::backfill::Settings;
use sea_orm::{ConnectionTrait, Statement, Value, prelude::Uuid};

use crate::migrations::site::Site;
use past::Past;

/// How links compare with the truth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    pub right: usize,
    pub wrong: usize,
    /// Rows of jobs that are still there.
    pub of: usize,
}

/// Settings with a folder of sources.
pub fn with_sources(folder: &Path) -> Settings {
    // Other tests use the server meanwhile, and are not to slow these down.
    Settings { sources: Some(folder.to_owned()), full_speed: true, ..Settings::default() }
}

/// All links, by prediction: the job and how it is known.
pub async fn links(site: &Site) -> HashMap<Uuid, (Uuid, String)> {
    let mut links = HashMap::new();
    for table in ["annual_predictions", "quarterly_predictions"] {
        let sql = format!("SELECT id, job_id, job_link FROM {table} WHERE job_id IS NOT NULL");
        let rows = site.db.query_all_raw(Statement::from_string(site.db.get_database_backend(), sql)).await.unwrap();
        for row in rows {
            let [id, job] = [0, 1].map(|index| row.try_get_by_index::<Uuid>(index).unwrap());
            links.insert(id, (job, row.try_get_by_index(2).unwrap()));
        }
    }
    links
}

/// Compares the links with the truth.
pub fn compare(truth: &HashMap<Uuid, Option<Uuid>>, links: &HashMap<Uuid, (Uuid, String)>) -> Compared {
    let right = links.iter().filter(|(id, (job, _))| truth[*id] == Some(*job)).count();
    Compared { right, wrong: links.len() - right, of: truth.values().flatten().count() }
}

/// A migrated database with a past.
pub async fn simulated(engine: tests::Engine, seed: u64) -> (Site, Past) {
    let site = Site::made(engine).await;
    let past = past::make(&site, seed).await;
    (site, past)
}

/// Runs SQL with values, and answers how many rows it touched.
pub async fn execute(site: &Site, sql: &str, values: Vec<Value>) -> u64 {
    let statement = Statement::from_sql_and_values(site.db.get_database_backend(), sql, values);
    site.db.execute_raw(statement).await.unwrap().rows_affected()
}

/// Each job's owner.
pub async fn jobs(site: &Site) -> BTreeMap<Uuid, (Uuid, Option<Uuid>)> {
    let sql = "SELECT id, user_id, organization_id FROM bulk_upload_jobs";
    let rows = site.db.query_all_raw(Statement::from_string(site.db.get_database_backend(), sql)).await.unwrap();
    let get = |row: &sea_orm::QueryResult| {
        (row.try_get_by_index(0).unwrap(), (row.try_get_by_index(1).unwrap(), row.try_get_by_index(2).unwrap()))
    };
    rows.iter().map(get).collect()
}
