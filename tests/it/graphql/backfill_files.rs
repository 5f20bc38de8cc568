//! The lists of a run of the backfill as files: whole, as the program writes them, and for operators alone.

use entity::{annual_prediction, backfill_decision, backfill_run, backfill_unresolved, company};
use migration::backfill::{Pace, Settings, run};
use sea_orm::{EntityTrait, prelude::Uuid};
use serde_json::{Value, json};
use tests::{Engine, Setup, World, people};

use super::{
    backfill_runs::{new_decision, new_run, new_unresolved},
    new_annual, new_company, store,
};
use crate::backfill::{simulated, with_sources};

tests::on_both!(
    the_lists_of_a_run_are_what_the_program_told,
    a_list_is_whole_however_long_it_is,
    the_lists_of_a_run_are_for_operators_alone,
);

/// The paths of a run's files.
async fn paths(world: &World, run: Uuid) -> [String; 2] {
    let query =
        "query($id: ID!) { node(id: $id) { ... on BackfillRun { decisionsDownloadUrl unresolvedDownloadUrl } } }";
    let node = world.data(query, json!({ "id": run })).await["node"].take();
    ["decisionsDownloadUrl", "unresolvedDownloadUrl"].map(|url| node[url].as_str().unwrap().to_owned())
}

/// The lines of a file, its header first.
async fn lines(world: &World, path: &str) -> Vec<Vec<String>> {
    let response = world.http.get(format!("{}{path}", world.base())).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/csv; charset=utf-8");
    let text = response.text().await.unwrap();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    reader.records().map(|record| record.unwrap().iter().map(ToOwned::to_owned).collect()).collect()
}

async fn the_lists_of_a_run_are_what_the_program_told(engine: Engine) {
    let (site, past) = simulated(engine, 11).await;
    let world = World::with(engine, Setup { url: Some(site.url.clone()), idle: true, ..Default::default() }).await;
    let list = past.sources.path().join("left.csv");
    let settings = Settings { unresolved: Some(list.clone()), ..with_sources(past.sources.path()) };
    let outcome = run(&site.db, &settings, Pace::default()).await.unwrap();
    let [decisions, unresolved] = paths(&world, outcome.run).await;

    let told = outcome.report.decisions.values().map(|decision| {
        let evidence = decision.evidence.map(|evidence| evidence.as_stored().to_owned()).unwrap_or_default();
        let counts = [decision.linked, decision.unresolved].map(|count| count.to_string());
        let [linked, unresolved] = counts;
        vec![decision.job.to_string(), evidence, linked, unresolved, decision.note.clone().unwrap_or_default()]
    });
    let header = ["job_id", "evidence", "linked", "unresolved", "note"].map(ToOwned::to_owned).to_vec();
    assert_eq!(lines(&world, &decisions).await, std::iter::once(header).chain(told).collect::<Vec<_>>());

    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_path(list).unwrap();
    let mut written: Vec<Vec<String>> =
        reader.records().map(|record| record.unwrap().iter().map(ToOwned::to_owned).collect()).collect();
    // The program writes them in the order in which it decides.
    written[1..].sort_by(|one, other| one[1].cmp(&other[1]));
    assert!(written.len() > 10, "something is left");
    assert_eq!(lines(&world, &unresolved).await, written);

    // One that is gone is left no more.
    let gone = written.remove(1);
    annual_prediction::Entity::delete_by_id(gone[1].parse::<Uuid>().unwrap()).exec(&site.db).await.unwrap();
    entity::quarterly_prediction::Entity::delete_by_id(gone[1].parse::<Uuid>().unwrap()).exec(&site.db).await.unwrap();
    assert_eq!(lines(&world, &unresolved).await, written);
}

async fn a_list_is_whole_however_long_it_is(engine: Engine) {
    let world = World::with(engine, Setup { idle: true, ..Default::default() }).await;
    let user = world.local_user().await;
    let firm = new_company(user, None, "A", "A");
    let (ended, empty) = (new_run(), new_run());
    let (run, empty_run) = (ended.id, empty.id);
    // A full last piece, and one that is not.
    let mut jobs: Vec<Uuid> = (0..2_000).map(|_| Uuid::now_v7()).collect();
    let years: Vec<annual_prediction::Model> = (0..1_001).map(|_| new_annual(&firm)).collect();
    let mut left: Vec<Uuid> = years.iter().map(|row| row.id).collect();
    let decisions: Vec<backfill_decision::Model> = jobs
        .iter()
        .map(|job| backfill_decision::Model { note: Some("=1+1, \"2\"".to_owned()), ..new_decision(run, *job) })
        .collect();
    let unresolved: Vec<_> = left.iter().map(|id| new_unresolved(run, *id, "annual", &jobs[..2])).collect();
    store::<company::Entity>(&world, [firm]).await;
    store::<backfill_run::Entity>(&world, [ended, empty]).await;
    for rows in years.chunks(500) {
        store::<annual_prediction::Entity>(&world, rows.to_vec()).await;
    }
    for rows in decisions.chunks(500) {
        store::<backfill_decision::Entity>(&world, rows.to_vec()).await;
    }
    for rows in unresolved.chunks(500) {
        store::<backfill_unresolved::Entity>(&world, rows.to_vec()).await;
    }
    let candidates = format!("{} {}", jobs[0], jobs[1]);
    jobs.sort_unstable();
    left.sort_unstable();

    let [decisions, unresolved] = paths(&world, run).await;
    let decided = lines(&world, &decisions).await;
    let wanted = jobs
        .iter()
        .map(|job| vec![job.to_string(), "source_file".into(), "2".into(), "1".into(), "'=1+1, \"2\"".into()]);
    assert_eq!(decided[1..], wanted.collect::<Vec<_>>());
    let still = lines(&world, &unresolved).await;
    let wanted = left.iter().map(|id| vec!["annual".into(), id.to_string(), "ambiguous".into(), candidates.clone()]);
    assert_eq!(still[1..], wanted.collect::<Vec<_>>());
    for path in paths(&world, empty_run).await {
        assert_eq!(lines(&world, &path).await.len(), 1, "the header alone");
    }
}

async fn the_lists_of_a_run_are_for_operators_alone(engine: Engine) {
    let world = World::with(engine, Setup { tokens: true, idle: true, ..Default::default() }).await;
    let people = people(&world).await;
    let run = new_run();
    let id = run.id;
    store::<backfill_run::Entity>(&world, [run]).await;
    let get = async |token: Option<&str>, path: &str| {
        let request = world.http.get(format!("{}{path}", world.base())).header("x-request-id", "r");
        let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    let nothing = get(Some(&people.olga.token), &format!("/backfill/{}/decisions.csv", Uuid::now_v7())).await;
    assert_eq!(nothing.0, 404);
    for (list, header) in [
        ("decisions.csv", "job_id,evidence,linked,unresolved,note\n"),
        ("unresolved.csv", "kind,prediction_id,reason,candidates\n"),
    ] {
        let path = format!("/backfill/{id}/{list}");
        assert_eq!(get(Some(&people.olga.token), &path).await, (200, header.to_owned()));
        for person in [&people.anna, &people.carla, &people.dora, &people.emil] {
            assert_eq!(get(Some(&person.token), &path).await, nothing, "as if there were none");
        }
        let (status, told) = get(None, &path).await;
        let told: Value = serde_json::from_str(&told).unwrap();
        assert_eq!((status, &told["errors"][0]["extensions"]["code"]), (401, &json!("UNAUTHENTICATED")));
    }
    for path in ["/backfill/nonsense/decisions.csv".to_owned(), format!("/backfill/{id}/else.csv")] {
        assert_eq!(get(Some(&people.olga.token), &path).await, nothing);
    }
}
