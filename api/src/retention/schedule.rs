//! Runs at times that a cron line names, by UTC. Each time has one run, however many servers there are.

use std::{fmt, str::FromStr, time::Duration};

use croner::{
    Cron,
    parser::{CronParser, Seconds},
};
use entity::stored::RetentionTrigger;
use sea_orm::prelude::{DateTimeUtc, Uuid};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::run::{self, Wanted};
use crate::{app::App, audit::Actor, checkpoint::Checkpoint, database::now, error::Error};

/// How much later than its time a run may begin, so that the servers do not all ask the database at once.
const JITTER: Duration = Duration::from_mins(1);
/// How often to look at the clock, which may be set meanwhile.
const LOOK: Duration = Duration::from_secs(30);

/// When runs begin.
#[derive(Clone, Debug)]
pub struct Schedule(Cron);

/// Why a text is no schedule; one sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSchedule {
    /// It has not five fields.
    #[error("give a cron line of five fields by UTC, such as \"0 2 * * *\" for 02:00 each day")]
    Shape,
    /// One of them says nothing.
    #[error("{text:?} is no {field} of a cron line, which goes such as \"0 2 * * *\" for 02:00 each day")]
    Field {
        /// What it stands for.
        field: &'static str,
        /// What it says.
        text: String,
    },
    /// Each of them says something, and no time is all of it.
    #[error("no day is as this cron line says; \"0 2 * * *\" is 02:00 each day")]
    Never,
}

/// The fields of a cron line.
const FIELDS: [&str; 5] =
    ["minute (0 to 59)", "hour (0 to 23)", "day of the month (1 to 31)", "month (1 to 12)", "day of the week (0 to 7)"];

impl NoSchedule {
    /// What is wrong with a line that the parser refuses: the first field that it refuses by itself.
    fn of(text: &str, parses: impl Fn(&str) -> bool) -> Self {
        let fields: Vec<&str> = text.split_whitespace().collect();
        if fields.len() != FIELDS.len() {
            return Self::Shape;
        }
        let alone = |place: usize, field: &str| {
            let mut line = ["*"; FIELDS.len()];
            line[place] = field;
            line.join(" ")
        };
        let mut each = FIELDS.iter().zip(fields).enumerate();
        let wrong = each.find(|(place, (_, field))| !parses(&alone(*place, field)));
        wrong.map_or(Self::Never, |(_, (field, text))| Self::Field { field, text: text.to_owned() })
    }
}

impl FromStr for Schedule {
    type Err = NoSchedule;

    fn from_str(text: &str) -> Result<Self, NoSchedule> {
        let parser = CronParser::builder().seconds(Seconds::Disallowed).build();
        let why = |_| NoSchedule::of(text, |line| parser.parse(line).is_ok());
        let schedule = Self(parser.parse(text).map_err(why)?);
        // One that never comes, as 30 February.
        schedule.after(now()).map(|_| schedule).ok_or(NoSchedule::Never)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl Schedule {
    /// The first time after a moment.
    pub fn after(&self, moment: DateTimeUtc) -> Option<DateTimeUtc> {
        self.0.find_next_occurrence(&moment, false).ok()
    }
}

/// The time of day, by which runs begin.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's.
    Machine,
    /// One that stands still until a test moves it.
    Held(watch::Receiver<DateTimeUtc>),
}

impl Clock {
    /// What it shows.
    fn now(&mut self) -> DateTimeUtc {
        match self {
            Self::Machine => now(),
            Self::Held(time) => *time.borrow_and_update(),
        }
    }

    /// Waits until it may show something else; the machine's for so long at most.
    async fn moves(&mut self, most: Duration) {
        match self {
            Self::Machine => tokio::time::sleep(most.min(LOOK)).await,
            Self::Held(time) => {
                if time.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

/// Begins the runs of a schedule until `stop`; whichever server finds them carries them out.
pub async fn work(app: App, schedule: Schedule, mut clock: Clock, stop: CancellationToken) {
    // Another server, or this one before it was started again, may have been about to begin one.
    let mut last = clock.now() - JITTER;
    while let Some(time) = schedule.after(last) {
        let jitter = JITTER.mul_f64(f64::from(Uuid::new_v4().as_fields().0) / f64::from(u32::MAX));
        if !wait_until(&app, &mut clock, time + jitter, &stop).await {
            return;
        }
        while let Err(error) = begin(&app, time).await {
            tracing::error!("the retention run of {time} was not begun, and is tried again in {LOOK:?}: {error}");
            let again = clock.now() + LOOK;
            if !wait_until(&app, &mut clock, again, &stop).await {
                return;
            }
        }
        // Of times that were slept through the first has its run now; the others are not made up for.
        last = time.max(clock.now() - JITTER);
    }
}

/// Begins the run for a time of the schedule, unless another process has.
pub async fn begin(app: &App, time: DateTimeUtc) -> Result<bool, Error> {
    let wanted = Wanted {
        trigger: RetentionTrigger::Schedule,
        by: Actor::default(),
        scheduled_for: Some(time),
        policy: app.retention.policy,
        at: now(),
        claimed: false,
    };
    Ok(run::begin(app, &wanted).await?.is_some())
}

/// Whether that time has come; else it was told to stop.
async fn wait_until(app: &App, clock: &mut Clock, time: DateTimeUtc, stop: &CancellationToken) -> bool {
    loop {
        let left = (time - clock.now()).to_std().unwrap_or_default();
        if left.is_zero() {
            return true;
        }
        if let Err(error) = app.checkpoints.pass(Checkpoint::ScheduleWaits).await {
            tracing::error!("the schedule of retention looks at the clock again: {error}");
        }
        tokio::select! {
            () = stop.cancelled() => return false,
            () = clock.moves(left) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_names_times_by_utc() {
        let schedule: Schedule = "0 2 * * *".parse().expect("a schedule");
        let moment: DateTimeUtc = "2026-03-05T02:00:00Z".parse().expect("a time");
        assert_eq!(schedule.after(moment).map(|time| time.to_rfc3339()).as_deref(), Some("2026-03-06T02:00:00+00:00"));
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for text in ["", "daily", "0 2 * *", "0 0 2 * * *", "61 2 * * *", "0 0 30 2 *"] {
            assert!(text.parse::<Schedule>().is_err(), "{text}");
        }
    }
}
