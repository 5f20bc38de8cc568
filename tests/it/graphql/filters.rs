//! Every filter finds exactly the rows that it describes, and counts them.

use std::collections::BTreeSet;

use entity::{annual_prediction, company, job, quarterly_prediction};
use sea_orm::prelude::Uuid;
use serde_json::{Value, json};
use tests::{Engine, World, people};

use super::{at, code, ids, new_annual, new_company, new_job, new_quarterly, store};
use crate::deletion::{delete, file};

tests::on_both!(
    jobs_are_found_by_every_filter,
    predictions_are_found_by_every_filter,
    companies_are_found_by_a_part_of_symbol_or_name,
    receipts_are_found_by_every_filter,
    a_text_with_a_nul_is_refused,
);

/// The ids that a list with a filter gives; their number is the count that it gives.
async fn found(world: &World, list: &str, kind: &str, filter: &Value) -> BTreeSet<Uuid> {
    let query = format!("query($f: {kind}) {{ list: {list}(first: 100, filter: $f) {{ totalCount nodes {{ id }} }} }}");
    let list = &world.data(&query, json!({ "f": filter })).await["list"];
    let found = ids(list);
    assert_eq!(list["totalCount"], found.len(), "{filter}");
    let set: BTreeSet<_> = found.iter().copied().collect();
    assert_eq!(set.len(), found.len(), "{filter}");
    set
}

async fn jobs_are_found_by_every_filter(engine: Engine) {
    let world = World::new(engine).await;
    let people = people(&world).await;
    let mut rows = Vec::new();
    let states = ["pending", "queued", "processing", "cancelling", "completed", "failed", "cancelled"];
    for (place, status) in states.into_iter().enumerate() {
        let owner = if place % 2 == 0 { &people.anna } else { &people.emil };
        let mut row = new_job(owner.id, owner.organization);
        row.status = Some(status.to_owned());
        row.job_type = if place < 3 { "annual" } else { "quarterly" }.to_owned();
        row.original_filename =
            ["100%.csv", "1000.csv", "a_b.csv", "aXb.csv", "c\\d.csv", "Ärger.CSV", "plain"][place].to_owned();
        row.created_at = Some(at(&format!("2026-02-0{}T00:00:00", place + 1)));
        row.completed_at = (place >= 4).then(|| at(&format!("2026-03-0{}T00:00:00.000001", place + 1)));
        rows.push(row);
    }
    let all: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    store::<job::Entity>(&world, rows).await;
    let own: Uuid = world.upload("ANNUAL", "own.csv", file(1)).await.parse().unwrap();
    let search = |text: &str| json!({ "search": text });
    let cases = [
        (json!(null), vec![0, 1, 2, 3, 4, 5, 6], true),
        (json!({}), vec![0, 1, 2, 3, 4, 5, 6], true),
        (json!({ "status": null, "kind": null, "search": null }), vec![0, 1, 2, 3, 4, 5, 6], true),
        (json!({ "status": [] }), vec![], false),
        (json!({ "status": ["PENDING"] }), vec![0, 1], false),
        (json!({ "status": "RUNNING" }), vec![2], false),
        (json!({ "status": ["CANCELLING"] }), vec![3], false),
        (json!({ "status": ["COMPLETED"] }), vec![4], true),
        (json!({ "status": ["FAILED", "CANCELLED", "FAILED"] }), vec![5, 6], false),
        (json!({ "kind": "ANNUAL" }), vec![0, 1, 2], true),
        (json!({ "kind": "QUARTERLY" }), vec![3, 4, 5, 6], false),
        (json!({ "origin": "ADOPTED" }), vec![0, 1, 2, 3, 4, 5, 6], false),
        (json!({ "origin": "JOBLINK" }), vec![], true),
        (json!({ "createdBy": people.anna.id }), vec![0, 2, 4, 6], false),
        (json!({ "createdBy": people.dora.id }), vec![], false),
        (json!({ "createdBy": "nobody" }), vec![], false),
        (json!({ "createdAfter": "2026-02-03T00:00:00Z" }), vec![2, 3, 4, 5, 6], true),
        (json!({ "createdAfter": "2026-02-03T01:00:00+01:00" }), vec![2, 3, 4, 5, 6], true),
        (json!({ "createdBefore": "2026-02-03T00:00:00Z" }), vec![0, 1], false),
        (
            json!({ "createdAfter": "2026-02-02T00:00:00Z", "createdBefore": "2026-02-03T00:00:00.000001Z" }),
            vec![1, 2],
            false,
        ),
        (json!({ "finishedAfter": "2026-03-06T00:00:00.000001Z" }), vec![5, 6], true),
        (json!({ "finishedBefore": "2026-03-06T00:00:00.000001Z" }), vec![4], false),
        (json!({ "finishedBefore": "2026-03-06T00:00:00.000002Z" }), vec![4, 5], false),
        (
            json!({ "createdAfter": "0001-01-01T00:00:00Z", "createdBefore": "9999-12-31T23:59:59Z" }),
            vec![0, 1, 2, 3, 4, 5, 6],
            true,
        ),
        (search(""), vec![0, 1, 2, 3, 4, 5, 6], true),
        (search("100"), vec![0, 1], false),
        (search("100%"), vec![0], false),
        (search("%"), vec![0], false),
        (search("A_B"), vec![2], false),
        (search("_"), vec![2], false),
        (search("\\"), vec![4], false),
        (search("c\\d"), vec![4], false),
        (search("\\%"), vec![], false),
        (search("Ärger"), vec![5], false),
        (search(".csv"), vec![0, 1, 2, 3, 4, 5], true),
        (search("' OR 1=1 --"), vec![], false),
        (search(&all[3].to_string()), vec![3], false),
        (search(&all[3].to_string().to_uppercase()), vec![3], false),
        (search(&all[3].simple().to_string()), vec![3], false),
        (
            json!({ "status": ["COMPLETED"], "kind": "QUARTERLY", "search": "d.csv", "origin": "ADOPTED" }),
            vec![4],
            false,
        ),
        (json!({ "status": ["COMPLETED"], "kind": "ANNUAL", "origin": "ADOPTED" }), vec![], false),
    ];
    for (filter, expected, and_own) in cases {
        let mut expected: BTreeSet<Uuid> = expected.into_iter().map(|place: usize| all[place]).collect();
        if and_own {
            expected.insert(own);
        }
        assert_eq!(found(&world, "jobs", "JobFilter", &filter).await, expected, "{filter}");
    }
    // Ids made at one time begin alike.
    let beginning = &all[3].to_string()[..8];
    assert!(found(&world, "jobs", "JobFilter", &search(beginning)).await.contains(&all[3]));
}

/// A row of either table for each combination of job and link that a database may hold.
const LINKS: [(bool, Option<&str>); 9] = [
    (false, None),
    (true, None),
    (true, Some("upload")),
    (true, Some("manifest")),
    (true, Some("source_file")),
    (true, Some("time_window")),
    (false, Some("released")),
    // Left behind by an older program that deleted the job itself.
    (false, Some("upload")),
    (false, Some("source_file")),
];

async fn predictions_are_found_by_every_filter(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.local_user().await;
    let people = people(&world).await;
    let (maker, other_job) = (new_job(user, None), new_job(user, None));
    let (job_id, other_job_id) = (maker.id, other_job.id);
    store::<job::Entity>(&world, [maker, other_job]).await;
    let firms = [new_company(user, None, "A", "A"), new_company(people.emil.id, None, "B", "B")];
    let firm_ids = firms.clone().map(|firm| firm.id);
    store::<company::Entity>(&world, firms.clone()).await;
    let (mut years, mut quarters) = (Vec::new(), Vec::new());
    for (place, (linked, link)) in LINKS.into_iter().enumerate() {
        let firm = &firms[usize::from(place > 6)];
        let risk = ["LOW", "MEDIUM", "HIGH", "CRITICAL", "UNKNOWN"][place % 5];
        let (mut year, mut quarter) = (new_annual(firm), new_quarterly(firm));
        (year.job_id, year.job_link) = (linked.then_some(job_id), link.map(ToOwned::to_owned));
        (quarter.job_id, quarter.job_link) = (year.job_id, year.job_link.clone());
        year.reporting_year = (2018 + place % 3).to_string();
        quarter.reporting_year.clone_from(&year.reporting_year);
        year.reporting_quarter = (place % 2 == 0).then(|| "Q4".to_owned());
        quarter.reporting_quarter = format!("Q{}", place % 2 + 3);
        (year.risk_level, quarter.risk_level) = (risk.to_owned(), risk.to_owned());
        years.push(year);
        quarters.push(quarter);
    }
    let ids: [Vec<Uuid>; 2] = [years.iter().map(|row| row.id).collect(), quarters.iter().map(|row| row.id).collect()];
    store::<annual_prediction::Entity>(&world, years).await;
    store::<quarterly_prediction::Entity>(&world, quarters).await;
    let everything: Vec<usize> = (0..9).collect();
    let cases = [
        (json!(null), everything.clone()),
        (json!({}), everything.clone()),
        (json!({ "unlinked": null, "linkSource": null, "riskLevel": null }), everything),
        (json!({ "jobId": job_id }), vec![1, 2, 3, 4, 5]),
        (json!({ "jobId": other_job_id }), vec![]),
        (json!({ "jobId": "no id" }), vec![]),
        (json!({ "unlinked": true }), vec![0, 6, 7, 8]),
        (json!({ "unlinked": false }), vec![1, 2, 3, 4, 5]),
        (json!({ "linkSource": ["UPLOAD"] }), vec![2]),
        (json!({ "linkSource": ["MANIFEST", "SOURCE_FILE"] }), vec![3, 4]),
        (json!({ "linkSource": "TIME_WINDOW" }), vec![5]),
        (json!({ "linkSource": ["RELEASED"] }), vec![6, 7, 8]),
        (json!({ "linkSource": ["RELEASED", "UPLOAD"] }), vec![2, 6, 7, 8]),
        (json!({ "linkSource": [] }), vec![]),
        (json!({ "unlinked": true, "linkSource": ["RELEASED"] }), vec![6, 7, 8]),
        (json!({ "unlinked": true, "linkSource": ["UPLOAD"] }), vec![]),
        (json!({ "unlinked": false, "linkSource": ["RELEASED"] }), vec![]),
        (json!({ "createdBy": people.emil.id }), vec![7, 8]),
        (json!({ "companyId": firm_ids[0] }), vec![0, 1, 2, 3, 4, 5, 6]),
        (json!({ "companyId": "x" }), vec![]),
        (json!({ "reportingYear": "2018" }), vec![0, 3, 6]),
        (json!({ "reportingYear": "18" }), vec![]),
        (json!({ "reportingQuarter": "Q4" }), vec![]),
        (json!({ "riskLevel": ["LOW"] }), vec![0, 5]),
        (json!({ "riskLevel": ["HIGH", "CRITICAL"] }), vec![2, 3, 7, 8]),
        (json!({ "riskLevel": [] }), vec![]),
        (json!({ "companyId": firm_ids[0], "reportingYear": "2018", "unlinked": false }), vec![3]),
    ];
    for (list, kind) in [("annualPredictions", 0), ("quarterlyPredictions", 1)] {
        for (filter, expected) in &cases {
            let expected = match (filter.get("reportingQuarter"), kind) {
                (Some(_), 0) => vec![0, 2, 4, 6, 8],
                (Some(_), _) => vec![1, 3, 5, 7],
                _ => expected.clone(),
            };
            let expected: BTreeSet<Uuid> = expected.into_iter().map(|place| ids[kind][place]).collect();
            assert_eq!(found(&world, list, "PredictionFilter", filter).await, expected, "{list} {filter}");
        }
    }
    // What a row says of itself is what finds it.
    let query = "{ annualPredictions(first: 100) { nodes { id linkSource job { id } } } }";
    for node in world.data(query, json!({})).await["annualPredictions"]["nodes"].as_array().unwrap() {
        if node["linkSource"] != Value::Null {
            let found =
                found(&world, "annualPredictions", "PredictionFilter", &json!({ "linkSource": [node["linkSource"]] }))
                    .await;
            assert!(found.contains(&node["id"].as_str().unwrap().parse().unwrap()), "{node}");
        }
    }
}

async fn companies_are_found_by_a_part_of_symbol_or_name(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.local_user().await;
    let names =
        [("ACME", "Acme & Sons"), ("BR.K", "100% Steel"), ("C_D", "Öl"), ("E\\F", "a%b_c\\d"), ("GHI", "acme too")];
    let rows: Vec<_> = names.iter().map(|(symbol, name)| new_company(user, None, symbol, name)).collect();
    let all: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    store::<company::Entity>(&world, rows).await;
    for (search, expected) in [
        (json!(null), vec![0, 1, 2, 3, 4]),
        (json!(""), vec![0, 1, 2, 3, 4]),
        (json!("acme"), vec![0, 4]),
        (json!("ACME"), vec![0, 4]),
        (json!("%"), vec![1, 3]),
        (json!("_"), vec![2, 3]),
        (json!("\\"), vec![3]),
        (json!("%b_c\\"), vec![3]),
        (json!("Öl"), vec![2]),
        (json!("."), vec![1]),
        (json!("nothing"), vec![]),
    ] {
        let query = "query($s: String) { companies(search: $s) { totalCount nodes { id } } }";
        let list = &world.data(query, json!({ "s": search })).await["companies"];
        let expected: Vec<Uuid> = expected.into_iter().map(|place: usize| all[place]).collect();
        assert_eq!(ids(list), expected, "{search}");
        assert_eq!(list["totalCount"], expected.len(), "{search}");
    }
}

async fn receipts_are_found_by_every_filter(engine: Engine) {
    use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, Set};
    let world = World::new(engine).await;
    let user = world.local_user().await;
    let people = people(&world).await;
    let mut jobs: Vec<Uuid> = Vec::new();
    for name in ["a%.csv", "b.csv", "c.csv"] {
        let mut row = new_job(user, None);
        row.original_filename = name.to_owned();
        jobs.push(row.id);
        store::<job::Entity>(&world, [row]).await;
    }
    jobs.push(world.upload("ANNUAL", "with-files.csv", file(1)).await.parse().unwrap());
    let mut receipts = Vec::new();
    for job in &jobs {
        let payload = delete(&world, &job.to_string(), json!({})).await;
        receipts.push(payload["receipt"]["id"].as_str().unwrap().parse::<Uuid>().unwrap());
    }
    // As if the store had not answered yet.
    world.purged().await;
    let purge = entity::artifact_purge::Entity::find().one(world.app.db.reader()).await.unwrap().unwrap();
    let mut purge = purge.into_active_model();
    (purge.completed_at, purge.due_at) = (Set(None), Set("2100-01-01T00:00:00Z".parse().unwrap()));
    purge.update(world.app.db.reader()).await.unwrap();
    // One by the retention policy, one by somebody else, each at a time of its own.
    let times: Vec<_> = (1..=4).map(|day| format!("2026-04-0{day}T00:00:00Z")).collect();
    for (place, id) in receipts.iter().enumerate() {
        let row = entity::deletion_receipt::Entity::find_by_id(*id).one(world.app.db.reader()).await.unwrap().unwrap();
        let mut row = row.into_active_model();
        row.deleted_at = Set(times[place].parse().unwrap());
        if place == 1 {
            row.trigger = Set("retention".to_owned());
            row.deleted_by = Set(None);
        }
        if place == 2 {
            row.deleted_by = Set(Some(people.anna.id));
        }
        row.update(world.app.db.reader()).await.unwrap();
    }
    for (filter, expected) in [
        (json!(null), vec![0, 1, 2, 3]),
        (json!({}), vec![0, 1, 2, 3]),
        (json!({ "deletedAfter": times[1] }), vec![1, 2, 3]),
        (json!({ "deletedBefore": times[1] }), vec![0]),
        (json!({ "deletedAfter": times[1], "deletedBefore": times[3] }), vec![1, 2]),
        (json!({ "deletedBy": user }), vec![0, 3]),
        (json!({ "deletedBy": people.anna.id }), vec![2]),
        (json!({ "deletedBy": "nobody" }), vec![]),
        (json!({ "trigger": "REQUEST" }), vec![0, 2, 3]),
        (json!({ "trigger": "RETENTION" }), vec![1]),
        (json!({ "purgePending": true }), vec![3]),
        (json!({ "purgePending": false }), vec![0, 1, 2]),
        (json!({ "search": "%" }), vec![0]),
        (json!({ "search": ".CSV" }), vec![0, 1, 2, 3]),
        (json!({ "search": jobs[2] }), vec![2]),
        (json!({ "trigger": "REQUEST", "deletedBy": user, "purgePending": false }), vec![0]),
    ] {
        let expected: BTreeSet<Uuid> = expected.into_iter().map(|place: usize| receipts[place]).collect();
        assert_eq!(found(&world, "deletionReceipts", "DeletionReceiptFilter", &filter).await, expected, "{filter}");
    }
    // The newest first.
    let list = world.data("{ deletionReceipts { nodes { id } } }", json!({})).await;
    receipts.reverse();
    assert_eq!(ids(&list["deletionReceipts"]), receipts);
}

/// PostgreSQL has no such text and would fail; SQLite would find nothing. Neither is asked.
async fn a_text_with_a_nul_is_refused(engine: Engine) {
    let world = World::new(engine).await;
    for document in [
        "query($t: String) { jobs(filter: {search: $t}) { totalCount } }",
        "query($t: String) { annualPredictions(filter: {reportingYear: $t}) { totalCount } }",
        "query($t: String) { jobs(after: $t) { totalCount } }",
    ] {
        let answer = world.answer(document, json!({ "t": "a\u{0}b" })).await;
        assert_eq!(code(&answer), "BAD_USER_INPUT", "{document}");
    }
    // An id is no text: whatever is no UUID is the id of nothing.
    for document in ["query($t: ID!) { job(id: $t) { id } }", r#"{ job(id: "a\u0000b") { id } }"#] {
        assert_eq!(world.data(document, json!({ "t": "a\u{0}b" })).await, json!({ "job": null }), "{document}");
    }
    let answer = world.answer("{ companies(search: \"a\\u0000b\") { totalCount } }", json!({})).await;
    assert_eq!(code(&answer), "GRAPHQL_VALIDATION_FAILED");
}
