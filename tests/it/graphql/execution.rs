//! Documents are executed as the specification says: fields in the order of the selection, each response key once,
//! fragments, directives, interfaces, aliases.

use entity::{annual_prediction, company, job, quarterly_prediction};
use sea_orm::prelude::Uuid;
use serde_json::{Value, json};
use tests::{Engine, World};

use super::{data_text, new_annual, new_company, new_job, new_quarterly, store};

tests::on_both!(
    a_response_key_is_executed_once,
    answers_have_the_order_of_the_selection,
    conditions_honour_the_defaults_of_variables,
    interfaces_show_each_object_as_what_it_is,
    objects_of_lists_show_what_is_left_of_them,
    root_fields_of_a_mutation_run_one_after_the_other,
);

async fn a_response_key_is_executed_once(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.local_user().await;
    for (document, deletions) in [
        (
            "mutation { a: deleteJob(id: \"ID\") { deletedJobId } ...F } fragment F on Mutation { a: deleteJob(id: \"ID\") { receipt { jobId } } }",
            1,
        ),
        (
            "mutation { ...F ...F } fragment F on Mutation { a: deleteJob(id: \"ID\") { deletedJobId receipt { jobId } } }",
            1,
        ),
        (
            "mutation { ...F ...G } fragment F on Mutation { a: deleteJob(id: \"ID\") { deletedJobId } } fragment G on Mutation { ...F a: deleteJob(id: \"ID\") { receipt { jobId } } }",
            1,
        ),
        (
            "mutation { a: deleteJob(id: \"ID\") { deletedJobId } ... on Mutation { a: deleteJob(id: \"ID\") { receipt { jobId } } } ... { a: deleteJob(id: \"ID\") { deletedJobId } } }",
            1,
        ),
        ("mutation { a: deleteJob(id: \"ID\") { deletedJobId } a: deleteJob(id: \"ID\") { receipt { jobId } } }", 1),
        // Two keys are two calls: the second finds the job gone.
        (
            "mutation { a: deleteJob(id: \"ID\") { deletedJobId receipt { jobId } } b: deleteJob(id: \"ID\") { userErrors { code } } }",
            2,
        ),
    ] {
        let job = world.adopted_job(user, None, "annual", "completed").await;
        let before = world.count("SELECT count(*) FROM audit_log").await;
        let data = world.data(&document.replace("ID", &job.to_string()), json!({})).await;
        assert_eq!(data["a"], json!({ "deletedJobId": job, "receipt": { "jobId": job } }), "{document}");
        if deletions == 2 {
            assert_eq!(data["b"], json!({ "userErrors": [{ "code": "JOB_ALREADY_DELETED" }] }));
        }
        assert_eq!(world.count("SELECT count(*) FROM audit_log").await - before, deletions, "{document}");
    }
    world.check_invariants().await;
}

async fn root_fields_of_a_mutation_run_one_after_the_other(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.local_user().await;
    let job = world.adopted_job(user, None, "annual", "completed").await;
    let calls: String = (0..6)
        .map(|place| format!("c{place}: deleteJob(id: \"{job}\") {{ deletedJobId userErrors {{ code }} }} "))
        .collect();
    let text = data_text(&world, &format!("mutation {{ {calls} }}"), json!({})).await;
    let mut expected = format!("{{\"c0\":{{\"deletedJobId\":\"{job}\",\"userErrors\":[]}}");
    for place in 1..6 {
        expected +=
            &format!(",\"c{place}\":{{\"deletedJobId\":null,\"userErrors\":[{{\"code\":\"JOB_ALREADY_DELETED\"}}]}}");
    }
    assert_eq!(text, expected + "}");
    world.check_invariants().await;
}

async fn answers_have_the_order_of_the_selection(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.local_user().await;
    let row = job::Model { file_size: Some(7), ..new_job(user, None) };
    let id = row.id;
    store::<job::Entity>(&world, [row]).await;
    let local = "{\"name\":\"Local user\"}";
    for (document, expected) in [
        ("{ viewer { role } __typename }", "{'viewer':{'role':'OPERATOR'},'__typename':'Query'}".to_owned()),
        ("{ __typename viewer { role } }", "{'__typename':'Query','viewer':{'role':'OPERATOR'}}".to_owned()),
        // The slower field first: the order is not that of completion.
        (
            "{ jobs { nodes { createdBy { name } fileSize predictions { totalCount } fileName } totalCount } viewer { role } }",
            format!(
                "{{'jobs':{{'nodes':[{{'createdBy':{local},'fileSize':7,'predictions':{{'totalCount':0}},'fileName':'adopted.csv'}}],'totalCount':1}},'viewer':{{'role':'OPERATOR'}}}}"
            ),
        ),
        (
            "{ jobs { nodes { fileName predictions { totalCount } createdBy { name } } } }",
            format!(
                "{{'jobs':{{'nodes':[{{'fileName':'adopted.csv','predictions':{{'totalCount':0}},'createdBy':{local}}}]}}}}"
            ),
        ),
        // A key stands where it is first mentioned, with all that is selected under it later.
        (
            "{ jobs { totalCount } viewer { role } jobs { nodes { fileSize } } ...F } fragment F on Query { viewer { user { name } } jobs { nodes { fileName } } }",
            format!(
                "{{'jobs':{{'totalCount':1,'nodes':[{{'fileSize':7,'fileName':'adopted.csv'}}]}},'viewer':{{'role':'OPERATOR','user':{local}}}}}"
            ),
        ),
        (
            "{ jobs { nodes { ...A fileSize ...B } } } fragment A on Job { b: fileName } fragment B on Job { a: fileName b: fileName }",
            "{'jobs':{'nodes':[{'b':'adopted.csv','fileSize':7,'a':'adopted.csv'}]}}".to_owned(),
        ),
        (
            "{ z: viewer { role } y: viewer { r: role __typename } x: __typename }",
            "{'z':{'role':'OPERATOR'},'y':{'r':'OPERATOR','__typename':'Viewer'},'x':'Query'}".to_owned(),
        ),
        (
            "query($id: ID!) { node(id: $id) { ... on Job { fileName } id ... on Node { __typename } ... on Job { fileSize } } }",
            format!("{{'node':{{'fileName':'adopted.csv','id':'{id}','__typename':'Job','fileSize':7}}}}"),
        ),
        ("query A { __typename } query B { viewer { role } }", "{'viewer':{'role':'OPERATOR'}}".to_owned()),
    ] {
        let expected = expected.replace('\'', "\"");
        let name = document.contains("query B").then_some("B");
        let body = json!({ "query": document, "variables": { "id": id }, "operationName": name });
        let (_, _, text) = super::raw(world.post().json(&body)).await;
        assert_eq!(text, format!("{{\"data\":{expected}}}"), "{document}");
    }
}

async fn conditions_honour_the_defaults_of_variables(engine: Engine) {
    let world = World::new(engine).await;
    let both = json!({ "a": "Query", "b": "Query" });
    let (only_a, only_b, none) = (json!({ "a": "Query" }), json!({ "b": "Query" }), json!({}));
    let on = |value: bool| json!({ "v": value });
    for (document, variables, expected) in [
        ("{ a: __typename @skip(if: true) b: __typename }", json!({}), &only_b),
        ("{ a: __typename @skip(if: false) b: __typename @include(if: false) }", json!({}), &only_a),
        (
            "{ a: __typename @include(if: true) @skip(if: true) b: __typename @include(if: true) @skip(if: false) }",
            json!({}),
            &only_b,
        ),
        (
            "{ a: __typename @include(if: false) @skip(if: false) b: __typename @include(if: false) @skip(if: true) }",
            json!({}),
            &none,
        ),
        ("query($v: Boolean!) { a: __typename @skip(if: $v) b: __typename @include(if: $v) }", on(true), &only_b),
        ("query($v: Boolean!) { a: __typename @skip(if: $v) b: __typename @include(if: $v) }", on(false), &only_a),
        (
            "query($v: Boolean = true) { a: __typename @skip(if: $v) b: __typename @include(if: $v) }",
            json!({}),
            &only_b,
        ),
        (
            "query($v: Boolean = false) { a: __typename @skip(if: $v) b: __typename @include(if: $v) }",
            json!({}),
            &only_a,
        ),
        (
            "query($v: Boolean! = true) { a: __typename @skip(if: $v) b: __typename @include(if: $v) }",
            json!({}),
            &only_b,
        ),
        (
            "query($v: Boolean = true) { a: __typename @skip(if: $v) b: __typename @include(if: $v) }",
            on(false),
            &only_a,
        ),
        (
            "query($v: Boolean = false) { a: __typename @skip(if: $v) b: __typename @include(if: $v) }",
            on(true),
            &only_b,
        ),
        (
            "query($v: Boolean = true) { ...F @include(if: $v) a: __typename @skip(if: $v) } fragment F on Query { b: __typename }",
            json!({}),
            &only_b,
        ),
        (
            "query($v: Boolean = true) { ... @skip(if: $v) { a: __typename } ... on Query @include(if: $v) { b: __typename } }",
            json!({}),
            &only_b,
        ),
        // Skipped in one place and not in another: it is there.
        (
            "query($v: Boolean = true) { a: __typename @skip(if: $v) ...F b: __typename } fragment F on Query { a: __typename }",
            json!({}),
            &both,
        ),
        ("{ ...F @skip(if: true) ...F a: __typename } fragment F on Query { b: __typename }", json!({}), &both),
    ] {
        assert_eq!(world.data(document, variables).await, *expected, "{document}");
    }
    // What is skipped is not executed.
    let user = world.local_user().await;
    let job = world.adopted_job(user, None, "annual", "completed").await;
    let query =
        "mutation($id: ID!, $do: Boolean = false) { __typename deleteJob(id: $id) @include(if: $do) { deletedJobId } }";
    assert_eq!(world.data(query, json!({ "id": job })).await, json!({ "__typename": "Mutation" }));
    assert_eq!(world.count("SELECT count(*) FROM bulk_upload_jobs").await, 1);
}

async fn interfaces_show_each_object_as_what_it_is(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.local_user().await;
    let (maker, firm) = (new_job(user, None), new_company(user, None, "A", "Acme"));
    let year =
        annual_prediction::Model { job_id: Some(maker.id), job_link: Some("manifest".to_owned()), ..new_annual(&firm) };
    let quarter = new_quarterly(&firm);
    let [job_id, firm_id, year_id, quarter_id]: [Uuid; 4] = [maker.id, firm.id, year.id, quarter.id];
    store::<job::Entity>(&world, [maker]).await;
    store::<company::Entity>(&world, [firm]).await;
    store::<annual_prediction::Entity>(&world, [year]).await;
    store::<quarterly_prediction::Entity>(&world, [quarter]).await;
    let all = json!({ "ids": [job_id, firm_id, year_id, quarter_id, user] });
    let ask = async |selection: &str| -> Value {
        let query = format!("query($ids: [ID!]!) {{ nodes(ids: $ids) {{ {selection} }} }}");
        world.data(&query, all.clone()).await["nodes"].take()
    };
    let (job, firm, year, quarter, local) = ("Job", "Company", "AnnualPrediction", "QuarterlyPrediction", "User");
    assert_eq!(
        ask("__typename").await,
        json!([job, firm, year, quarter, local].map(|name| json!({ "__typename": name })))
    );
    assert_eq!(
        ask("... on Prediction { __typename reportingYear company { __typename symbol } }").await,
        json!([{}, {}, { "__typename": year, "reportingYear": "2020", "company": { "__typename": firm, "symbol": "A" } },
            { "__typename": quarter, "reportingYear": "2020", "company": { "__typename": firm, "symbol": "A" } }, {}])
    );
    assert_eq!(
        ask("... on Company { name } ... on User { name } ... on Job { name: fileName } ... on AnnualPrediction { name: reportingYear } ... on QuarterlyPrediction { name: reportingYear }").await,
        json!([{ "name": "adopted.csv" }, { "name": "Acme" }, { "name": "2020" }, { "name": "2020" }, { "name": "Local user" }])
    );
    assert_eq!(
        ask("... on AnnualPrediction { netIncomeMargin } ... on QuarterlyPrediction { sgaMargin } ... on Node { ... on Prediction { riskLevel } }").await,
        json!([{}, {}, { "netIncomeMargin": null, "riskLevel": "LOW" }, { "sgaMargin": null, "riskLevel": "LOW" }, {}])
    );
    // Interface and object mixed: what is selected on both is one field.
    let mixed =
        "... on Prediction { company { id } job { id } } ... on AnnualPrediction { company { name } job { status } }
        ... on Node { id ... on QuarterlyPrediction { company { sector } } }";
    assert_eq!(
        ask(mixed).await,
        json!([
            { "id": job_id }, { "id": firm_id },
            { "company": { "id": firm_id, "name": "Acme" }, "job": { "id": job_id, "status": "COMPLETED" }, "id": year_id },
            { "company": { "id": firm_id, "sector": "Sector" }, "job": null, "id": quarter_id },
            { "id": user },
        ])
    );
    let nested = "query($id: ID!) { job(id: $id) { predictions { nodes { __typename ...P ... on AnnualPrediction { netIncomeMargin } } edges { node { ... on Node { id } } } } } }
        fragment P on Prediction { company { ...C } ... on QuarterlyPrediction { sgaMargin } } fragment C on Node { __typename id }";
    assert_eq!(
        world.data(nested, json!({ "id": job_id })).await["job"]["predictions"],
        json!({ "nodes": [{ "__typename": year, "company": { "__typename": firm, "id": firm_id }, "netIncomeMargin": null }],
            "edges": [{ "node": { "id": year_id } }] })
    );
}

/// Of fields of which all is skipped, and of fragments on other types, nothing is left.
async fn objects_of_lists_show_what_is_left_of_them(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.local_user().await;
    let (maker, firm) = (new_job(user, None), new_company(user, None, "A", "Acme"));
    let year =
        annual_prediction::Model { job_id: Some(maker.id), job_link: Some("manifest".to_owned()), ..new_annual(&firm) };
    store::<job::Entity>(&world, [maker]).await;
    store::<company::Entity>(&world, [firm]).await;
    store::<annual_prediction::Entity>(&world, [year]).await;
    let ask = async |selection: &str| -> Value {
        let query = format!("{{ jobs {{ nodes {{ {selection} }} edges {{ node {{ {selection} }} }} }} }}");
        let jobs = world.data(&query, json!({})).await["jobs"].take();
        assert_eq!(jobs["nodes"][0], jobs["edges"][0]["node"]);
        jobs["nodes"][0].clone()
    };
    assert_eq!(
        ask("createdBy { id @skip(if: true) } predictions { nodes { company { id @include(if: false) } } } progress { total @skip(if: true) }").await,
        json!({ "createdBy": {}, "predictions": { "nodes": [{ "company": {} }] }, "progress": {} })
    );
    assert_eq!(
        ask("predictions { nodes { riskLevel ... on AnnualPrediction { __typename company { symbol } } ... on QuarterlyPrediction { confidence } } }").await,
        json!({ "predictions": { "nodes": [{ "riskLevel": "LOW", "__typename": "AnnualPrediction", "company": { "symbol": "A" } }] } })
    );
}
