//! Single objects: what each gives, and what there is none of.

use entity::{annual_prediction, company, job, quarterly_prediction};
use sea_orm::prelude::Uuid;
use serde_json::{Value, json};
use tests::{Engine, Setup, World, people};

use super::{at, code, new_annual, new_company, new_job, new_quarterly, store};
use crate::deletion::{delete, file};

tests::on_both!(
    the_viewer_is_who_calls,
    node_finds_whatever_has_an_id,
    nodes_come_in_the_order_of_their_ids_with_null_for_nothing,
    more_than_a_hundred_ids_are_refused,
    a_job_that_is_not_there_is_null,
    a_job_gives_all_its_fields,
    a_prediction_gives_all_its_fields,
);

async fn the_viewer_is_who_calls(engine: Engine) {
    let query = "{ viewer { user { id name } organization { id name } role } }";
    let world = World::new(engine).await;
    let local = json!({ "user": { "id": api::auth::local_user_id(), "name": "Local user" }, "organization": null, "role": "OPERATOR" });
    assert_eq!(world.data(query, json!({})).await["viewer"], local);

    let world = World::with(engine, Setup { tokens: true, ..Default::default() }).await;
    let people = people(&world).await;
    let seen = async |person: &tests::Person| world.data_to(&person.token, query, json!({})).await["viewer"].take();
    let first = json!({ "id": people.anna.organization, "name": "First" });
    assert_eq!(
        seen(&people.anna).await,
        json!({ "user": { "id": people.anna.id, "name": "anna" }, "organization": first, "role": "MEMBER" })
    );
    assert_eq!(seen(&people.carla).await["role"], "ORG_ADMIN");
    assert_eq!(
        seen(&people.emil).await,
        json!({ "user": { "id": people.emil.id, "name": "emil" }, "organization": null, "role": "MEMBER" })
    );
    assert_eq!(seen(&people.olga).await["role"], "OPERATOR");
}

async fn node_finds_whatever_has_an_id(engine: Engine) {
    let world = World::with(engine, Setup { tokens: true, ..Default::default() }).await;
    let people = people(&world).await;
    let token = &people.carla.token;
    let job = world.create_as(token, "ANNUAL", "a.csv", file(2)).await["job"]["id"].as_str().unwrap().to_owned();
    world.ended(&job).await;
    let firm = new_company(people.carla.id, people.carla.organization, "Q", "Quarterly");
    let row = new_quarterly(&firm);
    let (firm_id, row_id) = (firm.id, row.id);
    store::<company::Entity>(&world, [firm]).await;
    store::<quarterly_prediction::Entity>(&world, [row]).await;
    let gone = world.adopted_job(people.carla.id, people.carla.organization, "annual", "completed").await;
    let query = "mutation($id: ID!) { deleteJob(id: $id) { receipt { id } } }";
    let receipt = world.data_to(token, query, json!({ "id": gone })).await["deleteJob"]["receipt"]["id"].take();
    let query = "query($id: ID!) { job(id: $id) { artifacts { id } predictions { nodes { id } } } }";
    let parts = world.data_to(token, query, json!({ "id": job })).await["job"].take();
    for (ty, id) in [
        ("Job", json!(job)),
        ("AnnualPrediction", parts["predictions"]["nodes"][0]["id"].clone()),
        ("QuarterlyPrediction", json!(row_id)),
        ("Company", json!(firm_id)),
        ("DeletionReceipt", receipt),
        ("Artifact", parts["artifacts"][0]["id"].clone()),
        ("User", json!(people.anna.id)),
        ("Organization", json!(people.carla.organization)),
    ] {
        let query = "query($id: ID!) { node(id: $id) { __typename id } nodes(ids: [$id]) { __typename id } }";
        let found = world.data_to(token, query, json!({ "id": id })).await;
        let node = json!({ "__typename": ty, "id": id });
        assert_eq!(found, json!({ "node": node, "nodes": [node] }));
    }
    for id in [json!(gone), json!(Uuid::now_v7()), json!("x"), json!(""), json!(7)] {
        let found = world.data_to(token, "query($id: ID!) { node(id: $id) { id } }", json!({ "id": id })).await;
        assert_eq!(found, json!({ "node": null }), "{id}");
    }
    world.check_invariants().await;
}

async fn nodes_come_in_the_order_of_their_ids_with_null_for_nothing(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.local_user().await;
    let rows: Vec<_> = (0..3).map(|_| new_job(user, None)).collect();
    let [a, b, c] = [0, 1, 2].map(|place| rows[place].id);
    store::<job::Entity>(&world, rows).await;
    let stranger = Uuid::now_v7();
    let asked = json!([c, stranger, a, "not an id", c, user, b]);
    let found = world.data("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", json!({ "ids": asked })).await;
    let node = |id: Uuid| json!({ "id": id });
    assert_eq!(found["nodes"], json!([node(c), null, node(a), null, node(c), node(user), node(b)]));
    let none = world.data("{ nodes(ids: []) { id } }", json!({})).await;
    assert_eq!(none["nodes"], json!([]));
}

async fn more_than_a_hundred_ids_are_refused(engine: Engine) {
    let world = World::new(engine).await;
    let many = |count: usize| json!({ "ids": (0..count).map(|_| Uuid::now_v7()).collect::<Vec<_>>() });
    let query = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    assert_eq!(world.data(query, many(100)).await["nodes"], json!(vec![Value::Null; 100]));
    let answer = world.answer(query, many(101)).await;
    assert_eq!(code(&answer), "BAD_USER_INPUT");
    assert_eq!(answer["errors"][0]["message"], "101 ids were given; at most 100 are allowed.");
    assert_eq!(answer["errors"][0]["path"], json!(["nodes"]));
    // `nodes` is never null, so nothing of the answer is left.
    assert_eq!(answer["data"], Value::Null);

    let query = "query($ids: [ID!]!) { viewer { role } deletionPreview(ids: $ids) { deletable { artifacts } } }";
    let answer = world.answer(query, many(101)).await;
    assert_eq!(code(&answer), "BAD_USER_INPUT");
    assert_eq!(answer["errors"][0]["path"], json!(["deletionPreview"]));
    assert_eq!(answer["data"], json!({ "viewer": { "role": "OPERATOR" }, "deletionPreview": null }));
}

async fn a_job_that_is_not_there_is_null(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.local_user().await;
    let row = new_job(user, None);
    let id = row.id;
    store::<job::Entity>(&world, [row]).await;
    let deleted = world.adopted_job(user, None, "annual", "completed").await;
    delete(&world, &deleted.to_string(), json!({})).await;
    let query = "query($id: ID!) { job(id: $id) { id } deletionReceipt(jobId: $id) { jobId } }";
    for nothing in [json!(Uuid::now_v7()), json!("x"), json!(""), json!(0), json!(user), json!(format!("{id}x"))] {
        let found = world.data(query, json!({ "id": nothing })).await;
        assert_eq!(found, json!({ "job": null, "deletionReceipt": null }), "{nothing}");
    }
    let found = world.data(query, json!({ "id": deleted })).await;
    assert_eq!(found, json!({ "job": null, "deletionReceipt": { "jobId": deleted } }));
    let found = world.data(query, json!({ "id": id.to_string().to_uppercase() })).await;
    assert_eq!(found, json!({ "job": { "id": id }, "deletionReceipt": null }));
}

async fn a_job_gives_all_its_fields(engine: Engine) {
    let world = World::with(engine, Setup { tokens: true, ..Default::default() }).await;
    let people = people(&world).await;
    let mut row = new_job(people.ben.id, people.ben.organization);
    row.job_type = "quarterly".to_owned();
    row.status = Some("failed".to_owned());
    row.original_filename = "Übersicht 2020.csv".to_owned();
    row.file_size = Some(i32::MAX);
    (row.total_rows, row.processed_rows, row.successful_rows, row.failed_rows) = (Some(9), Some(5), Some(3), Some(2));
    row.error_message = Some("It broke.".to_owned());
    (row.created_at, row.started_at) = (Some(at("2026-03-05T09:47:23.806911")), Some(at("2026-03-05T09:47:24.5")));
    (row.completed_at, row.updated_at) = (Some(at("2026-03-05T09:47:25")), None);
    let id = row.id;
    let mut bare = new_job(people.ben.id, people.ben.organization);
    (bare.file_size, bare.processed_rows, bare.successful_rows, bare.failed_rows) = (None, None, None, None);
    (bare.created_at, bare.started_at, bare.completed_at, bare.status) = (None, None, None, None);
    let bare_id = bare.id;
    store::<job::Entity>(&world, [row, bare]).await;
    let query = "query($id: ID!) { job(id: $id) { __typename id kind status origin fileName fileSize
        progress { total processed succeeded failed } errorMessage artifacts { id } rowErrors { totalCount nodes { line } }
        predictions { totalCount nodes { id } } createdBy { id name } organization { id name } can { delete forceDelete }
        createdAt startedAt finishedAt } }";
    let found = world.data_to(&people.ben.token, query, json!({ "id": id })).await;
    let none = json!({ "totalCount": 0, "nodes": [] });
    assert_eq!(
        found["job"],
        json!({
            "__typename": "Job", "id": id, "kind": "QUARTERLY", "status": "FAILED", "origin": "ADOPTED",
            "fileName": "Übersicht 2020.csv", "fileSize": 2_147_483_647,
            "progress": { "total": 9, "processed": 5, "succeeded": 3, "failed": 2 }, "errorMessage": "It broke.",
            "artifacts": [], "rowErrors": none, "predictions": none,
            "createdBy": { "id": people.ben.id, "name": "ben" },
            "organization": { "id": people.ben.organization, "name": "First" },
            "can": { "delete": true, "forceDelete": false },
            "createdAt": "2026-03-05T09:47:23.806911Z", "startedAt": "2026-03-05T09:47:24.500Z",
            "finishedAt": "2026-03-05T09:47:25Z",
        })
    );
    let found = &world.data_to(&people.anna.token, query, json!({ "id": bare_id })).await["job"];
    assert_eq!(found["status"], "PENDING");
    assert_eq!(found["progress"], json!({ "total": null, "processed": 0, "succeeded": 0, "failed": 0 }));
    assert_eq!(found["can"], json!({ "delete": false, "forceDelete": false }));
    for field in ["fileSize", "createdAt", "startedAt", "finishedAt", "errorMessage"] {
        assert_eq!(found[field], Value::Null, "{field}");
    }
}

async fn a_prediction_gives_all_its_fields(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.local_user().await;
    let firm = new_company(user, None, "ACME", "Acme");
    let mut year = new_annual(&firm);
    year.reporting_quarter = Some("Q4".to_owned());
    year.long_term_debt_to_total_capital = Some("100000000.0".parse().unwrap());
    year.total_debt_to_ebitda = Some("-0.5000".parse().unwrap());
    year.net_income_margin = Some("0".parse().unwrap());
    year.return_on_assets = Some("12.3456".parse().unwrap());
    year.risk_level = "CRITICAL".to_owned();
    year.probability = "1.0000".parse().unwrap();
    let mut quarter = new_quarterly(&firm);
    quarter.sga_margin = Some("7.25".parse().unwrap());
    quarter.gbm_probability = Some("0.5".parse().unwrap());
    quarter.ensemble_probability = None;
    let (year_id, quarter_id, firm_id) = (year.id, quarter.id, firm.id);
    store::<company::Entity>(&world, [firm]).await;
    store::<annual_prediction::Entity>(&world, [year]).await;
    store::<quarterly_prediction::Entity>(&world, [quarter]).await;
    let shared = "__typename id company { id symbol name sector marketCap } reportingYear reportingQuarter probability
        riskLevel confidence job { id } linkSource createdBy { id } predictedAt createdAt";
    let query = format!(
        "{{ annualPredictions {{ nodes {{ {shared} longTermDebtToTotalCapital totalDebtToEbitda netIncomeMargin
            ebitToInterestExpense returnOnAssets }} }}
          quarterlyPredictions {{ nodes {{ {shared} totalDebtToEbitda sgaMargin longTermDebtToTotalCapital returnOnCapital
            logisticProbability gbmProbability }} }} }}"
    );
    let found = world.data(&query, json!({})).await;
    let firm = json!({ "id": firm_id, "symbol": "ACME", "name": "Acme", "sector": "Sector", "marketCap": "1234567.5" });
    assert_eq!(
        found["annualPredictions"]["nodes"],
        json!([{
            "__typename": "AnnualPrediction", "id": year_id, "company": firm, "reportingYear": "2020", "reportingQuarter": "Q4",
            "probability": "1", "riskLevel": "CRITICAL", "confidence": "0.9754", "job": null, "linkSource": null,
            "createdBy": { "id": user }, "predictedAt": "2026-01-02T03:04:05Z", "createdAt": "2026-01-02T03:04:05Z",
            "longTermDebtToTotalCapital": "100000000", "totalDebtToEbitda": "-0.5", "netIncomeMargin": "0",
            "ebitToInterestExpense": null, "returnOnAssets": "12.3456",
        }])
    );
    assert_eq!(
        found["quarterlyPredictions"]["nodes"],
        json!([{
            "__typename": "QuarterlyPrediction", "id": quarter_id, "company": firm, "reportingYear": "2020", "reportingQuarter": "Q2",
            "probability": null, "riskLevel": "LOW", "confidence": "0.9754", "job": null, "linkSource": null,
            "createdBy": { "id": user }, "predictedAt": "2026-01-02T03:04:05Z", "createdAt": "2026-01-02T03:04:05Z",
            "totalDebtToEbitda": null, "sgaMargin": "7.25", "longTermDebtToTotalCapital": null, "returnOnCapital": null,
            "logisticProbability": "0.0123", "gbmProbability": "0.5",
        }])
    );
}
