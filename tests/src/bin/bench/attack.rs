//! How fast the server refuses what asks too much, and what an ordinary client feels of it meanwhile.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tests::{Attack, attacks};

use crate::{
    figures::{Sorted, limit, megabytes, ms, print_table},
    place::Place,
    server::Server,
};

/// How often each attack is sent, one after the other, to a server that does nothing else.
const TIMES: usize = 30;
/// How long the ordinary client is watched at a time, with attackers and without, in turn.
const PHASE: Duration = Duration::from_secs(4);
/// How often in turn.
const TURNS: usize = 8;
/// How often the ordinary client asks.
const EVERY: Duration = Duration::from_millis(10);
/// In how many milliseconds an attack is refused, and the fragment bomb, of 883 bytes.
const LIMIT: f64 = 100.0;
const BOMB_LIMIT: f64 = 10.0;
const BOMB: &str = "10 fragments x 10 spreads";

/// Measures and prints; `false`: a figure is beyond its limit.
pub async fn measure(place: &mut Place) -> Result<bool> {
    place.settle().await?;
    let mut kept = true;
    let server = place.server()?;
    let ordinary = json!({ "query": "{ jobs(first: 5) { totalCount nodes { id status fileName createdAt
        predictions(first: 20) { nodes { id reportingYear probability riskLevel company { symbol } } } } } }" });
    let ordinary = ordinary.to_string();
    for _ in 0..200 {
        ensure!(server.send(&ordinary).await?.1.get("errors").is_none(), "the ordinary client is refused");
    }
    refusals(&server, &mut kept).await?;
    let [alone, attacked] = beside(&server, &ordinary).await?;
    let cells = |who: &str, times: &Sorted, of: &dyn Fn(f64, f64) -> String| {
        let (median, high) = (times.median(), times.quantile(0.99));
        vec![who.to_owned(), ms(median), ms(high), of(median, high)]
    };
    let ratios = |median: f64, high: f64| format!("{:.2}, {:.2}", median / alone.median(), high / alone.quantile(0.99));
    let rows = [cells("alone", &alone, &|_, _| String::new()), cells("beside an attacker", &attacked, &ratios)];
    print_table("An ordinary client", &["", "median", "99 % within", "times"], &rows);
    println!("Memory of the server at its peak: {}.\n", megabytes(server.peak_memory()?));
    Ok(kept)
}

async fn refusals(server: &Server, kept: &mut bool) -> Result<()> {
    let mut rows = Vec::new();
    for Attack { name, body, code, limit: by } in attacks() {
        let mut times = Vec::new();
        for _ in 0..TIMES {
            let (time, answer) = server.send(&body).await?;
            let told = answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default();
            ensure!(told == code, "{name}: {answer}");
            times.push(time.as_secs_f64() * 1e3);
        }
        let times = Sorted::of(times);
        let most = if name == BOMB { BOMB_LIMIT } else { LIMIT };
        let slowest = times.quantile(1.0);
        let outcome = [code, by].iter().filter(|text| !text.is_empty()).copied().collect::<Vec<_>>().join(" ");
        let outcome = if outcome.is_empty() { "answered".to_owned() } else { outcome };
        let limited = limit(&ms(most), slowest <= most, kept);
        rows.push(vec![name.to_owned(), outcome, ms(times.median()), ms(slowest), limited]);
    }
    print_table("Refusals", &["request", "outcome", "median", "slowest of 30", "limit"], &rows);
    Ok(())
}

/// Times of the ordinary client in milliseconds: alone, and beside an attacker who sends all attacks in turn, each as soon
/// as the one before is refused.
async fn beside(server: &Server, ordinary: &str) -> Result<[Sorted; 2]> {
    let mut times = [Vec::new(), Vec::new()];
    let bodies: Vec<_> = attacks().into_iter().map(|attack| attack.body).collect();
    let mut next = bodies.iter().cycle();
    let attack = async |next: &mut std::iter::Cycle<std::slice::Iter<'_, String>>| -> Result<()> {
        for body in next {
            server.send(body).await?;
        }
        Ok(())
    };
    for turn in 0..2 * TURNS {
        let ordinary = use_it(server, ordinary, &mut times[turn % 2]);
        if turn % 2 == 0 {
            ordinary.await?;
        } else {
            tokio::select! {
                ended = ordinary => ended?,
                ended = attack(&mut next) => ended?,
            }
        }
    }
    Ok(times.map(Sorted::of))
}

async fn use_it(server: &Server, body: &str, times: &mut Vec<f64>) -> Result<()> {
    let mut due = tokio::time::interval(EVERY);
    due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let end = Instant::now() + PHASE;
    while Instant::now() < end {
        due.tick().await;
        let (time, answer): (Duration, Value) = server.send(body).await?;
        ensure!(answer.get("errors").is_none(), "the ordinary client is refused: {answer}");
        times.push(time.as_secs_f64() * 1e3);
    }
    Ok(())
}
