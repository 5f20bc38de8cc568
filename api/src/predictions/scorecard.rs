//! Logistic scorecards: each ratio falls in a bin, each bin has a default rate; the rates times the coefficients plus
//! the intercept go through the logistic function.
//!
//! The figures are in `data/annual.json` and `data/quarterly.json`.

use std::sync::LazyLock;

use entity::stored::{Kind, RiskLevel};
use serde::Deserialize;

/// A scorecard for one kind of prediction.
#[derive(Debug, Deserialize)]
pub struct Scorecard {
    intercept: f64,
    features: Vec<Feature>,
}

#[derive(Debug, Deserialize)]
struct Feature {
    ratio: String,
    coefficient: f64,
    bins: Vec<Bin>,
    missing_rate: f64,
    /// For a value that no bin holds.
    otherwise_rate: f64,
}

/// Holds the values above `over` and up to `up_to`; an end that is missing is open.
#[derive(Debug, Deserialize)]
struct Bin {
    over: Option<f64>,
    up_to: Option<f64>,
    rate: f64,
}

/// What scoring a row gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Probability of default, 0 to 1.
    pub probability: f64,
    /// By the probability before it is rounded.
    pub risk_level: RiskLevel,
    /// 0.5 to 1.
    pub confidence: f64,
}

static ANNUAL: LazyLock<Scorecard> = LazyLock::new(|| Scorecard::parse(include_str!("../../data/annual.json")));
static QUARTERLY: LazyLock<Scorecard> = LazyLock::new(|| Scorecard::parse(include_str!("../../data/quarterly.json")));

impl Scorecard {
    /// The scorecard for a kind.
    pub fn of(kind: Kind) -> &'static Self {
        match kind {
            Kind::Annual => &ANNUAL,
            Kind::Quarterly => &QUARTERLY,
        }
    }

    #[expect(clippy::expect_used, reason = "the file is part of the program, and a test parses it")]
    fn parse(text: &str) -> Self {
        serde_json::from_str(text).expect("the scorecards of the program are valid")
    }

    /// The names of the ratios, in the order in which [`Self::score`] takes them; each is a column of the input file.
    pub fn ratios(&self) -> impl ExactSizeIterator<Item = &str> {
        self.features.iter().map(|feature| feature.ratio.as_str())
    }

    /// Scores a row of ratios; `None` = missing. Each of them is finite.
    pub fn score(&self, ratios: &[Option<f64>]) -> Score {
        let terms = self.features.iter().zip(ratios).map(|(feature, ratio)| feature.coefficient * feature.rate(*ratio));
        let logit = self.intercept + terms.sum::<f64>();
        let probability = 1.0 / (1.0 + (-logit).exp());
        Score {
            probability,
            risk_level: risk_level(probability),
            confidence: ((probability - 0.5).abs() * 2.0).max(0.5),
        }
    }
}

impl Feature {
    fn rate(&self, ratio: Option<f64>) -> f64 {
        let Some(ratio) = ratio else { return self.missing_rate };
        let holds =
            |bin: &&Bin| bin.over.is_none_or(|over| ratio > over) && bin.up_to.is_none_or(|up_to| ratio <= up_to);
        self.bins.iter().find(holds).map_or(self.otherwise_rate, |bin| bin.rate)
    }
}

fn risk_level(probability: f64) -> RiskLevel {
    match probability {
        p if p > 0.15 => RiskLevel::Critical,
        p if p >= 0.05 => RiskLevel::High,
        p if p >= 0.02 => RiskLevel::Medium,
        _ => RiskLevel::Low,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn risk_levels_change_at_their_limits() {
        use RiskLevel::{Critical, High, Low, Medium};
        let levels = [0.0, 0.019_999, 0.02, 0.049_999, 0.05, 0.15, 0.150_001, 1.0].map(risk_level);
        assert_eq!(levels, [Low, Low, Medium, Medium, High, High, Critical, Critical]);
    }

    #[test]
    fn a_bin_holds_its_upper_end_and_not_its_lower() {
        // The first feature of the annual scorecard: 0 < x <= 32 and 32 < x <= 38.33; below 0 is in no bin.
        let feature = &Scorecard::of(Kind::Annual).features[0];
        let close = |ratio, rate: f64| (feature.rate(ratio) - rate).abs() < 1e-15;
        assert!(close(Some(32.0), 0.011_650_485_436_893_204));
        assert!(close(Some(32.000_1), 0.018_609_206_660_137_12));
        assert!(close(Some(-1.0), feature.otherwise_rate));
        assert!(close(None, feature.missing_rate));
    }
}
