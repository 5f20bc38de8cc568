//! The queries that are measured, as requests to the server and to the floor.

use sea_orm::prelude::Uuid;
use serde_json::{Value, json};

use super::{client::Requests, data::Data};

/// One query.
pub struct Query {
    pub name: &'static str,
    /// What it selects from the root; `SKIP` stands where a directive may.
    selection: &'static str,
    /// The variables that it declares.
    declared: &'static str,
    /// Where the floor answers it; where an id ends it, the variable's value follows.
    path: &'static str,
    variables: fn(&Data) -> Vec<Asked>,
    /// The least share of the floor's throughput at 32 connections.
    pub least_throughput: f64,
}

/// What one request asks for.
struct Asked {
    variables: Value,
    id: Option<Uuid>,
}

/// The most times the floor's p99 at 32 connections.
pub const MOST_P99: f64 = 2.5;

pub const QUERIES: [Query; 4] = [
    Query {
        name: "1. 50 jobs and their count",
        selection: "jobs(first: 50) SKIP { totalCount nodes { id kind status origin fileName fileSize
            progress { succeeded failed } createdAt startedAt finishedAt } }",
        declared: "",
        path: "/jobs",
        variables: |_| vec![Asked { variables: json!({}), id: None }],
        least_throughput: 0.55,
    },
    Query {
        name: "2. 20 jobs x 20 predictions",
        selection: "jobs(first: 20) SKIP { nodes { id predictions(first: 20) { nodes { id reportingYear
            probability riskLevel company { id name symbol } } } } }",
        declared: "",
        path: "/jobs-with-predictions",
        variables: |_| vec![Asked { variables: json!({}), id: None }],
        least_throughput: 0.65,
    },
    Query {
        name: "3. a job and its user",
        selection: "job(id: $id) SKIP { id kind status origin fileName fileSize progress { total processed
            succeeded failed } createdAt finishedAt createdBy { id name } }",
        declared: "($id: ID!)",
        path: "/job/",
        variables: |data| {
            data.jobs.iter().map(|job| Asked { variables: json!({ "id": job }), id: Some(*job) }).collect()
        },
        least_throughput: 0.35,
    },
    Query {
        name: "4. 100 predictions, 7,500 deep",
        selection: "annualPredictions(first: 100, after: $after, filter: { riskLevel: [HIGH] }) SKIP { nodes {
            id reportingYear reportingQuarter totalDebtToEbitda netIncomeMargin probability riskLevel confidence linkSource
            predictedAt } }",
        declared: "($after: String)",
        path: "/page/",
        variables: |data| vec![Asked { variables: json!({ "after": data.cursor }), id: Some(data.deep) }],
        least_throughput: 0.6,
    },
];

impl Query {
    /// Requests of the server. `skipped`: the same document, of which nothing is executed.
    pub fn of_server(&self, data: &Data, token: Option<&str>, skipped: bool) -> Requests {
        let selection = self.selection.replace("SKIP", if skipped { "@skip(if: true)" } else { "" });
        let text = format!("query Bench{} {{ {selection} }}", self.declared);
        let bodies = (self.variables)(data).into_iter();
        Requests::post(token, bodies.map(|asked| json!({ "query": text, "variables": asked.variables })))
    }

    /// Requests of the floor.
    pub fn of_floor(&self, data: &Data) -> Requests {
        let ids = (self.variables)(data).into_iter().map(|asked| asked.id.map(|id| id.to_string()).unwrap_or_default());
        Requests::get(ids.map(|id| format!("{}{id}", self.path)))
    }
}
