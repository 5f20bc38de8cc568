//! The number of SQL statements of a query depends on what it asks, not on how many rows there are.

use api::auth::{Clock, login};
use entity::{
    annual_prediction, artifact, backfill_decision, backfill_run, backfill_unresolved, company, job,
    quarterly_prediction, row_error,
};
use sea_orm::prelude::Uuid;
use serde_json::{Value, json};
use tests::{Engine, Setup, World, people};

use super::{
    backfill_runs::{new_decision, new_run, new_unresolved},
    ids, new_annual, new_company, new_job, new_quarterly, store,
};
use crate::deletion::delete;

tests::on_both!(
    a_page_of_jobs_costs_the_same_whatever_its_size,
    a_page_of_predictions_costs_the_same_whatever_its_size,
    a_page_of_receipts_costs_the_same_whatever_its_size,
    a_page_of_backfill_runs_costs_the_same_whatever_its_size,
    a_preview_costs_the_same_whatever_its_size,
    nodes_cost_the_same_whatever_their_number,
    what_is_not_asked_costs_nothing,
    a_name_is_read_once_a_second,
    what_cannot_be_read_together_is_told_by_each,
);

/// Whose server only answers, and whose names are remembered until the clock is moved.
async fn idle_world(engine: Engine) -> World {
    World::with(engine, Setup { idle: true, clock: Clock::held(), ..Default::default() }).await
}

/// Jobs of both kinds and several people, each with predictions of several companies, row errors and files.
async fn jobs_with_everything(world: &World, count: usize, rows: usize) -> Vec<Uuid> {
    let people = people(world).await;
    let (mut jobs, mut firms, mut years, mut quarters, mut errors, mut files) =
        (vec![], vec![], vec![], vec![], vec![], vec![]);
    for place in 0..count {
        let owner = [&people.anna, &people.dora, &people.emil][place % 3];
        let mut job = new_job(owner.id, owner.organization);
        if place % 2 == 1 {
            job.job_type = "quarterly".to_owned();
        }
        for row in 0..rows {
            let firm = new_company(owner.id, owner.organization, &format!("S{place}-{row}"), "Company");
            if place % 2 == 0 {
                years.push(annual_prediction::Model {
                    job_id: Some(job.id),
                    job_link: Some("manifest".to_owned()),
                    ..new_annual(&firm)
                });
            } else {
                quarters.push(quarterly_prediction::Model {
                    job_id: Some(job.id),
                    job_link: Some("manifest".to_owned()),
                    ..new_quarterly(&firm)
                });
            }
            firms.push(firm);
            let line = i32::try_from(row).unwrap() + 2;
            errors.push(row_error::Model {
                job_id: job.id,
                line,
                column_name: None,
                code: "duplicate".to_owned(),
                message: "Twice.".to_owned(),
            });
        }
        files.push(artifact::Model {
            id: Uuid::now_v7(),
            job_id: job.id,
            kind: "input".to_owned(),
            name: "a.csv".to_owned(),
            size: 1,
            sha256: None,
            created_at: api::database::now(),
        });
        jobs.push(job);
    }
    let ids = jobs.iter().map(|job| job.id).collect();
    store::<job::Entity>(world, jobs).await;
    for firms in firms.chunks(500) {
        store::<company::Entity>(world, firms.to_vec()).await;
    }
    store::<annual_prediction::Entity>(world, years).await;
    store::<quarterly_prediction::Entity>(world, quarters).await;
    store::<row_error::Entity>(world, errors).await;
    store::<artifact::Entity>(world, files).await;
    ids
}

/// The statements of a query for `$n` rows.
async fn cost(world: &World, query: &str, size: usize) -> usize {
    least_cost(world, query, json!({ "n": size })).await
}

/// The statements of a query for `$ids`.
async fn cost_of_ids(world: &World, query: &str, ids: &[Uuid]) -> usize {
    least_cost(world, query, json!({ "ids": ids })).await
}

/// The server's own background work may add a statement now and then, so the least of a few counts. No name is remembered.
async fn least_cost(world: &World, query: &str, variables: Value) -> usize {
    let mut least = usize::MAX;
    for _ in 0..5 {
        world.clock.advance(login::FRESH);
        let (statements, _) = world.statements_of(world.data(query, variables.clone())).await;
        least = least.min(statements);
    }
    least
}

const PREDICTION: &str = "__typename id company { id symbol } createdBy { id name } job { id status organization { name } createdBy { id } }";

async fn a_page_of_jobs_costs_the_same_whatever_its_size(engine: Engine) {
    let world = idle_world(engine).await;
    jobs_with_everything(&world, 20, 20).await;
    let query = format!(
        "query($n: Int) {{ jobs(first: $n) {{ totalCount edges {{ cursor }} nodes {{ id createdBy {{ id name }} organization {{ id name }}
            artifacts {{ id name }} rowErrors(first: 20) {{ totalCount nodes {{ line message }} }}
            predictions(first: 20) {{ totalCount nodes {{ {PREDICTION} }} }} can {{ delete }} }} }} }}"
    );
    let whole = world.data(&query, json!({ "n": 20 })).await;
    for job in whole["jobs"]["nodes"].as_array().unwrap() {
        assert_eq!((&job["predictions"]["totalCount"], &job["rowErrors"]["totalCount"]), (&json!(20), &json!(20)));
        assert_eq!(job["predictions"]["nodes"].as_array().unwrap().len(), 20);
        assert_eq!(job["artifacts"].as_array().unwrap().len(), 1);
    }
    // Jobs and their count; users, organizations, files, row errors and their count; predictions of both kinds and their
    // counts; companies, users and jobs of predictions, and the organizations and users of those.
    let (few, many) = (cost(&world, &query, 5).await, cost(&world, &query, 20).await);
    assert_eq!(few, many);
    assert!(many <= 16, "{many} statements");
}

async fn a_page_of_predictions_costs_the_same_whatever_its_size(engine: Engine) {
    let world = idle_world(engine).await;
    jobs_with_everything(&world, 10, 20).await;
    for list in ["annualPredictions", "quarterlyPredictions"] {
        let query = format!("query($n: Int) {{ {list}(first: $n) {{ totalCount nodes {{ {PREDICTION} }} }} }}");
        // Predictions and their count, companies, users, jobs, and the organizations of those; their users are known by then.
        let (few, many) = (cost(&world, &query, 5).await, cost(&world, &query, 100).await);
        assert_eq!((few, many), (6, 6), "{list}");
    }
}

async fn a_page_of_receipts_costs_the_same_whatever_its_size(engine: Engine) {
    let world = idle_world(engine).await;
    let user = world.local_user().await;
    for _ in 0..20 {
        let job = world.adopted_job(user, None, "annual", "completed").await;
        delete(&world, &job.to_string(), json!({})).await;
    }
    let query =
        "query($n: Int) { deletionReceipts(first: $n) { totalCount nodes { id jobCreatedBy { name } deletedBy { name }
        artifacts { total pending completedAt } } } }";
    let (few, many) = (cost(&world, query, 5).await, cost(&world, query, 20).await);
    assert_eq!(few, many);
    assert!(many <= 4, "{many} statements");
    world.check_invariants().await;
}

async fn a_page_of_backfill_runs_costs_the_same_whatever_its_size(engine: Engine) {
    let world = idle_world(engine).await;
    let jobs = jobs_with_everything(&world, 20, 20).await;
    world.run("UPDATE annual_predictions SET job_id = NULL, job_link = NULL").await;
    world.run("UPDATE quarterly_predictions SET job_id = NULL, job_link = NULL").await;
    let mut left: Vec<(Uuid, &str)> = Vec::new();
    for (list, kind) in [("annualPredictions", "annual"), ("quarterlyPredictions", "quarterly")] {
        let data = world.data(&format!("{{ {list} {{ nodes {{ id }} }} }}"), json!({})).await;
        left.extend(ids(&data[list]).into_iter().map(|id| (id, kind)));
    }
    let mut runs: Vec<_> = (0..20).map(|_| new_run()).collect();
    runs[19].status = "running".to_owned();
    let (mut decisions, mut unresolved) = (Vec::new(), Vec::new());
    for run in &runs {
        decisions.extend(jobs.iter().map(|job| new_decision(run.id, *job)));
        unresolved.extend(left.iter().map(|(id, kind)| new_unresolved(run.id, *id, kind, &jobs[..3])));
    }
    store::<backfill_run::Entity>(&world, runs).await;
    store::<backfill_decision::Entity>(&world, decisions).await;
    store::<backfill_unresolved::Entity>(&world, unresolved).await;
    let runs = |fields: &str| format!("query($n: Int) {{ backfillRuns(first: $n) {{ nodes {{ id {fields} }} }} }}");
    // Runs, which one is at work, decisions and their count, and jobs.
    let decided = runs("status decisions(first: 20) { totalCount nodes { job { id status } } }");
    // Runs; what is left, its count, and its predictions of both kinds; their companies and users, and candidates.
    let left = runs(&format!(
        "unresolvedPredictions(first: 40) {{ totalCount nodes {{ prediction {{ {PREDICTION} }} candidates {{ id }} }} }}"
    ));
    for run in world.data(&left, json!({ "n": 20 })).await["backfillRuns"]["nodes"].as_array().unwrap() {
        assert_eq!(run["unresolvedPredictions"]["totalCount"], 40);
        assert_eq!(run["unresolvedPredictions"]["nodes"][39]["candidates"].as_array().unwrap().len(), 3);
    }
    for (query, expected) in [(&decided, 5), (&left, 8)] {
        let (few, many) = (cost(&world, query, 5).await, cost(&world, query, 20).await);
        assert_eq!((few, many), (expected, expected), "{query}");
    }
}

async fn nodes_cost_the_same_whatever_their_number(engine: Engine) {
    let world = idle_world(engine).await;
    let ids = jobs_with_everything(&world, 20, 1).await;
    let query = "query($ids: [ID!]!) { nodes(ids: $ids) { id ... on Job { createdBy { name } predictions { nodes { company { name } } } } } }";
    let (few, many) = (cost_of_ids(&world, query, &ids[..4]).await, cost_of_ids(&world, query, &ids).await);
    assert_eq!(few, many);
    assert!(many <= 15, "{many} statements");
}

async fn a_preview_costs_the_same_whatever_its_size(engine: Engine) {
    let world = idle_world(engine).await;
    let ids = jobs_with_everything(&world, 20, 1).await;
    let query = "query($ids: [ID!]!) { deletionPreview(ids: $ids) { deletable { job { id createdBy { name } } annualPredictions
        quarterlyPredictions byLinkSource { count } unlinkedLookAlikes artifacts bytes } refused { jobId receipt { id } } } }";
    let (few, many) = (cost_of_ids(&world, query, &ids[..4]).await, cost_of_ids(&world, query, &ids).await);
    // Jobs, links and look-alikes of both kinds, files, receipts, users.
    assert_eq!((few, many), (8, 8));
}

async fn what_is_not_asked_costs_nothing(engine: Engine) {
    let world = idle_world(engine).await;
    jobs_with_everything(&world, 6, 3).await;
    for (query, statements) in [
        ("{ __typename }", 0),
        ("{ viewer { user { id name } role organization { id } } }", 0),
        ("{ jobs { nodes { id status can { delete } progress { failed } } pageInfo { endCursor } } }", 1),
        ("{ jobs { totalCount nodes { id } } }", 2),
        ("{ jobs { nodes { rowErrors { nodes { line } } } } }", 2),
        ("{ jobs { nodes { rowErrors { totalCount nodes { line } } } } }", 3),
        ("{ jobs(filter: {kind: ANNUAL}) { nodes { predictions { nodes { id linkSource } } } } }", 2),
        ("{ jobs(filter: {kind: ANNUAL}) { nodes { predictions { totalCount nodes { id } } } } }", 3),
        ("{ companies { nodes { name } } }", 1),
        ("{ backfillRuns { nodes { id linked } } }", 1),
        ("{ backfillRuns { totalCount nodes { id status } } }", 2),
        (
            "{ annualPredictions { nodes { probability } } quarterlyPredictions { totalCount nodes { probability } } }",
            3,
        ),
        (
            "query($no: Boolean = false) { jobs { totalCount @include(if: $no) nodes { artifacts @skip(if: true) { id } id } } }",
            1,
        ),
        ("{ job(id: \"x\") { id } node(id: \"x\") { id } }", 0),
        // One field, however often and wherever it is selected.
        (
            "{ jobs { totalCount } ...F ... { jobs { totalCount } } } fragment F on Query { jobs { totalCount nodes { id } } }",
            2,
        ),
    ] {
        assert_eq!(cost(&world, query, 0).await, statements, "{query}");
    }
}

async fn a_name_is_read_once_a_second(engine: Engine) {
    let world = idle_world(engine).await;
    let job = jobs_with_everything(&world, 1, 1).await[0];
    let query = "query($id: ID!) { job(id: $id) { createdBy { name } } }";
    let look = async || world.statements_of(world.data(query, json!({ "id": job }))).await;
    let (statements, first) = look().await;
    assert_eq!(statements, 2, "the job and its user");
    world.run("UPDATE users SET full_name = 'Anna Other', username = 'anna.other' WHERE username = 'anna'").await;
    assert_eq!(look().await, (1, first));
    world.clock.advance(login::FRESH);
    let (statements, later) = look().await;
    assert_eq!((statements, later), (2, json!({ "job": { "createdBy": { "name": "Anna Other" } } })));
}

async fn what_cannot_be_read_together_is_told_by_each(engine: Engine) {
    let world = idle_world(engine).await;
    jobs_with_everything(&world, 2, 2).await;
    world.run("ALTER TABLE companies RENAME TO companies_of_before").await;
    let query = "{ annualPredictions { edges { node { id company { id } } } } viewer { role } }";
    let answer = world.answer(query, json!({})).await;
    assert_eq!(answer["data"], json!({ "annualPredictions": null, "viewer": { "role": "OPERATOR" } }));
    let path = json!(["annualPredictions", "edges", 0, "node", "company"]);
    assert_eq!((&answer["errors"][0]["path"], &answer["errors"][1]), (&path, &Value::Null), "{answer}");
}
