//! What somebody of elsewhere did to one's things is seen, who it was is not. Rows that a hand has mixed up show nothing of
//! the other side.

use entity::{annual_prediction, company, job};
use serde_json::{Value, json};
use tests::{Engine, Setup, World, people};

use crate::graphql::{new_annual, new_company, new_job, store};

tests::on_both!(
    what_an_operator_did_is_seen_without_their_name,
    a_company_of_another_tenant_is_shown_as_nothing,
    a_job_of_another_tenant_has_no_say_about_ones_prediction,
    counts_leave_out_what_is_not_seen,
);

async fn world(engine: Engine) -> World {
    World::with(engine, Setup { tokens: true, idle: true, ..Default::default() }).await
}

async fn what_an_operator_did_is_seen_without_their_name(engine: Engine) {
    let world = world(engine).await;
    let people = people(&world).await;
    let (anna, carla, olga) = (&people.anna, &people.carla, &people.olga);
    let stopped = world.adopted_job(anna.id, anna.organization, "annual", "pending").await;
    let gone = world.adopted_job(anna.id, anna.organization, "annual", "completed").await;
    let change = "mutation($stopped: ID!, $gone: ID!) { cancelJob(id: $stopped) { userErrors { code } }
        holdJob(id: $stopped, reason: \"court case\") { userErrors { code } } deleteJob(id: $gone) { userErrors { code } } }";
    let changed = world.data_to(&olga.token, change, json!({ "stopped": stopped, "gone": gone })).await;
    let fine = json!({ "userErrors": [] });
    assert_eq!(changed, json!({ "cancelJob": fine, "holdJob": fine, "deleteJob": fine }));

    let query = "query($stopped: ID!, $gone: ID!) {
        job(id: $stopped) { createdBy { id } cancellation { reason by { id } } hold { reason by { id } } }
        deletionReceipt(jobId: $gone) { jobCreatedBy { id } deletedBy { id } } }";
    let asked = json!({ "stopped": stopped, "gone": gone });
    let shown = |by: Value| {
        json!({
            "job": { "createdBy": { "id": anna.id }, "cancellation": { "reason": "user_request", "by": by },
                "hold": { "reason": "court case", "by": by } },
            "deletionReceipt": { "jobCreatedBy": { "id": anna.id }, "deletedBy": by },
        })
    };
    assert_eq!(world.data_to(&anna.token, query, asked.clone()).await, shown(Value::Null));
    assert_eq!(world.data_to(&carla.token, query, asked.clone()).await, shown(Value::Null));
    assert_eq!(world.data_to(&olga.token, query, asked).await, shown(json!({ "id": olga.id })));

    let query = "query($by: ID!) { deletionReceipts(filter: {deletedBy: $by}) { totalCount }
        auditLog(filter: {actorId: $by}) { totalCount } all: auditLog { nodes { actor { id } action } } }";
    let seen = world.data_to(&carla.token, query, json!({ "by": olga.id })).await;
    let entry = |action: &str| json!({ "actor": null, "action": action });
    let none = json!({ "totalCount": 0 });
    assert_eq!(
        seen,
        json!({ "deletionReceipts": none, "auditLog": none,
            "all": { "nodes": [entry("DELETE_JOB"), entry("HOLD_JOB"), entry("CANCEL_JOB")] } })
    );
    let seen = world.data_to(&olga.token, query, json!({ "by": olga.id })).await;
    assert_eq!((&seen["deletionReceipts"]["totalCount"], &seen["auditLog"]["totalCount"]), (&json!(1), &json!(3)));
}

async fn a_company_of_another_tenant_is_shown_as_nothing(engine: Engine) {
    let world = world(engine).await;
    let people = people(&world).await;
    let (anna, dora) = (&people.anna, &people.dora);
    let theirs = new_company(dora.id, dora.organization, "SECRET", "Secret company");
    let stray = annual_prediction::Model {
        organization_id: anna.organization,
        created_by: Some(anna.id),
        ..new_annual(&theirs)
    };
    let (firm, row) = (theirs.id, stray.id);
    store::<company::Entity>(&world, [theirs]).await;
    store::<annual_prediction::Entity>(&world, [stray]).await;
    let query = "query($firm: ID!) { annualPredictions { nodes { id company { id symbol name sector marketCap } } }
        found: annualPredictions(filter: {companyId: $firm}) { totalCount } }";
    let seen = world.data_to(&anna.token, query, json!({ "firm": firm })).await;
    let nothing = json!({ "id": "00000000-0000-0000-0000-000000000000", "symbol": "", "name": "", "sector": "", "marketCap": "0" });
    assert_eq!(seen["annualPredictions"]["nodes"], json!([{ "id": row, "company": nothing }]));
    assert_eq!(seen["found"]["totalCount"], 0);
    let seen = world.data_to(&people.olga.token, query, json!({ "firm": firm })).await;
    assert_eq!(seen["annualPredictions"]["nodes"][0]["company"]["name"], "Secret company");
    assert_eq!(seen["found"]["totalCount"], 1);
}

async fn a_job_of_another_tenant_has_no_say_about_ones_prediction(engine: Engine) {
    let world = world(engine).await;
    let people = people(&world).await;
    let (anna, dora) = (&people.anna, &people.dora);
    let held = job::Model {
        held_at: Some(api::database::now()),
        hold_reason: Some("Secret".to_owned()),
        ..new_job(dora.id, dora.organization)
    };
    let firm = new_company(anna.id, anna.organization, "A", "Anna's");
    let linked = || annual_prediction::Model {
        job_id: Some(held.id),
        job_link: Some("manifest".to_owned()),
        ..new_annual(&firm)
    };
    let rows = [linked(), linked()];
    let (own, id) = (rows[0].id, held.id);
    store::<job::Entity>(&world, [held.clone()]).await;
    store::<company::Entity>(&world, [firm.clone()]).await;
    store::<annual_prediction::Entity>(&world, rows).await;
    let query = "query($id: ID!) { annualPredictions(filter: {jobId: $id}) { totalCount } }";
    let seen = world.data_to(&anna.token, query, json!({ "id": id })).await;
    assert_eq!(seen["annualPredictions"]["totalCount"], 0);
    let delete = "mutation($id: ID!) { deletePredictions(ids: [$id]) { deletedIds userErrors { message } } }";
    let told = world.data_to(&anna.token, delete, json!({ "id": own })).await;
    assert_eq!(told["deletePredictions"], json!({ "deletedIds": [own], "userErrors": [] }));
}

async fn counts_leave_out_what_is_not_seen(engine: Engine) {
    let world = world(engine).await;
    let people = people(&world).await;
    let (anna, dora) = (&people.anna, &people.dora);
    let own = new_job(anna.id, anna.organization);
    let theirs = new_company(dora.id, dora.organization, "D", "Dora's");
    let stray =
        annual_prediction::Model { job_id: Some(own.id), job_link: Some("manifest".to_owned()), ..new_annual(&theirs) };
    let id = own.id;
    store::<job::Entity>(&world, [own]).await;
    store::<company::Entity>(&world, [theirs]).await;
    store::<annual_prediction::Entity>(&world, [stray]).await;
    let query = "query($id: ID!) { job(id: $id) { predictions { totalCount nodes { id } } } }";
    let seen = world.data_to(&anna.token, query, json!({ "id": id })).await;
    assert_eq!(seen["job"]["predictions"], json!({ "totalCount": 0, "nodes": [] }));
    let seen = world.data_to(&people.olga.token, query, json!({ "id": id })).await;
    assert_eq!(seen["job"]["predictions"]["totalCount"], 1);
}
