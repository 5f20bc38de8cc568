//! Tells how far a long command is: a bar on a terminal, a line now and then elsewhere.

use std::{
    io::IsTerminal,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

use crate::counted::{counted, named};

/// How often there is a line where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// How far it is.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Rows that are dealt with.
    pub rows: u64,
    /// Of how many.
    pub of: u64,
    /// What else there is to say.
    pub more: String,
}

type Tell = dyn Fn(&Progress) + Send + Sync;

/// Who is told how far it is. Time counts from the first time.
#[derive(Clone, Default)]
pub struct Watch(Option<Arc<Tell>>);

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Watch(somebody)" } else { "Watch(nobody)" })
    }
}

impl Watch {
    /// The person in front of this program, who is told of rows by their name, in English and for one of them.
    pub fn person(noun: &'static str) -> Self {
        Self(Some(if std::io::stderr().is_terminal() { bar(noun) } else { lines(noun) }))
    }

    /// Whether there is anybody.
    pub fn is_somebody(&self) -> bool {
        self.0.is_some()
    }

    /// Tells them.
    pub fn tell(&self, progress: &Progress) {
        if let Some(tell) = &self.0 {
            tell(progress);
        }
    }
}

fn bar(noun: &str) -> Arc<Tell> {
    let bar = ProgressBar::new(0);
    let template = format!("{{wide_bar}} {{human_pos}} of {{human_len}} {}, {{msg}}, {{eta}} left", named(2, noun));
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    Arc::new(move |progress| {
        bar.set_length(progress.of.max(progress.rows));
        bar.set_position(progress.rows);
        bar.set_message(progress.more.clone());
        if progress.rows >= progress.of {
            bar.finish_and_clear();
        }
    })
}

fn lines(noun: &'static str) -> Arc<Tell> {
    // When it began, and when there was a line.
    let times: Mutex<Option<(Instant, Instant)>> = Mutex::default();
    Arc::new(move |progress| {
        let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
        let (began, last) = times.get_or_insert_with(|| (Instant::now(), Instant::now()));
        if last.elapsed() < LINE_EVERY {
            return;
        }
        *last = Instant::now();
        tracing::info!("{}", line(noun, progress, began.elapsed()));
    })
}

fn line(noun: &str, progress: &Progress, since: Duration) -> String {
    let Progress { rows, of, more } = progress;
    let left = of.saturating_sub(*rows);
    let time = u32::try_from((*rows).max(1)).ok().and_then(|rows| {
        let left = u32::try_from(left).ok()?;
        Some(since.checked_mul(left)? / rows)
    });
    let time = time.map_or_else(String::new, |time| format!(", about {} left", HumanDuration(time)));
    format!("{rows} of {}, {more}{time}", counted(of, noun))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_much_is_left() {
        let progress = Progress { rows: 250_000, of: 1_000_000, more: "240000 linked".to_owned() };
        assert_eq!(
            line("prediction", &progress, Duration::from_mins(1)),
            "250000 of 1000000 predictions, 240000 linked, about 3 minutes left"
        );
        let nothing = Progress { rows: 0, of: 0, more: "users".to_owned() };
        assert_eq!(line("row", &nothing, Duration::ZERO), "0 of 0 rows, users, about 0 seconds left");
    }
}
