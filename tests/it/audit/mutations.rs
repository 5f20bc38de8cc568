//! Each mutation, done and refused, leaves one entry for each thing that it is about: who, what, how it ended, which request.

use std::collections::BTreeSet;

use entity::{annual_prediction, company};
use sea_orm::prelude::Uuid;
use serde_json::{Value, json};
use tests::{Engine, Person, Setup, World, people};

use super::{CREATE, entries, send, upload};
use crate::{
    deletion::file,
    graphql::{new_annual, new_company, store},
    tenants::walk::Schema,
};

tests::on_both!(
    each_mutation_leaves_one_entry,
    an_entry_of_a_refusal_belongs_to_whose_the_target_is,
    the_built_in_user_is_who_was_refused,
);

/// What an entry says: action, outcome, code, target.
type Said = (&'static str, &'static str, Option<&'static str>, Option<Uuid>);

/// Sends mutations and looks at what each left.
struct Clerk<'a> {
    world: &'a World,
    asked: u32,
    mutations: BTreeSet<String>,
}

impl Clerk<'_> {
    /// The answer's only field, after the entries were compared.
    async fn ask(&mut self, person: &Person, query: &str, variables: Value, said: &[Said]) -> Value {
        self.asked += 1;
        let request = format!("request-{}", self.asked);
        let mut answer = send(self.world, person, &request, query, variables).await;
        assert!(answer.get("errors").is_none(), "{answer}");
        let (name, payload) = answer["data"].as_object_mut().unwrap().iter_mut().next().unwrap();
        self.mutations.insert(name.clone());
        let found = entries(self.world, &request).await;
        let short = found
            .iter()
            .map(|entry| (entry.action.as_str(), entry.outcome.as_str(), entry.code.as_deref(), entry.target_id));
        assert_eq!(short.collect::<Vec<_>>(), said, "{query}: {payload}");
        for entry in found {
            assert_eq!(entry.actor_id, Some(person.id), "{query}");
            assert_eq!(entry.organization_id, person.organization, "{query}");
            assert!(entry.outcome != "refused" || entry.detail.is_some(), "{query}: a refusal has a reason");
        }
        payload.take()
    }
}

async fn each_mutation_leaves_one_entry(engine: Engine) {
    let world = World::with(engine, Setup { tokens: true, idle: true, ..Default::default() }).await;
    let people = people(&world).await;
    let (anna, ben, carla) = (&people.anna, &people.ben, &people.carla);
    let mut clerk = Clerk { world: &world, asked: 0, mutations: BTreeSet::new() };
    let job = async |status: &str| world.adopted_job(anna.id, anna.organization, "annual", status).await;
    let id = |value: &Value| value.as_str().unwrap_or_else(|| panic!("no id")).parse::<Uuid>().unwrap();
    let (never, nothing) = (Uuid::now_v7(), "no id");

    // createJob: done, asked again, another file under the key, no such upload, no id, a file that is no table.
    let sent = upload(&world, anna, file(2)).await;
    let request = json!({ "upload": sent, "key": "k" });
    let asked = format!("request-{}", clerk.asked + 1);
    let answer = send(&world, anna, &asked, CREATE, request.clone()).await;
    clerk.asked += 1;
    clerk.mutations.insert("createJob".to_owned());
    let made = id(&answer["data"]["createJob"]["job"]["id"]);
    let first = entries(&world, &asked).await;
    assert_eq!(first.len(), 1, "{first:?}");
    assert_eq!((first[0].action.as_str(), first[0].outcome.as_str()), ("create_job", "done"));
    assert_eq!((first[0].target_id, first[0].organization_id), (Some(made), anna.organization));
    clerk.ask(anna, CREATE, request, &[("create_job", "done", None, Some(made))]).await;
    let other = upload(&world, anna, file(3)).await;
    let invalid = [("create_job", "refused", Some("VALIDATION_FAILED"), None)];
    clerk.ask(anna, CREATE, json!({ "upload": other, "key": "k" }), &invalid).await;
    clerk.ask(anna, CREATE, json!({ "upload": other, "key": "" }), &invalid).await;
    let missing = [("create_job", "refused", Some("NOT_FOUND"), None)];
    clerk.ask(anna, CREATE, json!({ "upload": never }), &missing).await;
    clerk.ask(anna, CREATE, json!({ "upload": nothing }), &missing).await;
    let bad = upload(&world, anna, "no table".to_owned()).await;
    clerk.ask(anna, CREATE, json!({ "upload": bad }), &[("create_job", "refused", Some("INVALID_FILE"), None)]).await;

    // Changes of one job.
    let cancel = "mutation($id: ID!) { cancelJob(id: $id) { userErrors { code } } }";
    let hold = "mutation($id: ID!) { holdJob(id: $id, reason: \"audit\") { userErrors { code } } }";
    let release = "mutation($id: ID!) { releaseJobHold(id: $id) { userErrors { code } } }";
    let retry = "mutation($id: ID!) { retryJob(id: $id) { job { id } userErrors { code } } }";
    let clean = "mutation($id: ID!) { cleanJob(id: $id) { userErrors { code } } }";
    let delete = "mutation($id: ID!) { deleteJob(id: $id) { deletedJobId userErrors { code } } }";
    for (query, action, who) in [
        (cancel, "cancel_job", ben),
        (hold, "hold_job", ben),
        (release, "release_hold", ben),
        (delete, "delete_job", ben),
        (clean, "clean_job", ben),
        (retry, "retry_job", ben),
    ] {
        let target = job("failed").await;
        clerk.ask(who, query, json!({ "id": target }), &[(action, "refused", Some("FORBIDDEN"), Some(target))]).await;
        let gone = [(action, "refused", Some("JOB_NOT_FOUND"), Some(never))];
        clerk.ask(who, query, json!({ "id": never }), &gone).await;
        let none = [(action, "refused", Some("JOB_NOT_FOUND"), None)];
        clerk.ask(who, query, json!({ "id": nothing }), &none).await;
    }
    clerk.ask(anna, cancel, json!({ "id": made }), &[("cancel_job", "done", None, Some(made))]).await;
    clerk.ask(anna, cancel, json!({ "id": made }), &[("cancel_job", "done", None, Some(made))]).await;
    let over = job("completed").await;
    let state = [("cancel_job", "refused", Some("INVALID_STATE"), Some(over))];
    clerk.ask(anna, cancel, json!({ "id": over }), &state).await;
    clerk.ask(carla, hold, json!({ "id": over }), &[("hold_job", "done", None, Some(over))]).await;
    let held = [("delete_job", "refused", Some("JOB_ON_HOLD"), Some(over))];
    clerk.ask(anna, delete, json!({ "id": over }), &held).await;
    let held = [("clean_job", "refused", Some("JOB_ON_HOLD"), Some(over))];
    clerk.ask(anna, clean, json!({ "id": over }), &held).await;
    clerk.ask(carla, release, json!({ "id": over }), &[("release_hold", "done", None, Some(over))]).await;
    for _ in 0..2 {
        clerk.ask(anna, clean, json!({ "id": over }), &[("clean_job", "done", None, Some(over))]).await;
    }
    clerk.ask(anna, delete, json!({ "id": over }), &[("delete_job", "done", None, Some(over))]).await;
    for (query, action) in [(delete, "delete_job"), (cancel, "cancel_job"), (retry, "retry_job"), (clean, "clean_job")]
    {
        let gone = [(action, "refused", Some("JOB_ALREADY_DELETED"), Some(over))];
        clerk.ask(anna, query, json!({ "id": over }), &gone).await;
    }
    // Of a job that is made anew the target is the new one.
    let answer = send(&world, anna, "again", retry, json!({ "id": made })).await;
    let again = entries(&world, "again").await;
    assert_eq!(again.len(), 1, "{again:?}");
    assert_eq!(again[0].target_id, Some(id(&answer["data"]["retryJob"]["job"]["id"])), "{answer}");
    assert_eq!((again[0].action.as_str(), again[0].outcome.as_str()), ("retry_job", "done"));

    let run = "mutation { runRetention { run { id } userErrors { code } } }";
    clerk.ask(carla, run, json!({}), &[("retention_run", "refused", Some("FORBIDDEN"), None)]).await;
    // Its target is the run; another entry follows when it has come to its end.
    let answer = send(&world, &people.olga, "run", run, json!({})).await;
    let begun = entries(&world, "run").await;
    assert_eq!(begun.len(), 1, "{begun:?}");
    assert_eq!(begun[0].target_id, Some(id(&answer["data"]["runRetention"]["run"]["id"])), "{answer}");
    assert_eq!((begun[0].action.as_str(), begun[0].outcome.as_str()), ("retention_run", "done"));
    assert_eq!((begun[0].actor_id, begun[0].organization_id), (Some(people.olga.id), None));

    several_at_once(&mut clerk, anna, ben).await;

    let all: BTreeSet<String> = Schema::of(&world).await.names("mutation").into_iter().collect();
    assert_eq!(clerk.mutations, all, "each mutation of the contract is in this test");
}

/// One entry for each thing, and one for a call that is refused whole or is about nothing.
async fn several_at_once(clerk: &mut Clerk<'_>, anna: &Person, ben: &Person) {
    let world = clerk.world;
    let job = async |status: &str| world.adopted_job(anna.id, anna.organization, "annual", status).await;
    let (never, nothing) = (Uuid::now_v7(), "no id");
    let many = "mutation($ids: [ID!]!, $expected: [JobExpectation!]) { deleteJobs(ids: $ids, expected: $expected) {
        deletedJobIds refused { jobId } userErrors { code } } }";
    let (one, active) = (job("completed").await, job("pending").await);
    let said = [
        ("delete_job", "refused", Some("JOB_NOT_FOUND"), None),
        ("delete_job", "done", None, Some(one)),
        ("delete_job", "refused", Some("JOB_IN_PROGRESS"), Some(active)),
        ("delete_job", "refused", Some("JOB_NOT_FOUND"), Some(never)),
    ];
    clerk.ask(anna, many, json!({ "ids": [one, active, never, nothing, one] }), &said).await;
    clerk.ask(anna, many, json!({ "ids": [] }), &[("delete_job", "done", None, None)]).await;
    let whole = [("delete_job", "refused", Some("VALIDATION_FAILED"), None)];
    clerk.ask(anna, many, json!({ "ids": vec![never; 101] }), &whole).await;
    let stray = json!({ "ids": [active], "expected": [{ "id": never, "predictions": 1 }] });
    clerk.ask(anna, many, stray, &whole).await;

    let firm = new_company(anna.id, anna.organization, "A", "A");
    let (row, bens) = (new_annual(&firm), annual_prediction::Model { created_by: Some(ben.id), ..new_annual(&firm) });
    let (row_id, bens_id) = (row.id, bens.id);
    store::<company::Entity>(world, [firm]).await;
    store::<annual_prediction::Entity>(world, [row, bens]).await;
    let single = "mutation($ids: [ID!]!) { deletePredictions(ids: $ids) { deletedIds userErrors { code } } }";
    let said = [
        ("delete_predictions", "done", None, Some(row_id)),
        ("delete_predictions", "refused", Some("FORBIDDEN"), Some(bens_id)),
        ("delete_predictions", "refused", Some("NOT_FOUND"), Some(never)),
        ("delete_predictions", "refused", Some("NOT_FOUND"), None),
    ];
    clerk.ask(anna, single, json!({ "ids": [row_id, bens_id, never, nothing] }), &said).await;
    clerk.ask(anna, single, json!({ "ids": [] }), &[("delete_predictions", "done", None, None)]).await;
    let whole = [("delete_predictions", "refused", Some("VALIDATION_FAILED"), None)];
    clerk.ask(anna, single, json!({ "ids": vec![never; 101] }), &whole).await;
}

async fn an_entry_of_a_refusal_belongs_to_whose_the_target_is(engine: Engine) {
    let world = World::with(engine, Setup { tokens: true, idle: true, ..Default::default() }).await;
    let people = people(&world).await;
    let (anna, dora, olga) = (&people.anna, &people.dora, &people.olga);
    let job = world.adopted_job(anna.id, anna.organization, "annual", "completed").await;
    let firm = new_company(anna.id, anna.organization, "A", "A");
    let active = world.adopted_job(anna.id, anna.organization, "annual", "pending").await;
    let row =
        annual_prediction::Model { job_id: Some(active), job_link: Some("manifest".to_owned()), ..new_annual(&firm) };
    let row_id = row.id;
    store::<company::Entity>(&world, [firm]).await;
    store::<annual_prediction::Entity>(&world, [row]).await;
    for (number, (query, id)) in [
        ("mutation($id: ID!) { cancelJob(id: $id) { userErrors { code } } }", job),
        ("mutation($id: ID!) { retryJob(id: $id) { userErrors { code } } }", job),
        ("mutation($id: ID!) { cleanJob(id: $id) { userErrors { code } } }", active),
        ("mutation($id: ID!) { deleteJob(id: $id, expectedPredictions: 7) { userErrors { code } } }", job),
        ("mutation($id: ID!) { deletePredictions(ids: [$id]) { userErrors { code } } }", row_id),
    ]
    .into_iter()
    .enumerate()
    {
        // An operator's attempt is the organization's to know; another tenant's is not.
        for (person, organization) in [(olga, anna.organization), (dora, dora.organization)] {
            let request = format!("{number}-{}", person.id);
            send(&world, person, &request, query, json!({ "id": id })).await;
            let found = entries(&world, &request).await;
            assert_eq!(found.len(), 1, "{query}");
            assert_eq!((found[0].outcome.as_str(), found[0].organization_id), ("refused", organization), "{query}");
        }
    }
}

async fn the_built_in_user_is_who_was_refused(engine: Engine) {
    let world = World::new(engine).await;
    let query = "mutation { cancelJob(id: \"x\") { userErrors { code } } }";
    world.data(query, json!({})).await;
    let seen = world.data("{ auditLog { nodes { actor { id } action outcome code } } }", json!({})).await;
    let actor = json!({ "id": api::auth::local_user_id() });
    let entry = json!({ "actor": actor, "action": "CANCEL_JOB", "outcome": "REFUSED", "code": "JOB_NOT_FOUND" });
    assert_eq!(seen["auditLog"]["nodes"], json!([entry]));
}
