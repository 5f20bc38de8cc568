//! Rows as an older program may have left them: unknown words, missing values, and a clock in another zone.

use chrono::{NaiveDateTime, TimeDelta};
use entity::{annual_prediction, company, job, quarterly_prediction};
use serde_json::{Value, json};
use tests::{Engine, Setup, World};

use super::{at, ids, new_annual, new_company, new_job, new_quarterly, store};
use crate::deletion::{delete, file};

tests::on_both!(
    words_that_nobody_knows_never_fail_a_page,
    times_of_adopted_rows_are_converted_and_those_of_joblink_are_not,
    a_time_that_the_clock_skips_or_repeats_is_still_a_time,
);

async fn words_that_nobody_knows_never_fail_a_page(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.local_user().await;
    let mut jobs: Vec<_> = (0..4).map(|_| new_job(user, None)).collect();
    jobs[0].status = Some("paused".to_owned());
    jobs[0].completed_at = None;
    jobs[1].status = Some(String::new());
    jobs[2].status = None;
    jobs[3].job_type = "monthly".to_owned();
    let job_ids: Vec<_> = jobs.iter().map(|job| job.id).collect();
    let firm = new_company(user, None, "A", "A");
    let (mut year, mut quarter) = (new_annual(&firm), new_quarterly(&firm));
    year.risk_level = "VERY HIGH".to_owned();
    year.reporting_year = "FY2020".to_owned();
    year.reporting_quarter = Some("fourth".to_owned());
    year.job_link = Some("guess".to_owned());
    year.job_id = Some(job_ids[0]);
    (year.predicted_at, year.created_at, year.created_by) = (None, None, None);
    quarter.risk_level = String::new();
    quarter.reporting_quarter = "4".to_owned();
    quarter.job_link = Some("guess".to_owned());
    store::<job::Entity>(&world, jobs).await;
    store::<company::Entity>(&world, [firm]).await;
    store::<annual_prediction::Entity>(&world, [year]).await;
    store::<quarterly_prediction::Entity>(&world, [quarter]).await;

    let found = world
        .data(
            "{ jobs(orderBy: {field: CREATED_AT, direction: ASC}) { totalCount nodes { id status kind } } }",
            json!({}),
        )
        .await;
    assert_eq!(found["jobs"]["totalCount"], 4);
    let seen: Vec<_> = found["jobs"]["nodes"].as_array().unwrap().iter().map(|job| &job["status"]).collect();
    // Unknown: at work, unless the job has an end.
    assert_eq!(seen, ["RUNNING", "COMPLETED", "PENDING", "COMPLETED"]);
    for (status, expected) in
        [("RUNNING", vec![job_ids[0]]), ("COMPLETED", vec![job_ids[1], job_ids[3]]), ("PENDING", vec![job_ids[2]])]
    {
        let query = format!(
            "{{ jobs(filter: {{status: [{status}]}}, orderBy: {{field: CREATED_AT, direction: ASC}}) {{ nodes {{ id }} }} }}"
        );
        assert_eq!(ids(&world.data(&query, json!({})).await["jobs"]), expected, "{status}");
    }
    // What is shown as annual is found as annual.
    let query = "{ jobs(filter: {kind: ANNUAL}) { nodes { id kind } } }";
    assert!(ids(&world.data(query, json!({})).await["jobs"]).contains(&job_ids[3]));
    let query = "{ jobs(filter: {kind: QUARTERLY}) { totalCount } }";
    assert_eq!(world.data(query, json!({})).await["jobs"]["totalCount"], 0);

    let rows = "totalCount nodes { reportingYear reportingQuarter riskLevel linkSource predictedAt createdAt createdBy { id } job { id } }";
    let found =
        world.data(&format!("{{ annualPredictions {{ {rows} }} quarterlyPredictions {{ {rows} }} }}"), json!({})).await;
    let year = &found["annualPredictions"]["nodes"][0];
    assert_eq!(
        *year,
        json!({ "reportingYear": "FY2020", "reportingQuarter": "fourth", "riskLevel": null, "linkSource": null,
            "predictedAt": null, "createdAt": null, "createdBy": null, "job": { "id": job_ids[0] } })
    );
    let quarter = &found["quarterlyPredictions"]["nodes"][0];
    // Without a job, any link at all is the trace of a job that went.
    assert_eq!((&quarter["riskLevel"], &quarter["linkSource"]), (&Value::Null, &json!("RELEASED")));
    let query = "{ quarterlyPredictions(filter: {linkSource: [RELEASED]}) { totalCount } }";
    assert_eq!(world.data(query, json!({})).await["quarterlyPredictions"]["totalCount"], 1);
}

async fn times_of_adopted_rows_are_converted_and_those_of_joblink_are_not(engine: Engine) {
    let setup = Setup { adopted_timezone: Some(chrono_tz::America::New_York), ..Default::default() };
    let world = World::with(engine, setup).await;
    let before = api::database::now();
    let own = world.upload("ANNUAL", "a.csv", file(1)).await;
    let user = world.local_user().await;
    let mut adopted = new_job(user, None);
    adopted.created_at = Some(at("2026-07-01T12:00:00"));
    let id = adopted.id;
    let firm = new_company(user, None, "A", "A");
    let mut row = new_annual(&firm);
    row.created_at = Some(at("2026-01-01T12:00:00"));
    row.predicted_at = Some(at("2026-01-01T17:00:00"));
    let row_id = row.id;
    store::<job::Entity>(&world, [adopted]).await;
    store::<company::Entity>(&world, [firm]).await;
    store::<annual_prediction::Entity>(&world, [row]).await;

    let query = "query($id: ID!) { job(id: $id) { origin createdAt startedAt finishedAt } }";
    let found = &world.data(query, json!({ "id": id })).await["job"];
    // Only `created_at` is by the database's clock: four hours behind in summer, five in winter.
    assert_eq!(
        *found,
        json!({ "origin": "ADOPTED", "createdAt": "2026-07-01T16:00:00Z", "startedAt": "2026-01-02T03:04:05Z",
            "finishedAt": "2026-01-02T03:04:05Z" })
    );
    let query = "query($id: ID!) { node(id: $id) { ... on Prediction { createdAt predictedAt } } }";
    let found = &world.data(query, json!({ "id": row_id })).await["node"];
    assert_eq!(*found, json!({ "createdAt": "2026-01-01T17:00:00Z", "predictedAt": "2026-01-01T17:00:00Z" }));

    let is_now = |time: &Value| {
        let time: chrono::DateTime<chrono::Utc> = time.as_str().unwrap().parse().unwrap();
        assert!(before - TimeDelta::seconds(1) < time && time <= api::database::now(), "{time}");
    };
    let query = "query($id: ID!) { job(id: $id) { origin createdAt predictions { nodes { id createdAt } } } }";
    let found = &world.data(query, json!({ "id": own })).await["job"];
    assert_eq!(found["origin"], "JOBLINK");
    is_now(&found["createdAt"]);
    let prediction = &found["predictions"]["nodes"][0];
    is_now(&prediction["createdAt"]);

    // Filters speak of the same times.
    let count = async |filter: &str| {
        let query = format!("{{ jobs(filter: {{origin: ADOPTED, {filter}}}) {{ totalCount }} }}");
        world.data(&query, json!({})).await["jobs"]["totalCount"].as_i64().unwrap()
    };
    assert_eq!(count("createdAfter: \"2026-07-01T16:00:00Z\"").await, 1);
    assert_eq!(count("createdAfter: \"2026-07-01T16:00:01Z\"").await, 0);
    assert_eq!(count("createdBefore: \"2026-07-01T16:00:00Z\"").await, 0);
    assert_eq!(count("createdBefore: \"2026-07-01T16:00:01Z\"").await, 1);
    let query = format!(
        "{{ jobs(filter: {{origin: JOBLINK, createdAfter: \"{}\"}}) {{ totalCount }} }}",
        before.to_rfc3339().replace("+00:00", "Z")
    );
    assert_eq!(world.data(&query, json!({})).await["jobs"]["totalCount"], 1);

    // A prediction keeps its time when its job is deleted without it.
    let receipt = delete(&world, &own, json!({})).await["receipt"].take();
    let query = "query($id: ID!) { node(id: $id) { ... on Prediction { id createdAt } } }";
    assert_eq!(world.data(query, json!({ "id": prediction["id"] })).await["node"], *prediction);
    let query = "query($id: ID!) { deletionReceipt(jobId: $id) { jobCreatedAt } }";
    let kept = &world.data(query, json!({ "id": receipt["jobId"] })).await["deletionReceipt"]["jobCreatedAt"];
    assert_eq!(*kept, found["createdAt"]);
    world.check_invariants().await;
}

async fn a_time_that_the_clock_skips_or_repeats_is_still_a_time(engine: Engine) {
    let setup = Setup { adopted_timezone: Some(chrono_tz::Europe::Berlin), ..Default::default() };
    let world = World::with(engine, setup).await;
    let user = world.local_user().await;
    let times: [(NaiveDateTime, &str); 3] = [
        // 29 March 2026: from 2:00 to 3:00; 25 October: from 3:00 back to 2:00, of which the earlier counts.
        (at("2026-03-29T02:30:00"), "2026-03-29T02:30:00Z"),
        (at("2026-10-25T02:30:00"), "2026-10-25T00:30:00Z"),
        (at("2026-10-25T03:30:00"), "2026-10-25T02:30:00Z"),
    ];
    let rows: Vec<_> =
        times.iter().map(|(time, _)| job::Model { created_at: Some(*time), ..new_job(user, None) }).collect();
    store::<job::Entity>(&world, rows).await;
    let found =
        world.data("{ jobs(orderBy: {field: CREATED_AT, direction: ASC}) { nodes { createdAt } } }", json!({})).await;
    assert_eq!(
        found["jobs"]["nodes"],
        times.map(|(_, time)| json!({ "createdAt": time })).into_iter().collect::<Value>()
    );
}
