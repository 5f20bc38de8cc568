//! What always holds (see ARCHITECTURE.md, "What always holds"), checked against the database and the store.

use std::collections::{HashMap, HashSet};

use entity::{
    annual_prediction, artifact, artifact_purge, audit_entry, deletion_receipt, job, quarterly_prediction, row_error,
};
use sea_orm::{EntityTrait, prelude::Uuid};

use crate::{Engine, World};

impl World {
    /// Checks everything that must hold whenever no request is under way.
    pub async fn check_invariants(&self) {
        let db = self.app.db.reader();
        let jobs: HashMap<Uuid, job::Model> =
            job::Entity::find().all(db).await.unwrap().into_iter().map(|job| (job.id, job)).collect();
        let receipts = deletion_receipt::Entity::find().all(db).await.unwrap();
        let annual = annual_prediction::Entity::find().all(db).await.unwrap();
        let quarterly = quarterly_prediction::Entity::find().all(db).await.unwrap();

        // Links: only to jobs that exist, of the same owner; what an upload linked is not more than its job counted.
        let mut linked: HashMap<Uuid, i32> = HashMap::new();
        let rows = annual
            .iter()
            .map(|row| (row.job_id, &row.job_link, row.organization_id, row.created_by))
            .chain(quarterly.iter().map(|row| (row.job_id, &row.job_link, row.organization_id, row.created_by)));
        for (job, link, organization, user) in rows {
            let Some(job) = job else { continue };
            let job = jobs.get(&job).unwrap_or_else(|| panic!("a prediction is linked to {job}, which is gone"));
            assert_eq!(organization, job.organization_id, "a link across organizations");
            assert_eq!(user, Some(job.user_id), "a link across users");
            if link.as_deref() == Some("upload") {
                *linked.entry(job.id).or_default() += 1;
            }
        }
        for (id, count) in &linked {
            assert!(*count <= jobs[id].successful_rows.unwrap_or_default(), "job {id} has more rows than it counted");
        }

        // Progress: what was read is stored or recorded, and no company has a period twice by upload.
        let errors = row_error::Entity::find().all(db).await.unwrap();
        for job in jobs.values().filter(|job| job.origin.is_some()) {
            let (stored, failed) = (job.successful_rows.unwrap_or_default(), job.failed_rows.unwrap_or_default());
            assert_eq!(job.processed_rows, Some(stored + failed), "progress of {}", job.id);
            let recorded = errors.iter().filter(|error| error.job_id == job.id).count();
            assert_eq!(recorded, usize::try_from(failed).unwrap(), "row errors of {}", job.id);
        }
        let mut periods = HashSet::new();
        for row in annual.iter().filter(|row| row.job_link.as_deref() == Some("upload")) {
            assert!(
                periods.insert((row.company_id, &row.reporting_year, row.reporting_quarter.as_ref())),
                "a period twice"
            );
        }
        let mut periods = HashSet::new();
        for row in quarterly.iter().filter(|row| row.job_link.as_deref() == Some("upload")) {
            assert!(periods.insert((row.company_id, &row.reporting_year, &row.reporting_quarter)), "a period twice");
        }

        // Receipts: one for each deleted job, and one audit entry with each.
        let mut deleted = HashSet::new();
        let audit = audit_entry::Entity::find().all(db).await.unwrap();
        for receipt in &receipts {
            assert!(deleted.insert(receipt.job_id), "job {} has two receipts", receipt.job_id);
            assert!(!jobs.contains_key(&receipt.job_id), "job {} has a receipt and exists", receipt.job_id);
            let entries = audit.iter().filter(|entry| {
                entry.action == "delete_job" && entry.outcome == "done" && entry.target_id == Some(receipt.job_id)
            });
            assert_eq!(entries.count(), 1, "audit entries of the deletion of {}", receipt.job_id);
        }

        // Files: each belongs to a living job or is about to be purged, and none of a living job is missing.
        let pending: HashSet<Uuid> = artifact_purge::Entity::find()
            .all(db)
            .await
            .unwrap()
            .into_iter()
            .filter(|purge| purge.completed_at.is_none())
            .map(|purge| purge.job_id)
            .collect();
        let keys: HashSet<String> = self.app.store.keys().await.unwrap().into_iter().collect();
        for key in &keys {
            let job: Uuid = key.split('/').nth(1).unwrap().parse().unwrap();
            assert!(key.starts_with("jobs/"), "a stray file: {key}");
            assert!(jobs.contains_key(&job) || pending.contains(&job), "a file of no job: {key}");
        }
        for artifact in artifact::Entity::find().all(db).await.unwrap() {
            let folder = if artifact.kind == "input" { "input" } else { "output" };
            let key = format!("jobs/{}/{folder}/{}", artifact.job_id, artifact.id);
            assert!(keys.contains(&key), "the file {key} is missing");
            let bytes = self.content(&artifact).await;
            assert_eq!(i64::try_from(bytes.len()).unwrap(), artifact.size, "the size of {key}");
            assert_eq!(Some(sha256(&bytes)), artifact.sha256, "the hash of {key}");
            if artifact.kind == "results" {
                let rows = annual.iter().map(|row| (row.id, row.job_id, &row.job_link));
                let rows = rows.chain(quarterly.iter().map(|row| (row.id, row.job_id, &row.job_link)));
                let stored =
                    rows.filter(|(_, job, link)| *job == Some(artifact.job_id) && link.as_deref() == Some("upload"));
                check_results(&jobs[&artifact.job_id], &bytes, &stored.map(|(id, ..)| id).collect());
            }
        }

        // Of a cleaned job no file is left but those that it still knows.
        let known: HashSet<Uuid> =
            artifact::Entity::find().all(db).await.unwrap().into_iter().map(|file| file.id).collect();
        for job in jobs.values().filter(|job| job.data_cleaned_at.is_some() && !pending.contains(&job.id)) {
            let folder = format!("jobs/{}/", job.id);
            for key in keys.iter().filter(|key| key.starts_with(&folder)) {
                let id: Uuid = key.rsplit('/').next().unwrap().parse().unwrap();
                assert!(known.contains(&id), "a file of a cleaned job is left: {key}");
            }
        }

        if self.engine == Engine::Postgres {
            // One that is dropped is rolled back a moment later; one that is left would stay.
            let open = "SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
            self.until(async || (self.count(open).await == 0).then_some(())).await;
        }
    }
}

/// The results of an ended job name each row that was processed once, and each prediction that is linked to the job.
fn check_results(job: &job::Model, results: &[u8], stored: &HashSet<Uuid>) {
    let mut named = HashSet::new();
    let (mut errors, mut lines) = (0, 0);
    for row in csv::Reader::from_reader(results).records() {
        let row = row.unwrap();
        let line: i32 = row[0].parse().unwrap();
        assert!(line > lines, "line {line} stands behind {lines} in the results of {}", job.id);
        lines = line;
        match (row[8].is_empty(), row[9].is_empty()) {
            (false, true) => assert!(named.insert(row[8].parse().unwrap()), "a prediction twice in the results"),
            (true, false) => errors += 1,
            _ => panic!("a row with neither or both of prediction and error: {row:?}"),
        }
    }
    assert_eq!(i32::try_from(named.len()).ok(), job.successful_rows, "the results of {}", job.id);
    assert_eq!(Some(errors), job.failed_rows, "the results of {}", job.id);
    // Some may be gone one by one since.
    assert!(stored.is_subset(&named), "a prediction of {} is not in its results", job.id);
}

/// As hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
