//! Who sees what: by lists, by id, and on every path from one object to another. What belongs to others answers exactly
//! like what never existed.

use std::collections::{BTreeMap, BTreeSet};

use entity::{annual_prediction, company, job, quarterly_prediction};
use sea_orm::prelude::Uuid;
use serde_json::{Value, json};
use tests::{Engine, Person, Setup, World, people};

use super::{ids, new_annual, new_company, new_job, new_quarterly, store};
use crate::deletion::file;

tests::on_both!(
    lists_show_what_is_ones_own,
    a_foreign_id_answers_like_one_that_never_existed,
    no_path_leads_to_another_tenant,
);

/// Everything that one person made, by kind of thing.
type Things = BTreeMap<&'static str, Uuid>;

/// Everybody and what they made.
struct Town {
    world: World,
    people: Vec<(&'static str, Person)>,
    things: BTreeMap<&'static str, Things>,
}

async fn town(engine: Engine) -> Town {
    let world = World::with(engine, Setup { tokens: true, ..Default::default() }).await;
    let all = people(&world).await;
    let people = vec![
        ("anna", all.anna),
        ("ben", all.ben),
        ("carla", all.carla),
        ("dora", all.dora),
        ("emil", all.emil),
        ("olga", all.olga),
    ];
    let mut things = BTreeMap::new();
    for (name, person) in people.iter().filter(|(name, _)| *name != "carla") {
        // A job of Joblink with a file and predictions, one that is deleted, and rows of both kinds that nobody uploaded.
        let rows = file(2).replace(",S", &format!(",{name}")).replace("\nS", &format!("\n{name}"));
        let uploaded =
            world.create_as(&person.token, "ANNUAL", "a.csv", rows).await["job"]["id"].as_str().unwrap().to_owned();
        world.ended(&uploaded).await;
        let query = "query($id: ID!) { job(id: $id) { artifacts { id } predictions { nodes { id company { id } } } } }";
        let parts = world.data_to(&person.token, query, json!({ "id": uploaded })).await["job"].take();
        let id = |value: &Value| value.as_str().unwrap().parse::<Uuid>().unwrap();
        let gone = world.adopted_job(person.id, person.organization, "annual", "completed").await;
        let delete = "mutation($id: ID!) { deleteJob(id: $id) { receipt { id } } }";
        let receipt =
            world.data_to(&person.token, delete, json!({ "id": gone })).await["deleteJob"]["receipt"]["id"].take();
        let firm = new_company(person.id, person.organization, &format!("Q{name}"), "By hand");
        let row = new_quarterly(&firm);
        let (hand_firm, hand_row) = (firm.id, row.id);
        store::<company::Entity>(&world, [firm]).await;
        store::<quarterly_prediction::Entity>(&world, [row]).await;
        things.insert(
            *name,
            Things::from([
                ("job", id(&json!(uploaded))),
                ("annual", id(&parts["predictions"]["nodes"][0]["id"])),
                ("company", id(&parts["predictions"]["nodes"][0]["company"]["id"])),
                ("artifact", id(&parts["artifacts"][0]["id"])),
                ("deleted job", gone),
                ("receipt", id(&receipt)),
                ("quarterly", hand_row),
                ("company by hand", hand_firm),
                ("user", person.id),
            ]),
        );
    }
    Town { world, people, things }
}

/// Whose things somebody sees.
fn sees(name: &str) -> &'static [&'static str] {
    match name {
        "anna" | "ben" | "carla" => &["anna", "ben"],
        "dora" => &["dora"],
        "emil" => &["emil"],
        _ => &["anna", "ben", "dora", "emil", "olga"],
    }
}

async fn lists_show_what_is_ones_own(engine: Engine) {
    let Town { world, people, things } = town(engine).await;
    for (name, person) in &people {
        let query = "{ jobs(first: 100) { totalCount nodes { id } } annualPredictions(first: 100) { totalCount nodes { id } }
            quarterlyPredictions(first: 100) { totalCount nodes { id } } companies(first: 100) { totalCount nodes { id } }
            deletionReceipts(first: 100) { totalCount nodes { id } } }";
        let data = world.data_to(&person.token, query, json!({})).await;
        let expected = |kinds: &[&str]| -> BTreeSet<Uuid> {
            sees(name).iter().flat_map(|owner| kinds.iter().map(|kind| things[owner][kind])).collect()
        };
        let found = |list: &str| -> BTreeSet<Uuid> { ids(&data[list]).into_iter().collect() };
        assert_eq!(found("jobs"), expected(&["job"]), "{name}");
        assert_eq!(found("quarterlyPredictions"), expected(&["quarterly"]), "{name}");
        assert_eq!(found("companies"), expected(&["company", "company by hand"]), "{name}");
        assert_eq!(found("deletionReceipts"), expected(&["receipt"]), "{name}");
        assert!(found("annualPredictions").is_superset(&expected(&["annual"])), "{name}");
        // Each file has two rows.
        assert_eq!(found("annualPredictions").len(), 2 * sees(name).len(), "{name}");
        for list in ["jobs", "annualPredictions", "quarterlyPredictions", "companies", "deletionReceipts"] {
            assert_eq!(data[list]["totalCount"], found(list).len(), "{name} {list}");
        }
    }
    // Filters reach no further.
    let (_, anna) = &people[0];
    let dora = &things["dora"];
    let query = "query($user: ID!, $job: ID!, $company: ID!) { jobs(filter: {createdBy: $user}) { totalCount }
        found: jobs(filter: {search: $job}) { totalCount } annualPredictions(filter: {jobId: $job}) { totalCount }
        quarterlyPredictions(filter: {companyId: $company}) { totalCount } deletionReceipts(filter: {deletedBy: $user}) { totalCount } }"
        .replace("$job: ID!", "$job: ID!, $text: String").replace("search: $job", "search: $text");
    let variables =
        json!({ "user": dora["user"], "job": dora["job"], "text": dora["job"], "company": dora["company by hand"] });
    let none = json!({ "totalCount": 0 });
    assert_eq!(
        world.data_to(&anna.token, &query, variables).await,
        json!({ "jobs": none, "found": none, "annualPredictions": none, "quarterlyPredictions": none, "deletionReceipts": none })
    );
    world.check_invariants().await;
}

async fn a_foreign_id_answers_like_one_that_never_existed(engine: Engine) {
    let Town { world, people, things } = town(engine).await;
    let query =
        "query($id: ID!) { job(id: $id) { id status } node(id: $id) { __typename id } nodes(ids: [$id, $id]) { id }
        deletionReceipt(jobId: $id) { id } deletionPreview(ids: [$id], force: true) { deletable { job { id } }
            refused { jobId error { code message field } job { id } receipt { id } } } }";
    let change = "mutation($id: ID!) { deleteJob(id: $id, deletePredictions: true, force: true, expectedPredictions: 7) {
            deletedJobId receipt { id } job { id } userErrors { code message field } }
        deleteJobs(ids: [$id], force: true) { deletedJobIds receipts { id } refused { jobId error { code message field } job { id } receipt { id } }
            userErrors { code } }
        deletePredictions(ids: [$id]) { deletedIds userErrors { code message field } } }";
    for (name, person) in people.iter().filter(|(name, _)| *name != "olga") {
        for (owner, theirs) in things.iter().filter(|(owner, _)| !sees(name).contains(*owner)) {
            for (kind, id) in theirs {
                for document in [query, change] {
                    let answer = async |id: Uuid| {
                        let body = json!({ "query": document, "variables": { "id": id } });
                        let request =
                            world.post().bearer_auth(&person.token).header("x-request-id", "same").json(&body);
                        super::raw(request).await
                    };
                    let never = Uuid::now_v7();
                    let (status, media, text) = answer(*id).await;
                    let as_if = text.replace(&id.to_string(), &never.to_string());
                    assert_eq!((status, media, as_if), answer(never).await, "{name} asks for the {kind} of {owner}");
                }
            }
        }
    }
    // And nothing of it happened.
    let olga = &people[5].1;
    let seen = world
        .data_to(
            &olga.token,
            "{ jobs { totalCount } annualPredictions { totalCount } quarterlyPredictions { totalCount } }",
            json!({}),
        )
        .await;
    assert_eq!(
        seen,
        json!({ "jobs": { "totalCount": 5 }, "annualPredictions": { "totalCount": 10 }, "quarterlyPredictions": { "totalCount": 5 } })
    );
    world.check_invariants().await;
}

/// Rows that refer across tenants, as a hand on the database may leave them: whoever sees one end does not see the other.
async fn no_path_leads_to_another_tenant(engine: Engine) {
    let world = World::with(engine, Setup { tokens: true, ..Default::default() }).await;
    let people = people(&world).await;
    let (anna, dora) = (&people.anna, &people.dora);
    let theirs = new_job(dora.id, dora.organization);
    let own = new_job(anna.id, anna.organization);
    let firm = new_company(anna.id, anna.organization, "A", "Anna's");
    let linked = annual_prediction::Model {
        job_id: Some(theirs.id),
        job_link: Some("manifest".to_owned()),
        ..new_annual(&firm)
    };
    // Dora's row in Anna's job.
    let stray = annual_prediction::Model {
        job_id: Some(own.id),
        job_link: Some("manifest".to_owned()),
        organization_id: dora.organization,
        created_by: Some(dora.id),
        ..new_annual(&firm)
    };
    let (own_id, theirs_id, linked_id, stray_id) = (own.id, theirs.id, linked.id, stray.id);
    store::<job::Entity>(&world, [own, theirs]).await;
    store::<company::Entity>(&world, [firm]).await;
    store::<annual_prediction::Entity>(&world, [linked, stray]).await;
    let query = "query($job: ID!) { annualPredictions { nodes { id job { id } } } job(id: $job) { predictions { totalCount nodes { id } } } }";
    let seen = world.data_to(&anna.token, query, json!({ "job": own_id })).await;
    assert_eq!(seen["annualPredictions"]["nodes"], json!([{ "id": linked_id, "job": null }]));
    assert_eq!(seen["job"]["predictions"]["nodes"], json!([]));
    let seen = world.data_to(&dora.token, query, json!({ "job": theirs_id })).await;
    assert_eq!(seen["annualPredictions"]["nodes"], json!([{ "id": stray_id, "job": null }]));
    assert_eq!(seen["job"]["predictions"]["nodes"], json!([]));

    // Users and organizations by id: one's own organization's, else oneself.
    let query = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    let everybody = [&people.anna, &people.ben, &people.carla, &people.dora, &people.emil, &people.olga];
    let asked: Vec<Uuid> = everybody
        .iter()
        .map(|person| person.id)
        .chain([anna.organization.unwrap(), dora.organization.unwrap()])
        .collect();
    for (person, seen) in [
        (&people.anna, vec![0, 1, 2, 6]),
        (&people.carla, vec![0, 1, 2, 6]),
        (&people.dora, vec![3, 7]),
        (&people.emil, vec![4]),
        (&people.olga, vec![0, 1, 2, 3, 4, 5, 6, 7]),
    ] {
        let found = world.data_to(&person.token, query, json!({ "ids": asked })).await;
        let expected: Vec<Value> = asked
            .iter()
            .enumerate()
            .map(|(place, id)| if seen.contains(&place) { json!({ "id": id }) } else { Value::Null })
            .collect();
        assert_eq!(found["nodes"], json!(expected));
    }
}
