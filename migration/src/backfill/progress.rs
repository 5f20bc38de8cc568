//! Tells how far a plan or a run is: a bar on a terminal, a line now and then elsewhere.

use std::{
    io::IsTerminal,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

use crate::counted::counted;

/// How often there is a line where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// How far it is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Predictions looked at.
    pub rows: u64,
    /// Of how many.
    pub of: u64,
    /// Links found, or written.
    pub linked: u64,
}

/// Who is told how far it is.
#[derive(Clone, Default)]
pub struct Watch(Option<Arc<dyn Fn(Progress) + Send + Sync>>);

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Watch(somebody)" } else { "Watch(nobody)" })
    }
}

impl Watch {
    /// The person in front of this program.
    pub fn person() -> Self {
        Self(Some(if std::io::stderr().is_terminal() { bar() } else { lines() }))
    }

    /// Whether there is anybody.
    pub fn is_somebody(&self) -> bool {
        self.0.is_some()
    }

    /// Tells them.
    pub fn tell(&self, progress: Progress) {
        if let Some(tell) = &self.0 {
            tell(progress);
        }
    }
}

fn bar() -> Arc<dyn Fn(Progress) + Send + Sync> {
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{wide_bar} {human_pos} of {human_len} predictions, {msg}, {eta} left");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    Arc::new(move |progress| {
        bar.set_length(progress.of.max(progress.rows));
        bar.set_position(progress.rows);
        bar.set_message(format!("{} linked", progress.linked));
        if progress.rows >= progress.of {
            bar.finish_and_clear();
        }
    })
}

fn lines() -> Arc<dyn Fn(Progress) + Send + Sync> {
    let began = Instant::now();
    let last = Mutex::new(began);
    Arc::new(move |progress| {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() < LINE_EVERY {
            return;
        }
        *last = Instant::now();
        tracing::info!("{}", line(progress, began.elapsed()));
    })
}

fn line(progress: Progress, since: Duration) -> String {
    let Progress { rows, of, linked } = progress;
    let left = of.saturating_sub(rows);
    let time = u32::try_from(rows.max(1)).ok().and_then(|rows| {
        let left = u32::try_from(left).ok()?;
        Some(since.checked_mul(left)? / rows)
    });
    let time = time.map_or_else(String::new, |time| format!(", about {} left", HumanDuration(time)));
    format!("{rows} of {}, {linked} linked{time}", counted(of, "prediction"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_much_is_left() {
        let progress = Progress { rows: 250_000, of: 1_000_000, linked: 240_000 };
        assert_eq!(
            line(progress, Duration::from_mins(1)),
            "250000 of 1000000 predictions, 240000 linked, about 3 minutes left"
        );
        let nothing = Progress { rows: 0, of: 0, linked: 0 };
        assert_eq!(line(nothing, Duration::ZERO), "0 of 0 predictions, 0 linked, about 0 seconds left");
    }
}
