//! Two servers on one database, two files at once: every company once, every company and period once, and nobody sees a
//! deadlock. What belongs to different owners never meets.

use std::{ops::Range, sync::Arc, time::Duration};

use api::{
    app::Limits,
    checkpoint::{Checkpoint, Checkpoints},
};
use serde_json::json;
use tests::{Engine, Setup, World, people};
use tokio::sync::Barrier;

use super::{good_row, job_id, lines};

tests::on_both!(
    two_servers_that_store_the_same_companies_at_once_in_an_organization_store_each_once,
    two_servers_that_store_the_same_companies_at_once_in_a_personal_space_store_each_once,
    owners_who_upload_the_same_companies_have_their_own,
);

async fn two_servers_that_store_the_same_companies_at_once_in_an_organization_store_each_once(engine: Engine) {
    meet(engine, false).await;
}

async fn two_servers_that_store_the_same_companies_at_once_in_a_personal_space_store_each_once(engine: Engine) {
    meet(engine, true).await;
}

/// Two jobs, each run by another server from the same moment on, whose files overlap in companies and periods.
async fn meet(engine: Engine, personal: bool) {
    let barrier = Arc::new(Barrier::new(2));
    let setup = || {
        let barrier = barrier.clone();
        let checkpoints = Checkpoints::hooked(move |at| {
            let barrier = barrier.clone();
            Box::pin(async move {
                // Both files have as many rows, so every batch of the one begins with one of the other.
                if matches!(at, Checkpoint::JobClaimed | Checkpoint::BatchBegins) {
                    barrier.wait().await;
                }
                Ok(())
            })
        });
        // A worker that failed would come back to its job only after the test.
        let limits = Limits { batch_rows: 9, lease: Duration::from_mins(10), ..Limits::default() };
        Setup { tokens: true, checkpoints, limits, ..Setup::default() }
    };
    let first = World::with(engine, setup()).await;
    if engine == Engine::Postgres {
        // Whoever set up the database may prefer another isolation: connections have it from now on.
        let name: String = first.one("SELECT current_database()", []).await;
        first.run(&format!("ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'")).await;
    }
    let second = World::with(
        engine,
        Setup { url: Some(first.url.clone()), artifacts: Some(first.artifacts.clone()), ..setup() },
    )
    .await;
    let people = people(&first).await;
    let (one, other) = if personal { (&people.emil, &people.emil) } else { (&people.anna, &people.ben) };
    let rounds = if std::env::var_os("JOBLINK_TEST_LONG").is_some() { 40 } else { 4 };
    for round in 0..rounds {
        let rows = |companies: Range<usize>, years: Range<usize>| {
            companies.flat_map(move |company| {
                years.clone().map(move |year| good_row(&format!("R{round}C{}", company * 37 % 60), year))
            })
        };
        // New companies with three years each; the files share 20 companies and of those two years, in opposite order.
        let forth = lines(rows(0..40, 2000..2003));
        let back = lines(rows(20..60, 2001..2004).collect::<Vec<_>>().into_iter().rev());
        // Then the same file twice, for companies that are there.
        let same = lines(rows(0..60, 2010..2012));
        for (one_file, other_file, wanted) in [(forth, back, [200, 40]), (same.clone(), same, [120, 120])] {
            let (a, b) = tokio::join!(
                first.create_as(&one.token, "ANNUAL", "one.csv", one_file),
                second.create_as(&other.token, "ANNUAL", "other.csv", other_file)
            );
            let mut counts = [0, 0];
            for id in [job_id(&a), job_id(&b)] {
                first.ended(&id).await;
                let query =
                    "query($id: ID!) { job(id: $id) { progress { succeeded failed } rowErrors { totalCount } } }";
                let job = first.data_to(&one.token, query, json!({ "id": id })).await["job"].take();
                counts[0] += job["progress"]["succeeded"].as_i64().unwrap();
                counts[1] += job["progress"]["failed"].as_i64().unwrap();
                assert_eq!(job["rowErrors"]["totalCount"], job["progress"]["failed"]);
            }
            assert_eq!(counts, wanted, "the periods of both files once, and what they share refused once");
        }
    }
    let companies = 60 * i64::from(rounds);
    assert_eq!(first.count("SELECT count(*) FROM companies").await, companies);
    assert_eq!(first.count("SELECT count(DISTINCT symbol) FROM companies").await, companies);
    let periods =
        "SELECT count(*) FROM (SELECT DISTINCT company_id, reporting_year FROM annual_predictions) AS periods";
    assert_eq!(first.count(periods).await, 320 * i64::from(rounds));
    if engine == Engine::Postgres {
        let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
        assert_eq!(first.count(deadlocks).await, 0);
    }
    first.check_invariants().await;
}

async fn owners_who_upload_the_same_companies_have_their_own(engine: Engine) {
    let world = World::with(engine, Setup { tokens: true, ..Setup::default() }).await;
    let people = people(&world).await;
    let owners = [&people.anna, &people.dora, &people.emil];
    let file = lines([good_row("SAME", 2020), good_row("SAME", 2021)]);
    for owner in owners {
        let id = job_id(&world.create_as(&owner.token, "ANNUAL", "a.csv", file.clone()).await);
        assert_eq!(world.ended(&id).await, "completed");
    }
    let query =
        "{ companies { totalCount nodes { id symbol } } annualPredictions { totalCount nodes { company { id } } }
        jobs { nodes { progress { succeeded failed } } } }";
    let mut companies = Vec::new();
    for owner in owners {
        let seen = world.data_to(&owner.token, query, json!({})).await;
        assert_eq!(seen["companies"]["totalCount"], 1);
        assert_eq!(seen["companies"]["nodes"][0]["symbol"], "SAME");
        let company = seen["companies"]["nodes"][0]["id"].clone();
        assert_eq!(seen["annualPredictions"]["totalCount"], 2);
        assert_eq!(
            seen["annualPredictions"]["nodes"],
            json!([{ "company": { "id": company } }, { "company": { "id": company } }])
        );
        assert_eq!(seen["jobs"]["nodes"], json!([{ "progress": { "succeeded": 2, "failed": 0 } }]));
        assert!(!companies.contains(&company), "a company of two owners");
        companies.push(company);
    }
    // A colleague's file meets what is there.
    let id = job_id(&world.create_as(&people.ben.token, "ANNUAL", "a.csv", file).await);
    assert_eq!(world.ended(&id).await, "failed");
    assert_eq!(world.count("SELECT count(*) FROM companies").await, 3);
    world.check_invariants().await;
}
