//! Which jobs are meant.

use chrono::{DateTime, Days, NaiveDate, SecondsFormat, Utc};
use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use client::{
    Again, Error, Server,
    operations::{JobOrigin, JobStatus, ListJobs, PredictionKind, WhoAmI, list_jobs, who_am_i},
};

use crate::cli::Exit;

/// The most that a page holds (`jobs` in the schema).
const PAGE: usize = 100;

/// Which jobs are meant; what is not given does not matter.
#[derive(Clone, Debug, Default, Args, PartialEq, Eq)]
#[command(next_help_heading = "Which jobs")]
pub struct Filter {
    /// In one of these states, with commas between them
    #[arg(long, value_name = "STATUS", value_delimiter = ',', ignore_case = true, value_parser = status())]
    status: Vec<JobStatus>,
    /// Of this kind
    #[arg(long, value_name = "KIND", ignore_case = true, value_parser = kind())]
    kind: Option<PredictionKind>,
    /// Made by this program: by Joblink, or by the one whose database was adopted
    #[arg(long, value_name = "ORIGIN", ignore_case = true, value_parser = origin())]
    origin: Option<JobOrigin>,
    /// Created by you
    #[arg(long, conflicts_with = "created_by")]
    mine: bool,
    /// Created by this user
    #[arg(long, value_name = "ID")]
    created_by: Option<String>,
    /// Created at this time or later: 2026-03-05, 2026-03-05T09:00:00Z, or how long ago: 30m, 12h, 30d
    #[arg(long, value_name = "TIME", value_parser = time)]
    created_after: Option<DateTime<Utc>>,
    /// Created before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    created_before: Option<DateTime<Utc>>,
    /// Ended at this time or later
    #[arg(long, value_name = "TIME", value_parser = time)]
    finished_after: Option<DateTime<Utc>>,
    /// Ended before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    finished_before: Option<DateTime<Utc>>,
    /// With this in the file's name, or at the beginning of the job's id
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
}

fn status() -> impl TypedValueParser<Value = JobStatus> {
    let all = ["PENDING", "RUNNING", "CANCELLING", "COMPLETED", "FAILED", "CANCELLED"];
    PossibleValuesParser::new(all).map(|text| match text.to_ascii_uppercase().as_str() {
        "PENDING" => JobStatus::PENDING,
        "RUNNING" => JobStatus::RUNNING,
        "CANCELLING" => JobStatus::CANCELLING,
        "COMPLETED" => JobStatus::COMPLETED,
        "FAILED" => JobStatus::FAILED,
        _ => JobStatus::CANCELLED,
    })
}

/// Reads a kind of predictions.
pub fn kind() -> impl TypedValueParser<Value = PredictionKind> {
    PossibleValuesParser::new(["ANNUAL", "QUARTERLY"]).map(|text| match text.to_ascii_uppercase().as_str() {
        "ANNUAL" => PredictionKind::ANNUAL,
        _ => PredictionKind::QUARTERLY,
    })
}

fn origin() -> impl TypedValueParser<Value = JobOrigin> {
    PossibleValuesParser::new(["JOBLINK", "ADOPTED"]).map(|text| match text.to_ascii_uppercase().as_str() {
        "JOBLINK" => JobOrigin::JOBLINK,
        _ => JobOrigin::ADOPTED,
    })
}

fn time(text: &str) -> Result<DateTime<Utc>, String> {
    let absolute = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()).ok();
    let day = || text.parse::<NaiveDate>().ok().map(|day| day.and_time(chrono::NaiveTime::MIN).and_utc());
    absolute.or_else(day).or_else(|| ago(text)).ok_or_else(|| {
        "give a day such as 2026-03-05 (UTC), a time such as 2026-03-05T09:00:00Z, or how long ago: 30m, 12h, 30d"
            .to_owned()
    })
}

fn ago(text: &str) -> Option<DateTime<Utc>> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u32 = number.parse().ok()?;
    let now = Utc::now();
    match unit {
        "d" => now.checked_sub_days(Days::new(number.into())),
        "h" => now.checked_sub_signed(chrono::Duration::hours(number.into())),
        "m" => now.checked_sub_signed(chrono::Duration::minutes(number.into())),
        _ => None,
    }
}

/// One job of a list.
pub type Listed = list_jobs::ListJobsJobsNodes;

/// In which order jobs come.
#[derive(Clone, Copy, Debug)]
pub enum Order {
    /// The newest first.
    Newest,
    /// Those that ended first.
    EndedFirst,
}

impl Order {
    fn given(self) -> list_jobs::JobOrder {
        use list_jobs::{JobOrder, JobOrderField, OrderDirection};
        match self {
            Self::Newest => JobOrder { field: JobOrderField::CREATED_AT, direction: OrderDirection::DESC },
            Self::EndedFirst => JobOrder { field: JobOrderField::FINISHED_AT, direction: OrderDirection::ASC },
        }
    }
}

impl Filter {
    /// Whether it leaves all jobs in.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Gives the jobs page by page, up to a number of them; `take` says whether it wants more.
    pub async fn pages(
        &self,
        server: &Server,
        limit: usize,
        order: Order,
        mut take: impl FnMut(Vec<Listed>) -> Result<bool, Exit>,
    ) -> Result<(), Exit> {
        let filter = self.given(server).await?;
        let (mut left, mut after) = (limit, None);
        while left > 0 {
            let first = i64::try_from(left.min(PAGE)).unwrap_or_default();
            let variables =
                list_jobs::Variables { first, after, filter: Some(filter.clone()), order_by: order.given() };
            let Some(page) = server.ask::<ListJobs>(variables, Again::Yes).await?.jobs else { return Ok(()) };
            left = left.saturating_sub(page.nodes.len());
            let is_last = !page.page_info.has_next_page || page.nodes.is_empty();
            if !take(page.nodes)? || is_last {
                return Ok(());
            }
            after = page.page_info.end_cursor;
        }
        Ok(())
    }

    async fn given(&self, server: &Server) -> Result<list_jobs::JobFilter, Error> {
        let created_by = if self.mine { Some(who(server).await?) } else { self.created_by.clone() };
        let time = |time: Option<DateTime<Utc>>| time.map(|time| time.to_rfc3339_opts(SecondsFormat::Micros, true));
        Ok(list_jobs::JobFilter {
            status: (!self.status.is_empty()).then(|| self.status.clone()),
            kind: self.kind.clone(),
            origin: self.origin.clone(),
            created_by,
            created_after: time(self.created_after),
            created_before: time(self.created_before),
            finished_after: time(self.finished_after),
            finished_before: time(self.finished_before),
            search: self.search.clone(),
        })
    }
}

async fn who(server: &Server) -> Result<String, Error> {
    let viewer = server.ask::<WhoAmI>(who_am_i::Variables {}, Again::Yes).await?.viewer;
    viewer.map(|viewer| viewer.user.id).ok_or_else(|| Error::NotSignedIn { server: server.name() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_day_or_a_moment_or_how_long_ago() {
        assert_eq!(time("2026-03-05").unwrap().to_rfc3339(), "2026-03-05T00:00:00+00:00");
        assert_eq!(time("2026-03-05T09:00:00+02:00").unwrap().to_rfc3339(), "2026-03-05T07:00:00+00:00");
        for (text, hours) in [("120m", 2), ("36h", 36), ("30d", 720)] {
            let age = Utc::now() - time(text).unwrap();
            assert!((age - chrono::Duration::hours(hours)).abs() < chrono::Duration::seconds(5), "{text}");
        }
        for wrong in ["", "d", "30", "30y", "-3d", "2026-02-30", "yesterday", "4294967295d", "é"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
