//! Runs of the backfill: who sees them, how they stand, and what they decided and left.

use std::collections::BTreeMap;

use entity::{
    annual_prediction, backfill_decision, backfill_run, backfill_unresolved, company, job, quarterly_prediction,
};
use migration::backfill::{Pace, Settings, run, runs, undo};
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, prelude::Uuid};
use serde_json::{Value, json};
use tests::{Engine, Setup, World, people};

use super::{code, new_annual, new_company, new_job, new_quarterly, store};
use crate::{
    backfill::{simulated, with_sources},
    migrations::{
        program::start,
        site::{Site, until},
    },
};

tests::on_both!(
    operators_alone_see_runs,
    every_value_that_may_be_null_or_large_is_shown,
    pages_put_together_are_all_there_is,
    what_is_no_page_nulls_the_list_of_runs_at_its_place,
    a_run_says_how_it_stands,
    a_run_shows_what_it_decided_and_what_is_still_left,
);

/// A run that came to its end.
pub fn new_run() -> backfill_run::Model {
    backfill_run::Model {
        id: Uuid::now_v7(),
        started_at: "2026-01-02T03:04:05Z".parse().unwrap(),
        finished_at: Some("2026-01-02T03:04:06.5Z".parse().unwrap()),
        status: "completed".to_owned(),
        options: "{}".to_owned(),
        lease_token: None,
        lease_beat: 0,
        beat_at: "2026-01-02T03:04:06Z".parse().unwrap(),
        linked: 2,
        unresolved: 1,
        undone: 0,
    }
}

/// What a run decided about a job.
pub fn new_decision(run: Uuid, job: Uuid) -> backfill_decision::Model {
    backfill_decision::Model {
        run_id: run,
        job_id: job,
        evidence: Some("source_file".to_owned()),
        linked: 2,
        unresolved: 1,
        note: None,
    }
}

/// What a run left of a kind, and the jobs that could have made it.
pub fn new_unresolved(run: Uuid, prediction: Uuid, kind: &str, candidates: &[Uuid]) -> backfill_unresolved::Model {
    backfill_unresolved::Model {
        run_id: run,
        prediction_id: prediction,
        kind: kind.to_owned(),
        reason: "ambiguous".to_owned(),
        candidates: candidates.iter().map(Uuid::to_string).collect::<Vec<_>>().join(" "),
    }
}

async fn operators_alone_see_runs(engine: Engine) {
    let world = World::with(engine, Setup { tokens: true, idle: true, ..Default::default() }).await;
    let people = people(&world).await;
    let run = new_run();
    let id = run.id;
    store::<backfill_run::Entity>(&world, [run]).await;
    let query = "query($id: ID!) { viewer { role } backfillRuns { totalCount nodes { id } } node(id: $id) { id }
        nodes(ids: [$id, $id]) { __typename id } }";
    for person in [&people.anna, &people.carla, &people.dora, &people.emil] {
        let answer = world.answer_to(&person.token, query, json!({ "id": id })).await;
        assert_eq!(code(&answer), "FORBIDDEN");
        assert_eq!(answer["errors"][0]["path"], json!(["backfillRuns"]));
        let role = answer["data"]["viewer"]["role"].clone();
        let rest = json!({ "viewer": { "role": role }, "backfillRuns": null, "node": null, "nodes": [null, null] });
        assert_eq!(answer["data"], rest);
    }
    let seen = world.data_to(&people.olga.token, query, json!({ "id": id })).await;
    let node = json!({ "__typename": "BackfillRun", "id": id });
    assert_eq!(seen["backfillRuns"], json!({ "totalCount": 1, "nodes": [{ "id": id }] }));
    assert_eq!((&seen["node"], &seen["nodes"]), (&json!({ "id": id }), &json!([node, node])));
}

async fn every_value_that_may_be_null_or_large_is_shown(engine: Engine) {
    let world = World::with(engine, Setup { idle: true, ..Default::default() }).await;
    let user = world.local_user().await;
    let (known, gone) = (new_job(user, None), Uuid::now_v7());
    let firm = new_company(user, None, "A", "A");
    let (year, quarter) = (new_annual(&firm), new_quarterly(&firm));
    let ended = backfill_run::Model { linked: 1 << 40, undone: 3, ..new_run() };
    let begun =
        backfill_run::Model { status: "running".to_owned(), finished_at: None, linked: 0, unresolved: 0, ..new_run() };
    let decisions = [
        new_decision(ended.id, known.id),
        backfill_decision::Model { evidence: None, note: Some("A remark.".to_owned()), ..new_decision(ended.id, gone) },
    ];
    let left = [
        new_unresolved(ended.id, year.id, "annual", &[gone, known.id]),
        backfill_unresolved::Model {
            reason: "by_hand".to_owned(),
            ..new_unresolved(ended.id, quarter.id, "quarterly", &[])
        },
    ];
    let (known_id, ended_id, begun_id, year_id, quarter_id) = (known.id, ended.id, begun.id, year.id, quarter.id);
    store::<job::Entity>(&world, [known]).await;
    store::<company::Entity>(&world, [firm]).await;
    store::<annual_prediction::Entity>(&world, [year]).await;
    store::<quarterly_prediction::Entity>(&world, [quarter]).await;
    store::<backfill_run::Entity>(&world, [ended, begun]).await;
    store::<backfill_decision::Entity>(&world, decisions).await;
    store::<backfill_unresolved::Entity>(&world, left).await;
    let query = "{ backfillRuns { totalCount nodes { id startedAt finishedAt status linked unresolved undone
        decisions { totalCount nodes { jobId job { id } evidence linked unresolved note } }
        unresolvedPredictions { totalCount nodes { prediction { __typename id } reason candidates { id } } } } } }";
    let none = json!({ "totalCount": 0, "nodes": [] });
    assert_eq!(
        world.data(query, json!({})).await["backfillRuns"],
        json!({ "totalCount": 2, "nodes": [
            { "id": begun_id, "startedAt": "2026-01-02T03:04:05Z", "finishedAt": null, "status": "INTERRUPTED",
              "linked": 0, "unresolved": 0, "undone": 0, "decisions": none, "unresolvedPredictions": none },
            { "id": ended_id, "startedAt": "2026-01-02T03:04:05Z", "finishedAt": "2026-01-02T03:04:06.500Z",
              "status": "COMPLETED", "linked": i32::MAX, "unresolved": 1, "undone": 3,
              "decisions": { "totalCount": 2, "nodes": [
                  { "jobId": known_id, "job": { "id": known_id }, "evidence": "SOURCE_FILE", "linked": 2, "unresolved": 1, "note": null },
                  { "jobId": gone, "job": null, "evidence": null, "linked": 2, "unresolved": 1, "note": "A remark." },
              ] },
              "unresolvedPredictions": { "totalCount": 2, "nodes": [
                  { "prediction": { "__typename": "AnnualPrediction", "id": year_id }, "reason": "AMBIGUOUS", "candidates": [{ "id": known_id }] },
                  { "prediction": { "__typename": "QuarterlyPrediction", "id": quarter_id }, "reason": "BY_HAND", "candidates": [] },
              ] } },
        ] })
    );
}

/// All items of a list of a run, page by page, and its count.
async fn walk(world: &World, run: Uuid, list: &str, item: &str, size: usize, forwards: bool) -> (Vec<Value>, Value) {
    let (sized, more, end, go) = if forwards {
        ("first", "hasNextPage", "endCursor", "after")
    } else {
        ("last", "hasPreviousPage", "startCursor", "before")
    };
    let query = format!(
        "query($id: ID!, $size: Int, $at: String) {{ node(id: $id) {{ ... on BackfillRun {{ list: {list}({sized}: $size, {go}: $at) {{
            totalCount nodes {{ {item} }} pageInfo {{ {more} {end} }} }} }} }} }}"
    );
    let (mut seen, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let mut data = world.data(&query, json!({ "id": run, "size": size, "at": cursor })).await;
        let list = data["node"]["list"].take();
        let items = list["nodes"].as_array().unwrap().clone();
        assert!(items.len() <= size);
        seen = if forwards { [seen, items].concat() } else { [items, seen].concat() };
        if list["pageInfo"][more] == json!(false) {
            return (seen, list["totalCount"].clone());
        }
        cursor = list["pageInfo"][end].clone();
    }
}

async fn pages_put_together_are_all_there_is(engine: Engine) {
    let world = World::with(engine, Setup { idle: true, ..Default::default() }).await;
    let user = world.local_user().await;
    let firm = new_company(user, None, "A", "A");
    let runs: Vec<backfill_run::Model> = (0..5).map(|_| new_run()).collect();
    let ids: Vec<Uuid> = runs.iter().map(|run| run.id).collect();
    let jobs: Vec<Uuid> = (0..25).map(|_| Uuid::now_v7()).collect();
    let years: Vec<annual_prediction::Model> = (0..13).map(|_| new_annual(&firm)).collect();
    let quarters: Vec<quarterly_prediction::Model> = (0..12).map(|_| new_quarterly(&firm)).collect();
    let mut left: Vec<(Uuid, &str)> =
        years.iter().map(|row| (row.id, "annual")).chain(quarters.iter().map(|row| (row.id, "quarterly"))).collect();
    let decisions = ids.iter().flat_map(|run| jobs.iter().map(|job| new_decision(*run, *job))).collect::<Vec<_>>();
    let unresolved = ids.iter().flat_map(|run| left.iter().map(|(id, kind)| new_unresolved(*run, *id, kind, &[])));
    let unresolved: Vec<_> = unresolved.collect();
    store::<company::Entity>(&world, [firm]).await;
    store::<annual_prediction::Entity>(&world, years).await;
    store::<quarterly_prediction::Entity>(&world, quarters).await;
    store::<backfill_run::Entity>(&world, runs).await;
    store::<backfill_decision::Entity>(&world, decisions).await;
    store::<backfill_unresolved::Entity>(&world, unresolved).await;

    left.sort_unstable();
    let decided: Vec<Value> = jobs.iter().map(|job| json!({ "jobId": job })).collect();
    let unlinked: Vec<Value> = left.iter().map(|(id, _)| json!({ "prediction": { "id": id } })).collect();
    for (list, item, whole) in
        [("decisions", "jobId", &decided), ("unresolvedPredictions", "prediction { id }", &unlinked)]
    {
        for size in [1, 4, 25, 100] {
            for forwards in [true, false] {
                let (seen, total) = walk(&world, ids[1], list, item, size, forwards).await;
                assert_eq!((&seen, total), (whole, json!(25)), "{list} by {size}, forwards: {forwards}");
            }
        }
        let query = format!("{{ backfillRuns {{ nodes {{ {list} {{ nodes {{ {item} }} }} }} }} }}");
        for run in world.data(&query, json!({})).await["backfillRuns"]["nodes"].as_array().unwrap() {
            assert_eq!(run[list]["nodes"].as_array().unwrap(), &whole[..20], "twenty by default");
        }
    }

    let newest_first: Vec<Uuid> = ids.iter().rev().copied().collect();
    for (sized, more, end, go) in
        [("first", "hasNextPage", "endCursor", "after"), ("last", "hasPreviousPage", "startCursor", "before")]
    {
        let query = format!(
            "query($at: String) {{ backfillRuns({sized}: 2, {go}: $at) {{ totalCount nodes {{ id }} pageInfo {{ {more} {end} }} }} }}"
        );
        let (mut pages, mut cursor) = (Vec::new(), Value::Null);
        loop {
            let list = world.data(&query, json!({ "at": cursor })).await["backfillRuns"].take();
            assert_eq!(list["totalCount"], 5);
            pages.push(super::ids(&list));
            if list["pageInfo"][more] == json!(false) {
                break;
            }
            cursor = list["pageInfo"][end].clone();
        }
        if sized == "last" {
            pages.reverse();
        }
        assert_eq!(pages.concat(), newest_first, "{sized}");
    }
}

async fn what_is_no_page_nulls_the_list_of_runs_at_its_place(engine: Engine) {
    let world = World::with(engine, Setup { idle: true, ..Default::default() }).await;
    store::<backfill_run::Entity>(&world, [new_run()]).await;
    for list in ["decisions", "unresolvedPredictions"] {
        for arguments in ["first: 101", "last: -1", "first: 1, last: 1", "after: \"x\""] {
            let query = format!(
                "{{ viewer {{ role }} backfillRuns {{ nodes {{ it: {list}({arguments}) {{ totalCount }} }} }} }}"
            );
            let answer = world.answer(&query, json!({})).await;
            assert_eq!(code(&answer), "BAD_USER_INPUT", "{query}");
            assert_eq!(answer["errors"][0]["path"], json!(["backfillRuns", "nodes", 0, "it"]), "{query}");
            assert_eq!(answer["data"], json!({ "viewer": { "role": "OPERATOR" }, "backfillRuns": null }), "{query}");
        }
    }
}

/// The world that serves a site.
async fn serving(site: &Site) -> World {
    World::with(site.engine, Setup { url: Some(site.url.clone()), idle: true, ..Default::default() }).await
}

/// How each run stands, the newest first, by the server; the program says the same.
async fn standings(world: &World, site: &Site) -> Vec<String> {
    let data = world.data("{ backfillRuns { nodes { id status } } }", json!({})).await;
    let told = runs(&site.db)
        .await
        .unwrap()
        .into_iter()
        .map(|run| json!({ "id": run.id, "status": run.status.to_uppercase() }));
    assert_eq!(data["backfillRuns"]["nodes"], told.collect::<Value>());
    let nodes = data["backfillRuns"]["nodes"].as_array().unwrap();
    nodes.iter().map(|run| run["status"].as_str().unwrap().to_owned()).collect()
}

async fn a_run_says_how_it_stands(engine: Engine) {
    let (site, past) = simulated(engine, 9).await;
    let world = serving(&site).await;
    assert_eq!(standings(&world, &site).await, Vec::<String>::new());

    // One that fails gives its lease back.
    let settings = with_sources(past.sources.path());
    let unwritable = Settings { unresolved: Some("/nowhere/list.csv".into()), ..settings.clone() };
    run(&site.db, &unwritable, Pace::default()).await.unwrap_err();
    assert_eq!(standings(&world, &site).await, ["INTERRUPTED"]);

    // One that is killed falls silent.
    let sources = past.sources.path().to_str().unwrap();
    let arguments = ["backfill", "run", "--sources", sources, "--batch-size", "10", "--max-rows-per-second", "50"];
    let mut killed = start("migration", &site.url, &arguments);
    until("it is at work", async || {
        (site.count("SELECT count(*) FROM annual_predictions WHERE job_id IS NOT NULL").await > 0).then_some(())
    })
    .await;
    assert_eq!(standings(&world, &site).await, ["RUNNING"]);
    let age_in_seconds = match engine {
        Engine::Sqlite => "SELECT unixepoch() - unixepoch(beat_at) FROM backfill_runs",
        Engine::Postgres => "SELECT CAST(EXTRACT(EPOCH FROM now() - beat_at) AS bigint) FROM backfill_runs",
    };
    site.run(&beat_seconds_ago(engine, 3600)).await;
    until("it beats again", async || (site.count(age_in_seconds).await < 10).then_some(())).await;
    assert_eq!(standings(&world, &site).await, ["RUNNING"]);
    killed.kill();
    site.run(&beat_seconds_ago(engine, 10)).await;
    assert_eq!(standings(&world, &site).await, ["RUNNING"], "it may be waiting for a lock");
    site.run(&beat_seconds_ago(engine, 32)).await;
    assert_eq!(standings(&world, &site).await, ["INTERRUPTED"]);

    let outcome = run(&site.db, &settings, Pace::default()).await.unwrap();
    assert!(outcome.resumed);
    assert_eq!(standings(&world, &site).await, ["COMPLETED"]);
    undo(&site.db, outcome.run, false).await.unwrap();
    assert_eq!(standings(&world, &site).await, ["UNDONE"]);
    run(&site.db, &settings, Pace::default()).await.unwrap();
    assert_eq!(standings(&world, &site).await, ["COMPLETED", "UNDONE"]);
}

fn beat_seconds_ago(engine: Engine, seconds: u32) -> String {
    match engine {
        Engine::Sqlite => format!("UPDATE backfill_runs SET beat_at = datetime('now', '-{seconds} seconds')"),
        Engine::Postgres => format!("UPDATE backfill_runs SET beat_at = now() - interval '{seconds} seconds'"),
    }
}

async fn a_run_shows_what_it_decided_and_what_is_still_left(engine: Engine) {
    let (site, past) = simulated(engine, 10).await;
    let world = serving(&site).await;
    let list = past.sources.path().join("left.csv");
    let settings = Settings { unresolved: Some(list.clone()), ..with_sources(past.sources.path()) };
    let outcome = run(&site.db, &settings, Pace::default()).await.unwrap();

    let decision = "jobId job { id } evidence linked unresolved note";
    let (decisions, total) = walk(&world, outcome.run, "decisions", decision, 7, true).await;
    let expected: Vec<Value> = outcome.report.decisions.values().map(|decision| {
        json!({ "jobId": decision.job, "job": { "id": decision.job }, "evidence": decision.evidence.map(|known| known.as_stored().to_uppercase()),
            "linked": decision.linked, "unresolved": decision.unresolved, "note": decision.note })
    }).collect();
    assert_eq!((&decisions, total), (&expected, json!(expected.len())));

    let mut expected = BTreeMap::new();
    for record in csv::Reader::from_path(list).unwrap().records() {
        let record = record.unwrap();
        let candidates: Vec<Value> = record[3].split_whitespace().map(|id| json!({ "id": id })).collect();
        let id: Uuid = record[1].parse().unwrap();
        expected.insert(id, json!({ "prediction": { "id": id, "job": null }, "reason": record[2].to_uppercase(), "candidates": candidates }));
    }
    let unresolved = "prediction { id job { id } } reason candidates { id }";
    let left = async || walk(&world, outcome.run, "unresolvedPredictions", unresolved, 50, true).await;
    let whole =
        |expected: &BTreeMap<Uuid, Value>| (expected.values().cloned().collect::<Vec<_>>(), json!(expected.len()));
    let with_candidates = |value: &Value| !value["candidates"].as_array().unwrap().is_empty();
    assert!(expected.values().any(with_candidates) && !expected.values().all(with_candidates));
    // Jobs that were deleted before could have made some, and are no longer there.
    let jobs = job::Entity::find().all(&site.db).await.unwrap();
    let known: Vec<Uuid> = jobs.iter().map(|job| job.id).collect();
    let keep_known = |expected: &mut BTreeMap<Uuid, Value>, gone: Option<Uuid>| {
        let there = |job: &Value| known.iter().any(|id| Some(*id) != gone && job["id"] == json!(id));
        for row in expected.values_mut() {
            row["candidates"].as_array_mut().unwrap().retain(there);
        }
    };
    keep_known(&mut expected, None);
    assert_eq!(left().await, whole(&expected));

    // One is deleted, one linked, one released; what could have made another goes.
    let ids: Vec<Uuid> = expected.keys().copied().collect();
    let deleted = world
        .data("mutation($id: ID!) { deletePredictions(ids: [$id]) { deletedIds } }", json!({ "id": ids[0] }))
        .await;
    assert_eq!(deleted["deletePredictions"]["deletedIds"], json!([ids[0]]));
    for (id, link) in [(ids[1], true), (ids[2], false)] {
        let row = annual_prediction::Entity::find_by_id(id).one(&site.db).await.unwrap().unwrap();
        let owners =
            |job: &&job::Model| Some(job.user_id) == row.created_by && job.organization_id == row.organization_id;
        let job_id = jobs.iter().find(owners).map(|job| job.id).filter(|_| link);
        let row = annual_prediction::Model { job_id, job_link: Some("manifest".to_owned()), ..row };
        row.into_active_model().reset_all().update(&site.db).await.unwrap();
    }
    for id in &ids[..3] {
        expected.remove(id);
    }
    let with_some = expected.values().find(|value| with_candidates(value)).unwrap();
    let gone: Uuid = with_some["candidates"][0]["id"].as_str().unwrap().parse().unwrap();
    job::Entity::delete_by_id(gone).exec(&site.db).await.unwrap();
    keep_known(&mut expected, Some(gone));
    assert_eq!(left().await, whole(&expected));
    let (now, _) = walk(&world, outcome.run, "decisions", decision, 100, false).await;
    let of_gone = now.iter().find(|decision| decision["jobId"] == json!(gone)).unwrap();
    assert_eq!(of_gone["job"], Value::Null);
    assert_eq!(now.len(), decisions.len());
    world.check_invariants().await;
}
