//! What is no page of a list is refused at its place, and the rest of the answer stays.

use entity::{company, job, row_error};
use sea_orm::prelude::Uuid;
use serde_json::{Value, json};
use tests::{Engine, World};

use super::{code, new_annual, new_company, new_job, store};

tests::on_both!(
    what_is_no_page_is_refused_at_its_place,
    a_cursor_serves_its_own_list_alone,
    pages_inside_jobs_are_refused_in_their_place_too,
    without_a_size_a_page_has_twenty,
    row_errors_come_in_the_order_of_the_file,
);

const LISTS: [&str; 6] =
    ["jobs", "annualPredictions", "quarterlyPredictions", "companies", "deletionReceipts", "backfillRuns"];

async fn what_is_no_page_is_refused_at_its_place(engine: Engine) {
    let world = World::new(engine).await;
    let allowed = "a number from 0 to 100 is allowed.";
    let cursor = |name: &str| format!("\"{name}\" is not a cursor of this list; take one from its pages.");
    for list in LISTS {
        for (arguments, message) in [
            ("first: 101", format!("\"first\" is 101; {allowed}")),
            ("first: 1000", format!("\"first\" is 1000; {allowed}")),
            ("first: -1", format!("\"first\" is -1; {allowed}")),
            ("last: 101", format!("\"last\" is 101; {allowed}")),
            ("last: -2147483648", format!("\"last\" is -2147483648; {allowed}")),
            ("first: 1, last: 1", "\"first\" and \"last\" exclude each other; give one of them.".to_owned()),
            ("after: \"\"", cursor("after")),
            ("after: \"x\"", cursor("after")),
            ("before: \"AAAA\"", cursor("before")),
            ("first: 1, after: \"ä%\"", cursor("after")),
            ("last: 1, before: \"bm8gY3Vyc29y\"", cursor("before")),
        ] {
            let query = format!(
                "{{ viewer {{ role }} it: {list}({arguments}) {{ totalCount nodes {{ id }} }} jobs {{ totalCount }} }}"
            );
            let answer = world.answer(&query, json!({})).await;
            assert_eq!(code(&answer), "BAD_USER_INPUT", "{query}");
            assert_eq!(answer["errors"][0]["message"], message, "{query}");
            assert_eq!(answer["errors"][0]["path"], json!(["it"]), "{query}");
            let rest = json!({ "viewer": { "role": "OPERATOR" }, "it": null, "jobs": { "totalCount": 0 } });
            assert_eq!(answer["data"], rest, "{query}");
        }
        let query =
            format!("{{ {list}(first: 0) {{ totalCount nodes {{ id }} pageInfo {{ startCursor endCursor }} }} }}");
        let empty = json!({ "totalCount": 0, "nodes": [], "pageInfo": { "startCursor": null, "endCursor": null } });
        assert_eq!(world.data(&query, json!({})).await[list], empty);
    }
}

async fn a_cursor_serves_its_own_list_alone(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.local_user().await;
    store::<job::Entity>(&world, [new_job(user, None), new_job(user, None)]).await;
    let order = |field: &str, direction: &str| json!({ "field": field, "direction": direction });
    let query = "query($o: JobOrder, $after: String) { jobs(orderBy: $o, after: $after) { nodes { id } pageInfo { startCursor } } }";
    let mut cursors = Vec::new();
    for field in ["CREATED_AT", "FINISHED_AT", "FILE_NAME", "STATUS"] {
        for direction in ["ASC", "DESC"] {
            let o = order(field, direction);
            let page = world.data(query, json!({ "o": o })).await;
            cursors.push((o, page["jobs"]["pageInfo"]["startCursor"].clone()));
        }
    }
    for (o, _) in &cursors {
        for (of, cursor) in &cursors {
            let answer = world.answer(query, json!({ "o": o, "after": cursor })).await;
            if o == of {
                assert_eq!(answer["data"]["jobs"]["nodes"].as_array().unwrap().len(), 1, "{o}");
            } else {
                assert_eq!(code(&answer), "BAD_USER_INPUT", "{o} with a cursor of {of}");
            }
        }
        for list in ["annualPredictions", "companies", "deletionReceipts", "backfillRuns"] {
            let query = format!("query($after: String) {{ {list}(after: $after) {{ totalCount }} }}");
            assert_eq!(code(&world.answer(&query, json!({ "after": cursors[0].1 })).await), "BAD_USER_INPUT", "{list}");
        }
    }
    // Whoever writes a cursor by hand gets a page or a plain refusal, whatever the times in it.
    for key in
        ["9223372036854775807", "-9223372036854775808", "8210266876799999999", "-8334601228800000000", "x", "", "1e9"]
    {
        let text = format!("job-created-desc {}={key}", Uuid::now_v7().simple());
        for direction in ["after", "before"] {
            let query = format!("query($c: String) {{ jobs({direction}: $c) {{ nodes {{ id }} }} }}");
            let answer = world.answer(&query, json!({ "c": base64(text.as_bytes()) })).await;
            if answer.get("errors").is_some() {
                assert_eq!(code(&answer), "BAD_USER_INPUT", "{text}");
            }
        }
    }
    for key in ["a\u{0}b", "'; DROP TABLE users; --", "\\", "%"] {
        let text = format!("job-file-asc {}={key}", Uuid::now_v7().simple());
        let query =
            "query($c: String) { jobs(after: $c, orderBy: {field: FILE_NAME, direction: ASC}) { nodes { id } } }";
        let answer = world.answer(query, json!({ "c": base64(text.as_bytes()) })).await;
        if answer.get("errors").is_some() {
            assert_eq!(code(&answer), "BAD_USER_INPUT", "{text}");
        }
    }
}

/// Base64 for URLs, without padding.
pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for digit in 0..=chunk.len() {
            text.push(char::from(DIGITS[(bits >> (18 - 6 * digit)) as usize % 64]));
        }
    }
    text
}

async fn pages_inside_jobs_are_refused_in_their_place_too(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.local_user().await;
    let row = new_job(user, None);
    let id = row.id;
    store::<job::Entity>(&world, [row]).await;
    for field in ["predictions", "rowErrors"] {
        for arguments in ["first: 101", "last: -1", "first: 1, last: 1", "after: \"x\""] {
            // Neither list is ever null, so the job is null in its place.
            let query = format!(
                "query($id: ID!) {{ viewer {{ role }} job(id: $id) {{ id it: {field}({arguments}) {{ totalCount }} }} }}"
            );
            let answer = world.answer(&query, json!({ "id": id })).await;
            assert_eq!(code(&answer), "BAD_USER_INPUT", "{query}");
            assert_eq!(answer["errors"][0]["path"], json!(["job", "it"]), "{query}");
            assert_eq!(answer["data"], json!({ "viewer": { "role": "OPERATOR" }, "job": null }), "{query}");
        }
    }
}

async fn without_a_size_a_page_has_twenty(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.local_user().await;
    let maker = new_job(user, None);
    let firm = new_company(user, None, "A", "A");
    let rows: Vec<_> = (0..25)
        .map(|_| entity::annual_prediction::Model {
            job_id: Some(maker.id),
            job_link: Some("manifest".to_owned()),
            ..new_annual(&firm)
        })
        .collect();
    let all: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    store::<job::Entity>(&world, [maker]).await;
    store::<company::Entity>(&world, [firm]).await;
    store::<entity::annual_prediction::Entity>(&world, rows).await;
    let query = "{ annualPredictions { nodes { id } pageInfo { hasNextPage hasPreviousPage } }
        last: annualPredictions(last: 100) { nodes { id } pageInfo { hasNextPage hasPreviousPage } }
        jobs { nodes { predictions { totalCount nodes { id } pageInfo { hasNextPage hasPreviousPage } } } } }";
    let found = world.data(query, json!({})).await;
    let info = |next: bool, previous: bool| json!({ "hasNextPage": next, "hasPreviousPage": previous });
    assert_eq!(super::ids(&found["annualPredictions"]), all[..20]);
    assert_eq!(found["annualPredictions"]["pageInfo"], info(true, false));
    assert_eq!(super::ids(&found["last"]), all);
    assert_eq!(found["last"]["pageInfo"], info(false, false));
    let inside = &found["jobs"]["nodes"][0]["predictions"];
    assert_eq!(super::ids(inside), all[..20]);
    assert_eq!((&inside["pageInfo"], &inside["totalCount"]), (&info(true, false), &json!(25)));
}

async fn row_errors_come_in_the_order_of_the_file(engine: Engine) {
    let world = World::new(engine).await;
    let user = world.local_user().await;
    let rows = [new_job(user, None), new_job(user, None)];
    let ids = [rows[0].id, rows[1].id];
    let error = |job: Uuid, line: i32| row_error::Model {
        job_id: job,
        line,
        column_name: (line % 2 == 0).then(|| "market_cap".to_owned()),
        code: ["duplicate", "missing_value", "a new code"][usize::try_from(line).unwrap() % 3].to_owned(),
        message: format!("Line {line} is wrong."),
    };
    store::<job::Entity>(&world, rows).await;
    let errors = (2..32).rev().flat_map(|line| ids.map(|id| error(id, line * 10)));
    store::<row_error::Entity>(&world, errors).await;
    let query = "query($first: Int, $after: String, $last: Int, $before: String) { jobs { nodes {
        rowErrors(first: $first, after: $after, last: $last, before: $before) {
            totalCount nodes { line column code } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } } }";
    for (size, end, go) in [("first", "endCursor", "after"), ("last", "startCursor", "before")] {
        let (mut seen, mut cursor): (Vec<i64>, Value) = (Vec::new(), Value::Null);
        loop {
            let page = world.data(query, json!({ size: 7, go: cursor })).await;
            let jobs = page["jobs"]["nodes"].as_array().unwrap();
            let lines = |job: &Value| -> Vec<i64> {
                job["rowErrors"]["nodes"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|node| node["line"].as_i64().unwrap())
                    .collect()
            };
            let list = &jobs[0]["rowErrors"];
            assert_eq!(list["totalCount"], 30);
            let lines = lines(&jobs[0]);
            seen = if size == "first" { [seen, lines].concat() } else { [lines, seen].concat() };
            let more = if size == "first" { "hasNextPage" } else { "hasPreviousPage" };
            if list["pageInfo"][more] == json!(false) {
                break;
            }
            cursor = list["pageInfo"][end].clone();
        }
        assert_eq!(seen, (2..32).map(|line| line * 10).collect::<Vec<i64>>(), "{size}");
    }
    let page = world.data(query, json!({ "first": 3 })).await;
    assert_eq!(
        page["jobs"]["nodes"][0]["rowErrors"]["nodes"],
        json!([
            { "line": 20, "column": "market_cap", "code": "MALFORMED" },
            { "line": 30, "column": "market_cap", "code": "DUPLICATE" },
            { "line": 40, "column": "market_cap", "code": "MISSING_VALUE" },
        ])
    );
}
