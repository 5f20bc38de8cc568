//! `deleteJob` with its predictions over HTTP, beside the bare SQL.

use std::time::{Duration, Instant};

use anyhow::Result;
use sea_orm::prelude::Uuid;

use crate::{
    MOST_MEMORY,
    figures::{Pairs, limit, limit_of, megabytes, ms, print_table, thousands},
    place::Place,
    server::Server,
};

/// Pairs that are not counted: plans are cached, and pages read, by then.
const WARM_UP: usize = 6;

/// One size of job: its predictions, how many pairs, and how much longer than the bare SQL it may take.
struct Size {
    predictions: usize,
    pairs: usize,
    limit: Limit,
}

enum Limit {
    Ratio(f64),
    Milliseconds(f64),
    None,
}

const SIZES: [Size; 3] = [
    Size { predictions: 1_000, pairs: 40, limit: Limit::Milliseconds(5.0) },
    Size { predictions: 10_000, pairs: 20, limit: Limit::None },
    Size { predictions: 100_000, pairs: 80, limit: Limit::Ratio(1.15) },
];

/// Measures and prints; `false`: a figure is beyond its limit.
pub async fn measure(place: &mut Place, pairs: Option<usize>) -> Result<bool> {
    let mut kept = true;
    let mut rows = Vec::new();
    for size in SIZES {
        let pairs = pairs.unwrap_or(size.pairs);
        eprintln!("deleting {} predictions, {pairs} pairs", thousands(size.predictions));
        // A fresh process for each size, so that its peak memory is that of this size.
        let server = place.server()?;
        let mut times = Pairs::default();
        for pair in 0..WARM_UP + pairs {
            let (ours, theirs) = pair_of_times(place, &server, size.predictions, pair % 2 == 0).await?;
            if pair >= WARM_UP {
                times.add(ours, theirs);
            }
        }
        let memory = server.peak_memory()?;
        let (ratios, differences) = (times.ratios(), times.differences());
        let wanted = match size.limit {
            Limit::Ratio(most) => limit_of(&format!("{most} times"), &ratios, most, &mut kept),
            Limit::Milliseconds(most) => limit_of(&format!("{most} ms more"), &differences, most, &mut kept),
            Limit::None => "none".to_owned(),
        };
        let (low, high) = ratios.confidence();
        rows.push(vec![
            thousands(size.predictions),
            pairs.to_string(),
            times.each(|pair| pair.bare).times(),
            times.each(|pair| pair.ours).times(),
            format!("{:.3} ({low:.3} to {high:.3})", ratios.median()),
            ms(differences.median()),
            wanted,
            megabytes(memory),
            limit(&megabytes(MOST_MEMORY), memory < MOST_MEMORY, &mut kept),
        ]);
    }
    print_table(
        "Deleting a job with its predictions",
        &["predictions", "pairs", "bare SQL", "deleteJob", "times", "more", "limit", "peak memory", "limit"],
        &rows,
    );
    Ok(kept)
}

/// Deletes two equal jobs, one on each side.
async fn pair_of_times(
    place: &mut Place,
    server: &Server,
    predictions: usize,
    ours_first: bool,
) -> Result<(Duration, Duration)> {
    let (job, other) = (place.seed(predictions).await?, place.seed(predictions).await?);
    place.settle().await?;
    place.check_plans(job).await?;
    // At rest again between the two: else the second would clear away the dead rows of the first.
    if ours_first {
        let ours = server.delete(job, predictions).await?;
        place.settle().await?;
        Ok((ours, bare(place, other).await?))
    } else {
        let theirs = bare(place, job).await?;
        place.settle().await?;
        Ok((server.delete(other, predictions).await?, theirs))
    }
}

/// The same deletion as psql would send it, statement by statement, by somebody who knows the job's kind.
async fn bare(place: &mut Place, job: Uuid) -> Result<Duration> {
    let predictions = format!("DELETE FROM annual_predictions WHERE job_id = '{job}'");
    let row = format!("DELETE FROM bulk_upload_jobs WHERE id = '{job}'");
    let began = Instant::now();
    place.run_bare("BEGIN").await?;
    place.run_bare(&predictions).await?;
    place.run_bare(&row).await?;
    place.run_bare("COMMIT").await?;
    Ok(began.elapsed())
}
