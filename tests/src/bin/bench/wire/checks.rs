//! What login and checks cost, told by requests that do little else.
//!
//! A document of which everything is skipped passes all checks and executes nothing, and so does one of a single field
//! that needs no login. So the difference between the two is what the checks of the larger document cost, and the
//! difference between the latter with and without a token is what the login costs.

use anyhow::Result;
use serde_json::json;

use super::{Side, client::Requests, data::Data, each, in_turn, query::QUERIES};
use crate::{
    figures::{limit_of, print_table},
    processes::Postgres,
    server::Server,
};

const CONNECTIONS: usize = 32;
/// The most of a request's processor time that login and checks may take, in percent.
const MOST: f64 = 5.0;

/// Measures and prints; `false`: they cost too much.
pub async fn measure(data: &Data, server: &Server, postgres: &Postgres, pairs: usize) -> Result<bool> {
    let side = |requests| -> Result<Side> {
        Ok(Side { address: server.address()?.to_owned(), requests, process: server.id() })
    };
    let least = |token| Requests::post(token, std::iter::once(json!({ "query": "{ __typename }" })));
    let mut kept = true;
    let mut rows = Vec::new();
    for query in &QUERIES {
        eprintln!("{}: what login and checks cost", query.name);
        let sides = [
            side(query.of_server(data, Some(&data.token), false))?,
            side(query.of_server(data, Some(&data.token), true))?,
            side(least(Some(&data.token)))?,
            side(least(None))?,
        ];
        let taken = in_turn(&sides, postgres, CONNECTIONS, pairs).await?;
        let cost = |which: usize| each(&taken, |slices| slices[which].own + slices[which].postgres).median() * 1e3;
        let share = each(&taken, |[whole, skipped, _, anonymous]| {
            let whole = whole.own + whole.postgres;
            100.0 * (skipped.own + skipped.postgres - anonymous.own - anonymous.postgres) / whole
        });
        let (low, high) = share.confidence();
        rows.push(vec![
            query.name.to_owned(),
            format!("{:.0} µs", cost(0)),
            format!("{:.1} µs", cost(2) - cost(3)),
            format!("{:.1} µs", cost(1) - cost(2)),
            format!("{:.1} % ({low:.1} to {high:.1})", share.median()),
            limit_of(&format!("{MOST} %"), &share, MOST, &mut kept),
        ]);
    }
    let head = ["query", "request", "login", "checks", "share", "limit"];
    print_table("What login and checks cost of a request's processor time", &head, &rows);
    Ok(kept)
}
