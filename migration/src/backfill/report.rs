//! What a plan or a run comes to: in total, job by job, and row by row.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt::Write as _,
    fs::File,
    io::{BufWriter, Write as _},
    path::Path,
};

use entity::stored::{Kind, LinkSource};
use sea_orm_migration::sea_orm::prelude::Uuid;
use serde_json::{Value, json};

use super::{
    estimate::Estimate,
    facts::{Reason, State, Verdict},
    walk::{Decided, Evidence},
};
use crate::counted::counted;

/// What was decided about one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The job.
    pub job: Uuid,
    /// The weakest evidence that one of its links rests on.
    pub evidence: Option<LinkSource>,
    /// Rows linked to it.
    pub linked: u64,
    /// Rows that it may have made and that stay without a link.
    pub unresolved: u64,
    /// A remark.
    pub note: Option<String>,
}

impl Decision {
    const fn about(job: Uuid) -> Self {
        Self { job, evidence: None, linked: 0, unresolved: 0, note: None }
    }

    fn merge(&mut self, other: &Self) {
        self.evidence = self.evidence.max(other.evidence);
        self.linked += other.linked;
        self.unresolved += other.unresolved;
        self.note = self.note.take().or_else(|| other.note.clone());
    }
}

/// The whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Rows looked at.
    pub rows: u64,
    /// Rows that were linked or released before.
    pub left_alone: u64,
    /// Rows linked, by evidence.
    pub linked: BTreeMap<LinkSource, u64>,
    /// Rows left without a link, by reason.
    pub unresolved: BTreeMap<&'static str, u64>,
    /// Predictions that the operator's list names.
    pub listed: u64,
    /// Files of jobs that were read.
    pub files: u64,
    /// Files of jobs that cannot be used; the remark on each job says why.
    pub unusable: u64,
    /// Job by job.
    pub decisions: BTreeMap<Uuid, Decision>,
    /// How many of the links by time alone may be wrong.
    pub estimate: Estimate,
}

impl Report {
    /// Before anything is decided.
    pub fn new(evidence: &Evidence) -> Self {
        Self { listed: evidence.manifest.len(), ..Self::default() }
    }

    /// Counts what was decided, and answers what that adds to the decisions about jobs.
    pub fn add(&mut self, decided: &Decided) -> Vec<Decision> {
        let added = match decided {
            Decided::Quiet(time) => {
                self.estimate.add_quiet(*time);
                Vec::new()
            }
            Decided::Job(window) if window.state == State::Deleted => Vec::new(),
            Decided::Job(window) => {
                self.estimate.add_window(window);
                self.files += u64::from(window.listed.is_some());
                self.unusable += u64::from(window.note.is_some());
                vec![Decision { note: window.note.clone(), ..Decision::about(window.job) }]
            }
            Decided::Rows { rows, outside, .. } => self.add_rows(rows, *outside),
        };
        for decision in &added {
            match self.decisions.entry(decision.job) {
                Entry::Vacant(entry) => _ = entry.insert(decision.clone()),
                Entry::Occupied(mut entry) => entry.get_mut().merge(decision),
            }
        }
        added
    }

    fn add_rows(&mut self, rows: &[(Uuid, Verdict)], outside: bool) -> Vec<Decision> {
        let mut jobs: BTreeMap<Uuid, Decision> = BTreeMap::new();
        for (_, verdict) in rows {
            self.rows += 1;
            match verdict {
                Verdict::Alone => self.left_alone += 1,
                Verdict::Link(job, source) => {
                    *self.linked.entry(*source).or_default() += 1;
                    let decision = jobs.entry(*job).or_insert_with(|| Decision::about(*job));
                    decision.linked += 1;
                    decision.evidence = decision.evidence.max(Some(*source));
                    if *source == LinkSource::TimeWindow {
                        self.estimate.add_link(*job);
                    }
                }
                Verdict::Leave(reason, candidates) => {
                    *self.unresolved.entry(reason.as_stored()).or_default() += 1;
                    // A job that was deleted is not in the list.
                    for job in candidates.iter().filter(|job| self.decisions.contains_key(*job)) {
                        jobs.entry(*job).or_insert_with(|| Decision::about(*job)).unresolved += 1;
                    }
                    if outside && *reason == Reason::JobDeleted {
                        self.estimate.strangers += 1;
                    }
                }
            }
        }
        jobs.into_values().collect()
    }

    /// Links by time alone, and how many of them are likely to be wrong.
    pub fn by_time(&self) -> Option<(u64, u64)> {
        let links = self.linked.get(&LinkSource::TimeWindow)?;
        Some((*links, self.estimate.wrong().min(*links)))
    }

    /// Rows linked.
    pub fn total_linked(&self) -> u64 {
        self.linked.values().sum()
    }

    /// Rows left without a link.
    pub fn total_unresolved(&self) -> u64 {
        self.unresolved.values().sum()
    }

    /// For programs. The jobs are in the order of their ids.
    pub fn json(&self) -> Value {
        json!({
            "rows": self.rows,
            "leftAlone": self.left_alone,
            "listed": self.listed,
            "files": { "read": self.files, "unusable": self.unusable },
            "linked": self.linked.iter().map(|(source, rows)| (source.as_stored().to_owned(), json!(rows)))
                .collect::<serde_json::Map<_, _>>(),
            "unresolved": self.unresolved,
            "timeWindow": self.by_time().map(|(links, wrong)| json!({
                "links": links,
                "expectedWrong": wrong,
                "rowsOfDeletedJobsOutsideAllWindows": self.estimate.strangers,
            })),
            "jobs": self.decisions.values().map(|decision| json!({
                "jobId": decision.job,
                "evidence": decision.evidence.map(LinkSource::as_stored),
                "linked": decision.linked,
                "unresolved": decision.unresolved,
                "note": decision.note,
            })).collect::<Vec<_>>(),
        })
    }

    /// For people. `linked` is the word for what is or was done.
    pub fn text(&self, linked: &str) -> String {
        let mut text = format!("{}; {} linked or released before\n", counted(self.rows, "prediction"), self.left_alone);
        // Writing to a String cannot fail.
        if self.listed > 0 {
            let linked = self.linked.get(&LinkSource::Manifest).unwrap_or(&0);
            _ = writeln!(
                text,
                "your list names {}: {linked} by it; the rest are gone, linked or released before, or cannot be \
                 of the job that is named (contradicted)",
                counted(self.listed, "prediction")
            );
        }
        _ = writeln!(text, "files of jobs read: {}", self.files);
        if self.unusable > 0 {
            _ = writeln!(text, "files that cannot be used: {}; --report FILE.json says why", self.unusable);
        }
        _ = writeln!(text, "{linked}: {}", self.total_linked());
        for (source, rows) in &self.linked {
            _ = writeln!(text, "  by {}: {rows}", source.as_stored());
        }
        if let Some((links, wrong)) = self.by_time() {
            _ = writeln!(
                text,
                "  of the {links} by time_window about {wrong} are expected to be wrong: jobs that were deleted without a \
                 trace wrote {} outside all windows, and may have written some inside",
                counted(self.estimate.strangers, "row")
            );
        }
        _ = writeln!(text, "left without a link: {}", self.total_unresolved());
        for (reason, rows) in &self.unresolved {
            _ = writeln!(text, "  {reason}: {rows}");
        }
        let full = self.decisions.values().filter(|decision| decision.linked > 0).count();
        _ = writeln!(text, "jobs: {full} of {} get links", self.decisions.len());
        text
    }
}

/// The list of rows that stay without a link, as CSV.
pub struct Unresolved {
    file: BufWriter<File>,
}

impl Unresolved {
    /// Begins the file.
    pub fn create(path: &Path) -> std::io::Result<Self> {
        let mut file = BufWriter::new(File::create(path)?);
        writeln!(file, "kind,prediction_id,reason,candidates")?;
        Ok(Self { file })
    }

    /// Writes what was left. Ids and words need no quotes.
    pub fn add(&mut self, kind: Kind, rows: &[(Uuid, Verdict)]) -> std::io::Result<()> {
        for (id, verdict) in rows {
            if let Verdict::Leave(reason, candidates) = verdict {
                let candidates: Vec<String> = candidates.iter().map(ToString::to_string).collect();
                writeln!(self.file, "{},{id},{},{}", kind.as_stored(), reason.as_stored(), candidates.join(" "))?;
            }
        }
        Ok(())
    }

    /// Ends the file.
    pub fn finish(mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}
