//! From times to the cells of a table.

use std::time::Duration;

/// Fewer pairs tell nothing.
const FEWEST: usize = 8;

/// Of a normal distribution, 95 % lie within so many standard deviations.
const DEVIATIONS: f64 = 1.96;

/// Times of both sides, measured one right after the other, in milliseconds.
#[derive(Clone, Debug, Default)]
pub struct Pairs(Vec<Pair>);

#[derive(Clone, Copy, Debug)]
pub struct Pair {
    pub ours: f64,
    pub bare: f64,
}

impl Pairs {
    pub fn add(&mut self, ours: Duration, bare: Duration) {
        self.0.push(Pair { ours: ours.as_secs_f64() * 1e3, bare: bare.as_secs_f64() * 1e3 });
    }

    /// What each pair says, in order.
    pub fn each(&self, of: impl Fn(&Pair) -> f64) -> Sorted {
        Sorted::of(self.0.iter().map(of).collect())
    }

    /// How many times as long ours took.
    pub fn ratios(&self) -> Sorted {
        self.each(|pair| pair.ours / pair.bare)
    }

    /// How much longer ours took.
    pub fn differences(&self) -> Sorted {
        self.each(|pair| pair.ours - pair.bare)
    }
}

/// Figures in order.
#[derive(Clone, Debug)]
pub struct Sorted(Vec<f64>);

impl Sorted {
    /// Puts figures in order.
    pub fn of(mut figures: Vec<f64>) -> Self {
        figures.sort_unstable_by(f64::total_cmp);
        Self(figures)
    }

    /// The figure below which a part of them lies.
    pub fn quantile(&self, part: f64) -> f64 {
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
        let at = |index: usize| self.0[index.min(self.0.len() - 1)];
        at(below) * (1.0 - weight) + at(below + 1) * weight
    }

    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// Between which figures the median lies with 95 % confidence, by the binomial distribution of their order
    /// (Conover, Practical Nonparametric Statistics, 3.2).
    pub fn confidence(&self) -> (f64, f64) {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "small"
        )]
        let outside = {
            let count = self.0.len() as f64;
            (DEVIATIONS.mul_add(-count.sqrt(), count) / 2.0).max(0.0) as usize
        };
        (self.0[outside], self.0[self.0.len() - 1 - outside])
    }

    /// The median time, and between which the middle half of them lies.
    pub fn times(&self) -> String {
        format!("{} ({} to {})", ms(self.median()), plain(self.quantile(0.25)), plain(self.quantile(0.75)))
    }
}

/// Milliseconds as people read them.
pub fn ms(milliseconds: f64) -> String {
    format!("{} ms", plain(milliseconds))
}

/// A time as people read it.
pub fn seconds(time: std::time::Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
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

/// As [`limit`], of the median of figures of pairs: where the limit lies within its confidence, or the pairs are few, it is
/// neither kept nor missed, and that clears `kept` too.
pub fn limit_of(text: &str, figures: &Sorted, most: f64, kept: &mut bool) -> String {
    let (low, high) = figures.confidence();
    let doubt = if figures.0.len() < FEWEST {
        "too few pairs to tell"
    } else if low <= most && most < high {
        "too noisy to tell"
    } else {
        return limit(text, high <= most, kept);
    };
    *kept = false;
    format!("{text} **{doubt}**")
}

/// As [`limit_of`], where the figures may not be below `least`.
pub fn limit_from(text: &str, figures: &Sorted, least: f64, kept: &mut bool) -> String {
    limit_of(text, &Sorted::of(figures.0.iter().map(|figure| -figure).collect()), -least, kept)
}

/// Prints a table in Markdown.
pub fn print_table(title: &str, head: &[&str], rows: &[Vec<String>]) {
    println!("### {title}\n\n| {} |\n|{}", head.join(" | "), "---:|".repeat(head.len()));
    for row in rows {
        println!("| {} |", row.join(" | "));
    }
    println!();
}
