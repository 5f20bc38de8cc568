//! Queries over HTTP, beside a server that does the least for the same answers.

mod checks;
pub mod client;
pub mod data;
mod floor;
pub mod query;

use std::{path::Path, time::Duration};

use anyhow::{Result, ensure};
use serde_json::Value;

use self::{
    client::{Requests, answers, load},
    data::Data,
    floor::Floor,
    query::{MOST_P99, QUERIES, Query},
};
use crate::{
    figures::{Sorted, limit_from, limit_of, megabytes, print_table, thousands},
    processes::{Postgres, peak_memory, processor_time},
};

/// Predictions in the database, where no other number is given.
const ROWS: usize = 300_000;
/// With fewer the page that is asked for lies beyond the list's end.
pub const FEWEST_ROWS: usize = 200_000;
/// Over which they are spread.
const JOBS: usize = 2_000;
const PAIRS: usize = 12;
/// How long one side is asked before the other has its turn.
const SLICE: Duration = Duration::from_secs(1);
const CONNECTIONS: [usize; 2] = [1, 32];
/// The number of connections to which the limits apply.
const LIMITED: usize = 32;

/// One side: where it is asked, what it is asked, and its process.
struct Side {
    address: String,
    requests: Requests,
    process: u32,
}

/// What a side showed in one slice of time.
struct Slice {
    /// Requests a second.
    throughput: f64,
    /// Times from request to answer.
    latencies: Sorted,
    /// Processor time for one request, in milliseconds: of the side's own process, and of PostgreSQL.
    own: f64,
    postgres: f64,
}

/// Measures and prints; `false`: a figure is beyond its limit.
pub async fn measure(postgres: &str, program: &Path, pairs: Option<usize>, rows: Option<usize>) -> Result<bool> {
    let (pairs, rows) = (pairs.unwrap_or(PAIRS), rows.unwrap_or(ROWS));
    eprintln!("making {} predictions", thousands(rows));
    let mut data = Data::make(postgres, "wire", JOBS, rows / JOBS).await?;
    let server = data.server(program)?;
    data.find_cursor(&server).await?;
    let floor = Floor::start(&data)?;
    let postgres = Postgres::at(postgres).await?;
    let mut kept = true;
    let (mut speeds, mut costs) = (Vec::new(), Vec::new());
    for query in &QUERIES {
        let sides = [
            Side {
                address: server.address()?.to_owned(),
                requests: query.of_server(&data, Some(&data.token), false),
                process: server.id(),
            },
            Side { address: floor.address.clone(), requests: query.of_floor(&data), process: floor.id() },
        ];
        same_answers(&sides).await?;
        for connections in CONNECTIONS {
            eprintln!("{}, {connections} connections, {pairs} pairs", query.name);
            let taken = in_turn(&sides, &postgres, connections, pairs).await?;
            speeds.push(speed(query, connections, &taken, &mut kept));
            costs.push(cost(query, connections, &taken));
        }
    }
    print_table(
        &format!("Queries over HTTP, {} predictions", thousands(rows)),
        &[
            "query",
            "connections",
            "pairs",
            "floor",
            "Joblink",
            "share of the floor",
            "wanted",
            "p50",
            "p99",
            "times p99",
            "limit",
        ],
        &speeds,
    );
    let head = ["query", "connections", "floor", "its PostgreSQL", "Joblink", "its PostgreSQL"];
    print_table("Processor time for one request", &head, &costs);
    let memory = [server.id(), floor.id()].map(peak_memory);
    let [ours, floors] = memory;
    print_table("Peak memory", &["Joblink", "floor"], &[vec![megabytes(ours?), megabytes(floors?)]]);
    kept &= checks::measure(&data, &server, &postgres, pairs).await?;
    Ok(kept)
}

/// Fails where the sides do not answer the same data.
async fn same_answers(sides: &[Side; 2]) -> Result<()> {
    let ours = answers(&sides[0].address, &sides[0].requests).await?;
    let floors = answers(&sides[1].address, &sides[1].requests).await?;
    for (ours, floors) in ours.iter().zip(&floors) {
        ensure!(ours["data"] == floors["data"], "the sides answer differently:\n{ours}\n{floors}");
        ensure!(leaves(&ours["data"]) > 1, "there is nothing in the answer {ours}");
    }
    Ok(())
}

fn leaves(value: &Value) -> usize {
    match value {
        Value::Object(fields) => fields.values().map(leaves).sum(),
        Value::Array(items) => items.iter().map(leaves).sum(),
        _ => 1,
    }
}

/// Asks the sides in turn, each second time the other one first, and gives pairs of what they showed.
async fn in_turn<const N: usize>(
    sides: &[Side; N],
    postgres: &Postgres,
    connections: usize,
    pairs: usize,
) -> Result<Vec<[Slice; N]>> {
    let mut all = Vec::new();
    // The first pair warms up.
    for pair in 0..=pairs {
        let mut slices: [Option<Slice>; N] = [const { None }; N];
        for turn in 0..N {
            let which = if pair % 2 == 0 { turn } else { N - 1 - turn };
            slices[which] = Some(slice(&sides[which], postgres, connections).await?);
        }
        if pair > 0 {
            all.extend(slices.into_iter().collect::<Option<Vec<_>>>().and_then(|slices| slices.try_into().ok()));
        }
    }
    Ok(all)
}

async fn slice(side: &Side, postgres: &Postgres, connections: usize) -> Result<Slice> {
    let before = (processor_time(side.process)?, postgres.processor_time()?);
    let answered = load(&side.address, &side.requests, connections, SLICE).await?;
    let (own, postgres) = (processor_time(side.process)?, postgres.processor_time()?);
    #[expect(clippy::cast_precision_loss, reason = "small")]
    let count = answered.latencies.len() as f64;
    let each = |time: Duration| time.as_secs_f64() * 1e3 / count;
    Ok(Slice {
        throughput: count / answered.elapsed.as_secs_f64(),
        latencies: Sorted::of(answered.latencies.iter().map(|time| time.as_secs_f64() * 1e3).collect()),
        own: each(own.saturating_sub(before.0)),
        postgres: each(postgres.saturating_sub(before.1)),
    })
}

/// A figure of each pair, in order.
fn each<const N: usize>(taken: &[[Slice; N]], of: impl Fn(&[Slice; N]) -> f64) -> Sorted {
    Sorted::of(taken.iter().map(of).collect())
}

fn speed(query: &Query, connections: usize, taken: &[[Slice; 2]], kept: &mut bool) -> Vec<String> {
    let rate = |side: usize| format!("{:.0}/s", each(taken, |pair| pair[side].throughput).median());
    let quantile = |side: usize, part| each(taken, |pair| pair[side].latencies.quantile(part)).median();
    let times = |part| format!("{:.2} / {:.2} ms", quantile(1, part), quantile(0, part));
    let share = each(taken, |[ours, floor]| ours.throughput / floor.throughput);
    let slower = each(taken, |[ours, floor]| ours.latencies.quantile(0.99) / floor.latencies.quantile(0.99));
    let (wanted, most) = if connections == LIMITED {
        (
            limit_from(&format!("{}", query.least_throughput), &share, query.least_throughput, kept),
            limit_of(&format!("{MOST_P99} times"), &slower, MOST_P99, kept),
        )
    } else {
        ("none".to_owned(), "none".to_owned())
    };
    let of = |figures: &Sorted| {
        let (low, high) = figures.confidence();
        format!("{:.2} ({low:.2} to {high:.2})", figures.median())
    };
    vec![
        query.name.to_owned(),
        connections.to_string(),
        taken.len().to_string(),
        rate(1),
        rate(0),
        of(&share),
        wanted,
        times(0.5),
        times(0.99),
        of(&slower),
        most,
    ]
}

fn cost(query: &Query, connections: usize, taken: &[[Slice; 2]]) -> Vec<String> {
    let ms = |of: fn(&[Slice; 2]) -> f64| format!("{:.3} ms", each(taken, of).median());
    vec![
        query.name.to_owned(),
        connections.to_string(),
        ms(|pair| pair[1].own),
        ms(|pair| pair[1].postgres),
        ms(|pair| pair[0].own),
        ms(|pair| pair[0].postgres),
    ]
}
