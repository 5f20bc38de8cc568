//! What fails leaves the rest of an answer alone, and says nothing of the program.

use entity::{annual_prediction, company, job};
use sea_orm::prelude::Uuid;
use serde_json::{Value, json};
use tests::{Engine, World};

use super::{new_annual, new_company, new_job, says_one_sentence, store};

tests::on_both!(
    a_failed_nullable_field_is_null_and_its_siblings_stay,
    a_failed_field_that_is_never_null_nulls_the_nearest_that_may_be,
    each_of_many_failures_has_its_place,
    what_is_masked_is_in_no_answer,
    a_forged_file_is_an_error_and_no_panic,
    a_request_has_an_id,
);

/// Takes a table away under the running server.
async fn lose(world: &World, table: &str) {
    world.run(&format!("ALTER TABLE {table} RENAME TO lost_{table}")).await;
}

/// Errors by their places, in the order of those; each checked.
fn places(answer: &Value) -> Vec<Value> {
    let mut places = Vec::new();
    for error in answer["errors"].as_array().unwrap_or_else(|| panic!("no errors: {answer}")) {
        says_one_sentence(error);
        assert_eq!(error["extensions"]["code"], "INTERNAL_SERVER_ERROR", "{answer}");
        assert!(error["locations"][0]["line"].is_u64(), "{answer}");
        places.push(error["path"].clone());
    }
    places.sort_by_key(ToString::to_string);
    places
}

/// Two jobs, the first with a prediction; the company and the prediction.
async fn jobs(world: &World) -> ([Uuid; 2], Uuid, Uuid) {
    let user = world.local_user().await;
    let (first, second) = (new_job(user, None), new_job(user, None));
    let ids = [first.id, second.id];
    let firm = new_company(user, None, "A", "A");
    let row =
        annual_prediction::Model { job_id: Some(first.id), job_link: Some("manifest".to_owned()), ..new_annual(&firm) };
    let (firm_id, row_id) = (firm.id, row.id);
    store::<job::Entity>(world, [first, second]).await;
    store::<company::Entity>(world, [firm]).await;
    store::<annual_prediction::Entity>(world, [row]).await;
    (ids, firm_id, row_id)
}

async fn a_failed_nullable_field_is_null_and_its_siblings_stay(engine: Engine) {
    let world = World::new(engine).await;
    let (ids, _, row) = jobs(&world).await;
    lose(&world, "deletion_receipts").await;
    lose(&world, "users").await;
    let query = "query($id: ID!, $row: ID!) { before: __typename deletionReceipts { totalCount } deletionReceipt(jobId: $id) { id }
        job(id: $id) { fileName createdBy { name } kind } viewer { role } node(id: $row) { id }
        annualPredictions { nodes { id createdBy { id } riskLevel } } }";
    let body = json!({ "query": query, "variables": { "id": ids[0], "row": row } });
    let (status, _, text) = super::raw(world.post().json(&body)).await;
    assert_eq!(status, 200);
    // In the order of the selection all the same.
    let expected = format!(
        "{{\"data\":{{\"before\":\"Query\",\"deletionReceipts\":null,\"deletionReceipt\":null,\
         \"job\":{{\"fileName\":\"adopted.csv\",\"createdBy\":null,\"kind\":\"ANNUAL\"}},\"viewer\":{{\"role\":\"OPERATOR\"}},\"node\":null,\
         \"annualPredictions\":{{\"nodes\":[{{\"id\":\"{row}\",\"createdBy\":null,\"riskLevel\":\"LOW\"}}]}}}},\"errors\":"
    );
    assert!(text.starts_with(&expected), "{text}");
    assert_eq!(
        places(&serde_json::from_str(&text).unwrap()),
        [
            json!(["annualPredictions", "nodes", 0, "createdBy"]),
            json!(["deletionReceipt"]),
            json!(["deletionReceipts"]),
            json!(["job", "createdBy"]),
            json!(["node"]),
        ]
    );
}

async fn a_failed_field_that_is_never_null_nulls_the_nearest_that_may_be(engine: Engine) {
    let world = World::new(engine).await;
    let (ids, _, row) = jobs(&world).await;
    lose(&world, "artifacts").await;
    let viewer = json!({ "role": "OPERATOR" });
    // `artifacts: [Artifact!]!` of a job.
    let query = "query($id: ID!) { job(id: $id) { id artifacts { id } } viewer { role } }";
    let answer = world.answer(query, json!({ "id": ids[0] })).await;
    assert_eq!(answer["data"], json!({ "job": null, "viewer": viewer }));
    assert_eq!(places(&answer), [json!(["job", "artifacts"])]);
    // Through a list of jobs that are never null, up to the nullable root field.
    let answer = world.answer("{ jobs { totalCount nodes { id artifacts { id } } } viewer { role } }", json!({})).await;
    assert_eq!(answer["data"], json!({ "jobs": null, "viewer": viewer }));
    assert_eq!(places(&answer), [json!(["jobs", "nodes", 0, "artifacts"])]);
    // Items of `nodes` may be null, each by itself.
    let query =
        "query($ids: [ID!]!) { nodes(ids: $ids) { id ... on Job { rowErrors { totalCount } } } viewer { role } }";
    lose(&world, "row_errors").await;
    let user = world.local_user().await;
    // `nodes` itself reads the lost table of files, so give it back.
    world.run("ALTER TABLE lost_artifacts RENAME TO artifacts").await;
    let answer = world.answer(query, json!({ "ids": [ids[0], user, row] })).await;
    assert_eq!(answer["data"], json!({ "nodes": [null, { "id": user }, { "id": row }], "viewer": viewer }));
    assert_eq!(places(&answer), [json!(["nodes", 0, "rowErrors"])]);
    // Nothing above it may be null: the whole answer.
    lose(&world, "companies").await;
    let answer = world.answer(query, json!({ "ids": [user] })).await;
    assert_eq!(answer["data"], Value::Null);
    assert_eq!(places(&answer), [json!(["nodes"])]);
    // A prediction's company is never null, nor is the prediction in its list.
    let query = "{ annualPredictions { totalCount edges { node { id company { name } } } } viewer { role } }";
    let answer = world.answer(query, json!({})).await;
    assert_eq!(answer["data"], json!({ "annualPredictions": null, "viewer": viewer }));
    assert_eq!(places(&answer), [json!(["annualPredictions", "edges", 0, "node", "company"])]);
}

async fn each_of_many_failures_has_its_place(engine: Engine) {
    let world = World::new(engine).await;
    let (ids, ..) = jobs(&world).await;
    lose(&world, "users").await;
    let query = "{ a: jobs(orderBy: {field: FILE_NAME, direction: ASC}) { nodes { id who: createdBy { name } } } ...F }
        fragment F on Query { b: jobs { nodes { createdBy { id } } } }";
    let answer = world.answer(query, json!({})).await;
    assert_eq!(
        answer["data"],
        json!({ "a": { "nodes": ids.map(|id| json!({ "id": id, "who": null })) }, "b": { "nodes": [{ "createdBy": null }, { "createdBy": null }] } })
    );
    assert_eq!(
        places(&answer),
        [
            json!(["a", "nodes", 0, "who"]),
            json!(["a", "nodes", 1, "who"]),
            json!(["b", "nodes", 0, "createdBy"]),
            json!(["b", "nodes", 1, "createdBy"]),
        ]
    );
}

async fn what_is_masked_is_in_no_answer(engine: Engine) {
    let world = World::new(engine).await;
    let (ids, ..) = jobs(&world).await;
    for table in ["users", "deletion_receipts", "artifacts", "row_errors", "audit_log"] {
        lose(&world, table).await;
    }
    for document in [
        "query($id: ID!) { job(id: $id) { createdBy { name } rowErrors { totalCount } artifacts { id } } deletionReceipts { totalCount }
            node(id: $id) { id } deletionPreview(ids: [$id]) { deletable { artifacts } } }",
        "mutation($id: ID!) { deleteJob(id: $id) { deletedJobId } deleteJobs(ids: [$id]) { deletedJobIds } deletePredictions(ids: [$id]) { deletedIds } }",
    ] {
        let body = json!({ "query": document, "variables": { "id": ids[0] } });
        let (status, _, text) = super::raw(world.post().header("x-request-id", "my-own.id:1_2").json(&body)).await;
        assert_eq!(status, 200, "{text}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        for error in answer["errors"].as_array().unwrap() {
            says_one_sentence(error);
            assert_eq!(error["extensions"], json!({ "code": "INTERNAL_SERVER_ERROR", "requestId": "my-own.id:1_2" }), "{text}");
        }
        for trace in ["lost_", "no such table", "does not exist", "relation", "sqlx", "Query", "SELECT", "INSERT", "users", "audit", ".rs"] {
            assert!(!text.contains(trace), "{trace}: {text}");
        }
    }
}

async fn a_forged_file_is_an_error_and_no_panic(engine: Engine) {
    let world = World::new(engine).await;
    let query = "mutation($file: Upload!) { createJob(input: {kind: ANNUAL, source: {file: $file}}) { job { id } userErrors { code field } } }";
    let mark = "#joblink-upload:";
    for file in [
        json!("x"),
        json!(""),
        json!("#__graphql_file__:0"),
        json!(format!("{mark}0")),
        json!(format!("{mark}18446744073709551615")),
        json!(format!("{mark}99999999999999999999999")),
        json!(format!("{mark}-1")),
        json!(mark),
        json!(0),
        json!(true),
        json!(["x"]),
        json!({ "path": "/etc/passwd" }),
        Value::Null,
    ] {
        let answer = world.answer(query, json!({ "file": file })).await;
        match answer["data"].get("createJob") {
            Some(Value::Object(payload)) => {
                let refusal = json!([{ "code": "VALIDATION_FAILED", "field": ["input", "source", "file"] }]);
                assert_eq!((&payload["job"], &payload["userErrors"]), (&Value::Null, &refusal), "{file}");
            }
            _ => assert_eq!(super::code(&answer), "BAD_USER_INPUT", "{file}"),
        }
    }
    for literal in ["\"x\"", "\"#joblink-upload:0\"", "\"#__graphql_file__:0\"", "7", "null", "{}"] {
        let query = format!(
            "mutation {{ createJob(input: {{kind: ANNUAL, source: {{file: {literal}}}}}) {{ job {{ id }} userErrors {{ code }} }} }}"
        );
        let answer = world.answer(&query, json!({})).await;
        assert!(answer["data"]["createJob"]["job"].is_null(), "{literal}: {answer}");
        assert!(
            answer.get("errors").is_some()
                || answer["data"]["createJob"]["userErrors"][0]["code"] == "VALIDATION_FAILED",
            "{answer}"
        );
    }
    assert_eq!(world.count("SELECT count(*) FROM bulk_upload_jobs").await, 0);
    world.check_invariants().await;
}

async fn a_request_has_an_id(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.local_user().await;
    let ask = async |id: Option<&str>, query: &str| {
        let request = world.post().json(&json!({ "query": query }));
        let request = if let Some(id) = id { request.header("x-request-id", id) } else { request };
        let response = request.send().await.unwrap();
        let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        (id, response.json::<Value>().await.unwrap())
    };
    let (id, answer) = ask(Some("abc-1.2:3_4"), "{ nothing }").await;
    assert_eq!((id.as_str(), &answer["errors"][0]["extensions"]["requestId"]), ("abc-1.2:3_4", &json!("abc-1.2:3_4")));
    let (first, _) = ask(None, "{ __typename }").await;
    let (second, answer) = ask(None, "{ jobs(first: 101) { totalCount } }").await;
    assert!(first != second && second.parse::<Uuid>().is_ok());
    assert_eq!(answer["errors"][0]["extensions"]["requestId"], json!(second));
    // Another's id is taken over only where it can do no harm in a log.
    for strange in ["", "a b", "a\"b", "<script>", &"x".repeat(101), "a;b"] {
        let (id, _) = ask(Some(strange), "{ __typename }").await;
        assert!(id.parse::<Uuid>().is_ok(), "{strange:?} became {id}");
    }
    let job = world.adopted_job(user, None, "annual", "completed").await;
    ask(Some("the-deletion"), &format!("mutation {{ deleteJob(id: \"{job}\") {{ deletedJobId }} }}")).await;
    let entries = world.rows("SELECT request_id FROM audit_log WHERE action = 'delete_job'").await;
    assert_eq!(entries, [json!({ "request_id": "the-deletion" })]);
    world.check_invariants().await;
}
