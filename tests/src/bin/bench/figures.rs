//! From times to the cells of a table.

use std::time::Duration;

/// The times of one side of a measurement.
#[derive(Clone, Debug, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    pub fn add(&mut self, time: Duration) {
        self.0.push(time);
        self.0.sort_unstable();
    }

    /// The time below which a part of the times lies, in milliseconds.
    fn quantile(&self, part: f64) -> f64 {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "small"
        )]
        let (below, weight) = {
            let place = (self.0.len() - 1) as f64 * part;
            (place as usize, place.fract())
        };
        let at = |index: usize| self.0[index.min(self.0.len() - 1)].as_secs_f64() * 1e3;
        at(below) * (1.0 - weight) + at(below + 1) * weight
    }

    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    fn noisy(&self) -> bool {
        self.quantile(0.75) - self.quantile(0.25) > MOST_SPREAD * self.median()
    }

    /// The median, and between which times the middle half of them lies.
    pub fn cell(&self) -> String {
        format!("{} ({} to {})", ms(self.median()), plain(self.quantile(0.25)), plain(self.quantile(0.75)))
    }
}

/// The times of one side are spread too far for its median to tell anything, where the middle half of them takes up
/// more than this part of the median: something else uses the machine.
const MOST_SPREAD: f64 = 0.25;

/// A median of fewer times tells nothing either.
const FEWEST: usize = 8;

/// Milliseconds as people read them.
pub fn ms(milliseconds: f64) -> String {
    format!("{} ms", plain(milliseconds))
}

fn plain(milliseconds: f64) -> String {
    if milliseconds.abs() < 100.0 { format!("{milliseconds:.2}") } else { format!("{milliseconds:.0}") }
}

/// A number with a comma between thousands.
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let ends = digits.len() % 3;
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && place % 3 == ends {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes as megabytes.
pub fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10)
}

/// A limit as the table shows it, marked where the figure is beyond it; what is beyond a limit clears `kept`.
pub fn limit(text: &str, within: bool, kept: &mut bool) -> String {
    *kept &= within;
    if within { text.to_owned() } else { format!("{text} **missed**") }
}

/// As [`limit`], of a figure that comes from times: where one side is noisy or short, the limit is neither kept nor missed, and
/// that clears `kept` too.
pub fn limit_of_times(text: &str, within: bool, sides: [&Times; 2], kept: &mut bool) -> String {
    if sides.iter().any(|side| side.0.len() < FEWEST) {
        *kept = false;
        return format!("{text} **too few pairs to tell**");
    }
    if sides.iter().any(|side| side.noisy()) {
        *kept = false;
        return format!("{text} **too noisy to tell**");
    }
    limit(text, within, kept)
}

/// Prints a table in Markdown.
pub fn print_table(title: &str, head: &[&str], rows: &[Vec<String>]) {
    println!("### {title}\n\n| {} |\n|{}", head.join(" | "), "---:|".repeat(head.len()));
    for row in rows {
        println!("| {} |", row.join(" | "));
    }
    println!();
}
