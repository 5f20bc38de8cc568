//! `auditLog`: who reads what, by which filters, in which pages.

use api::database::now;
use chrono::TimeDelta;
use entity::audit_entry;
use sea_orm::prelude::Uuid;
use serde_json::{Value, json};
use tests::{Engine, Setup, World, people};

use crate::graphql::{code, ids, store};

tests::on_both!(
    administrators_read_their_organizations_and_operators_all,
    filters_find_what_they_name,
    pages_put_together_are_all_there_is,
    an_entry_gives_all_its_fields,
);

fn entry(organization: Option<Uuid>, actor: Option<Uuid>, minutes: i64) -> audit_entry::Model {
    audit_entry::Model {
        id: Uuid::now_v7(),
        at: now() - TimeDelta::minutes(minutes),
        actor_id: actor,
        organization_id: organization,
        action: "delete_job".to_owned(),
        target_id: Some(Uuid::now_v7()),
        outcome: "done".to_owned(),
        code: None,
        detail: None,
        request_id: None,
    }
}

async fn world(engine: Engine) -> World {
    World::with(engine, Setup { tokens: true, idle: true, ..Default::default() }).await
}

async fn administrators_read_their_organizations_and_operators_all(engine: Engine) {
    let world = world(engine).await;
    let people = people(&world).await;
    let (anna, carla, dora, emil) = (&people.anna, &people.carla, &people.dora, &people.emil);
    let rows = [
        entry(anna.organization, Some(anna.id), 4),
        entry(dora.organization, Some(dora.id), 3),
        entry(None, Some(emil.id), 2),
        entry(None, Some(carla.id), 1),
        entry(None, None, 0),
    ];
    let asked: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    store::<audit_entry::Entity>(&world, rows).await;
    let query = "query($ids: [ID!]!) { viewer { role } auditLog { totalCount nodes { id } } nodes(ids: $ids) { id } }";
    let at_home = tests::token(carla.id, None, api::auth::Role::OrgAdmin);
    for (token, seen) in [
        (&carla.token, vec![0]),
        // Without an organization one reads of oneself.
        (&at_home, vec![3]),
        (&people.olga.token, vec![4, 3, 2, 1, 0]),
    ] {
        let data = world.data_to(token, query, json!({ "ids": asked })).await;
        let wanted: Vec<Uuid> = seen.iter().map(|place| asked[*place]).collect();
        assert_eq!(ids(&data["auditLog"]), wanted);
        assert_eq!(data["auditLog"]["totalCount"], seen.len());
        let nodes = asked.iter().map(|id| if wanted.contains(id) { json!({ "id": id }) } else { Value::Null });
        assert_eq!(data["nodes"], nodes.collect::<Value>());
    }
    for person in [anna, dora, emil] {
        let answer = world.answer_to(&person.token, query, json!({ "ids": asked })).await;
        assert_eq!(code(&answer), "FORBIDDEN");
        assert_eq!(answer["errors"][0]["path"], json!(["auditLog"]));
        assert_eq!(answer["data"]["auditLog"], Value::Null);
        assert_eq!(answer["data"]["viewer"], json!({ "role": "MEMBER" }), "its siblings stay");
        assert_eq!(answer["data"]["nodes"], json!([null, null, null, null, null]));
    }
}

async fn filters_find_what_they_name(engine: Engine) {
    let world = world(engine).await;
    let people = people(&world).await;
    let (anna, ben, carla) = (&people.anna, &people.ben, &people.carla);
    let home = anna.organization;
    let refused = audit_entry::Model {
        outcome: "refused".to_owned(),
        action: "hold_job".to_owned(),
        code: Some("FORBIDDEN".to_owned()),
        ..entry(home, Some(ben.id), 30)
    };
    let newer = audit_entry::Model { action: "of a newer version".to_owned(), ..entry(home, Some(anna.id), 5) };
    let rows = [entry(home, Some(anna.id), 60), refused, entry(home, Some(carla.id), 10), newer];
    let (of, target, middle) = (rows.clone().map(|row| row.id), rows[2].target_id, rows[1].at);
    store::<audit_entry::Entity>(&world, rows).await;
    let just_after = middle + TimeDelta::microseconds(1000);
    for (filter, wanted) in [
        (json!({}), vec![2, 1, 0]),
        (json!({ "targetId": target }), vec![2]),
        (json!({ "targetId": "x" }), vec![]),
        (json!({ "action": ["HOLD_JOB", "SWEEP"] }), vec![1]),
        (json!({ "action": [] }), vec![]),
        (json!({ "actorId": anna.id }), vec![0]),
        (json!({ "actorId": Uuid::now_v7() }), vec![]),
        (json!({ "outcome": "REFUSED" }), vec![1]),
        (json!({ "outcome": "FAILED" }), vec![]),
        (json!({ "after": just_after.to_rfc3339() }), vec![2]),
        (json!({ "before": just_after.to_rfc3339() }), vec![1, 0]),
        (json!({ "before": middle.to_rfc3339(), "outcome": "DONE" }), vec![0]),
    ] {
        let query = "query($filter: AuditFilter) { auditLog(filter: $filter) { totalCount nodes { id } } }";
        let data = world.data_to(&carla.token, query, json!({ "filter": filter })).await;
        let wanted: Vec<Uuid> = wanted.into_iter().map(|place: usize| of[place]).collect();
        assert_eq!(ids(&data["auditLog"]), wanted, "{filter}");
        assert_eq!(data["auditLog"]["totalCount"], wanted.len(), "{filter}");
    }
}

async fn pages_put_together_are_all_there_is(engine: Engine) {
    let world = world(engine).await;
    let people = people(&world).await;
    // Ten of them at the same time, told apart by their ids; and ids that do not follow the time.
    let at = now() - TimeDelta::minutes(1);
    let mut rows: Vec<_> = (0..10).map(|_| entry(None, None, 0)).collect();
    for row in &mut rows {
        row.at = at;
    }
    rows.extend((0..15).map(|minutes| entry(people.anna.organization, None, minutes * 7 % 15)));
    let mut wanted: Vec<_> = rows.iter().map(|row| (row.at, row.id)).collect();
    wanted.sort_unstable();
    wanted.reverse();
    let wanted: Vec<Uuid> = wanted.into_iter().map(|(_, id)| id).collect();
    store::<audit_entry::Entity>(&world, rows).await;
    let query = "query($first: Int, $after: String, $last: Int, $before: String) {
        auditLog(first: $first, after: $after, last: $last, before: $before) {
            nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";
    for (size, cursor, end, more) in
        [("first", "after", "endCursor", "hasNextPage"), ("last", "before", "startCursor", "hasPreviousPage")]
    {
        let (mut found, mut place) = (Vec::new(), Value::Null);
        loop {
            let variables = json!({ size: 4, cursor: place });
            let page = world.data_to(&people.olga.token, query, variables).await["auditLog"].take();
            let some = ids(&page);
            found = if size == "first" { [found, some].concat() } else { [some, found].concat() };
            if page["pageInfo"][more] == json!(false) {
                break;
            }
            place = page["pageInfo"][end].clone();
        }
        assert_eq!(found, wanted, "{size}");
    }
    let answer = world.answer_to(&people.olga.token, "{ auditLog(first: 101) { nodes { id } } }", json!({})).await;
    assert_eq!(code(&answer), "BAD_USER_INPUT");
}

async fn an_entry_gives_all_its_fields(engine: Engine) {
    let world = world(engine).await;
    let people = people(&world).await;
    let row = audit_entry::Model {
        at: "2026-01-02T03:04:05.25Z".parse().unwrap(),
        outcome: "refused".to_owned(),
        code: Some("JOB_ON_HOLD".to_owned()),
        detail: Some("The job is on hold: court case".to_owned()),
        request_id: Some("r-1".to_owned()),
        ..entry(people.anna.organization, Some(people.anna.id), 0)
    };
    let (id, target) = (row.id, row.target_id);
    let bare = entry(None, None, 0);
    let bare_id = bare.id;
    store::<audit_entry::Entity>(&world, [row, bare]).await;
    let fields = "id at actor { id name } action targetId outcome code detail requestId";
    let query = format!(
        "query($id: ID!, $bare: ID!) {{ node(id: $id) {{ __typename ... on AuditEntry {{ {fields} }} }}
        bare: node(id: $bare) {{ ... on AuditEntry {{ actor {{ id }} code detail requestId }} }} }}"
    );
    let seen = world.data_to(&people.olga.token, &query, json!({ "id": id, "bare": bare_id })).await;
    let actor = json!({ "id": people.anna.id, "name": "anna" });
    assert_eq!(
        seen["node"],
        json!({ "__typename": "AuditEntry", "id": id, "at": "2026-01-02T03:04:05.250Z", "actor": actor, "action": "DELETE_JOB",
            "targetId": target, "outcome": "REFUSED", "code": "JOB_ON_HOLD", "detail": "The job is on hold: court case",
            "requestId": "r-1" })
    );
    assert_eq!(seen["bare"], json!({ "actor": null, "code": null, "detail": null, "requestId": null }));
}
