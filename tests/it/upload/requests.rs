//! Requests that do not follow the multipart specification, forged references to files, and bodies over the limit: each
//! is answered with a clear error and leaves nothing.

use api::app::Limits;
use futures_util::{StreamExt, stream};
use reqwest::Body;
use serde_json::{Value, json};
use tests::{Engine, Setup, World};

use super::{annual, job_id, lines, nothing_left};

tests::on_both!(
    a_faulty_multipart_request_is_refused_and_leaves_nothing,
    a_forged_reference_to_a_file_reaches_none,
    without_the_preflight_header_nothing_is_received,
    a_body_over_the_limit_is_refused_naming_the_limit,
    a_file_up_to_the_limit_is_taken,
    a_file_makes_one_job_alone,
);

const QUERY: &str = "mutation($file: Upload!) { createJob(input: {kind: ANNUAL, source: {file: $file}}) { job { id } userErrors { code message } } }";
const BOUNDARY: &str = "b";

fn operations() -> String {
    json!({ "query": QUERY, "variables": { "file": null } }).to_string()
}

/// A part: its name with what else stands in the header, and its text.
type Part<'a> = (&'a str, &'a str);

/// A multipart body of these parts.
fn form(parts: &[Part<'_>]) -> String {
    let part = |(name, text): &Part<'_>| {
        format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name={name}\r\n\r\n{text}\r\n")
    };
    parts.iter().map(part).collect::<String>() + &format!("--{BOUNDARY}--\r\n")
}

/// The whole request for one job, with this file.
fn upload(file: &str) -> String {
    form(&[("operations", &operations()), ("map", r#"{"0":["variables.file"]}"#), ("0; filename=a.csv", file)])
}

async fn send(world: &World, content_type: &str, body: impl Into<Body>) -> (u16, Value) {
    let request = world.post().header("content-type", content_type).header("apollo-require-preflight", "1").body(body);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

async fn send_form(world: &World, body: impl Into<Body>) -> (u16, Value) {
    send(world, &format!("multipart/form-data; boundary={BOUNDARY}"), body).await
}

/// `status CODE` of the first error, and the message where the request was refused as a whole.
fn error((status, answer): &(u16, Value)) -> String {
    let error = &answer["errors"][0];
    assert!(error["extensions"]["requestId"].is_string(), "{answer}");
    let (code, message) = (error["extensions"]["code"].as_str().unwrap(), error["message"].as_str().unwrap());
    if *status == 200 { format!("{status} {code}") } else { format!("{status} {code} {message}") }
}

async fn a_faulty_multipart_request_is_refused_and_leaves_nothing(engine: Engine) {
    let world = World::new(engine).await;
    let file = annual(3);
    let operations = operations();
    let (operations, map) = (("operations", operations.as_str()), ("map", r#"{"0":["variables.file"]}"#));
    let part = ("0; filename=a.csv", file.as_str());
    let given = json!({ "query": QUERY, "variables": { "file": "here" } }).to_string();
    let forms: &[(&str, &[Part<'_>])] = &[
        ("nothing", &[]),
        ("no operations", &[map, part]),
        ("file first", &[part, operations, map]),
        ("map first", &[map, operations, part]),
        ("no map", &[operations]),
        ("file in the place of the map", &[operations, part]),
        ("operations are not JSON", &[("operations", "{"), map, part]),
        ("operations are a list", &[("operations", r#"["{__typename}"]"#), ("map", "{}")]),
        ("operations have no query", &[("operations", "{}"), ("map", "{}")]),
        ("map is not JSON", &[operations, ("map", "x"), part]),
        ("map is a list", &[operations, ("map", "[]"), part]),
        ("map names a missing part", &[operations, ("map", r#"{"0":["variables.file"],"1":[]}"#), part]),
        ("part is not in the map", &[operations, map, part, ("1; filename=b.csv", &file)]),
        ("part comes twice", &[operations, map, part, part]),
        ("path is not null", &[("operations", &given), map, part]),
        ("path leads nowhere", &[operations, ("map", r#"{"0":["variables.nowhere.0"]}"#), part]),
        ("path into the query", &[operations, ("map", r#"{"0":["query"]}"#), part]),
        (
            "two files in one place",
            &[
                operations,
                ("map", r#"{"0":["variables.file"],"1":["variables.file"]}"#),
                part,
                ("1; filename=b.csv", &file),
            ],
        ),
        ("part without a name", &[operations, map, ("; filename=a.csv", &file)]),
        ("file is not sent", &[operations, ("map", "{}")]),
    ];
    let mut seen = Vec::new();
    for (case, parts) in forms {
        seen.push(format!("{case}: {}", error(&send_form(&world, form(parts)).await)));
        nothing_left(&world, case).await;
    }
    let whole = upload(&file);
    for (case, content_type, body) in [
        ("no boundary", "multipart/form-data", whole.clone()),
        ("another boundary", "multipart/form-data; boundary=other", whole.clone()),
        ("no end", "multipart/form-data; boundary=b", whole[..whole.len() - 8].to_owned()),
        ("not multipart at all", "multipart/form-data; boundary=b", file.clone()),
        ("text", "text/plain", whole.clone()),
        ("form", "application/x-www-form-urlencoded", whole.clone()),
    ] {
        seen.push(format!("{case}: {}", error(&send(&world, content_type, body).await)));
        nothing_left(&world, case).await;
    }
    on_both_alike!(seen.join("\n"), @r#"
    nothing: 400 BAD_REQUEST The multipart request has no part "operations" with JSON in its place.
    no operations: 400 BAD_REQUEST The multipart request has no part "operations" with JSON in its place.
    file first: 400 BAD_REQUEST The multipart request has no part "operations" with JSON in its place.
    map first: 400 BAD_REQUEST The multipart request has no part "operations" with JSON in its place.
    no map: 400 BAD_REQUEST The multipart request has no part "map" with JSON in its place.
    file in the place of the map: 400 BAD_REQUEST The multipart request has no part "map" with JSON in its place.
    operations are not JSON: 400 BAD_REQUEST The multipart request has no part "operations" with JSON in its place.
    operations are a list: 400 BAD_REQUEST A list of requests is not taken: send each request by itself.
    operations have no query: 400 BAD_REQUEST The request has no "query".
    map is not JSON: 400 BAD_REQUEST The multipart request has no part "map" with JSON in its place.
    map is a list: 400 BAD_REQUEST The part "map" is not an object of lists of paths into "operations".
    map names a missing part: 400 BAD_REQUEST The request has no part "1", which "map" names.
    part is not in the map: 400 BAD_REQUEST A part of the request is not named in "map", or twice.
    part comes twice: 400 BAD_REQUEST A part of the request is not named in "map", or twice.
    path is not null: 400 BAD_REQUEST The path "variables.file" of "map" leads to no null in "operations".
    path leads nowhere: 400 BAD_REQUEST The path "variables.nowhere.0" of "map" leads to no null in "operations".
    path into the query: 400 BAD_REQUEST The path "query" of "map" leads to no null in "operations".
    two files in one place: 400 BAD_REQUEST The path "variables.file" of "map" leads to no null in "operations".
    part without a name: 400 BAD_REQUEST A part of the request is not named in "map", or twice.
    file is not sent: 200 BAD_USER_INPUT
    no boundary: 400 BAD_REQUEST The multipart request has no boundary.
    another boundary: 400 BAD_REQUEST The multipart request is damaged or was cut off.
    no end: 400 BAD_REQUEST The multipart request is damaged or was cut off.
    not multipart at all: 400 BAD_REQUEST The multipart request is damaged or was cut off.
    text: 400 CSRF_BLOCKED Send the request as application/json, or as multipart/form-data with the header apollo-require-preflight.
    form: 400 CSRF_BLOCKED Send the request as application/json, or as multipart/form-data with the header apollo-require-preflight.
    "#);
    let many: Vec<_> = (0..11).map(|part| (format!("{part}; filename=a.csv"), format!("\"{part}\":[]"))).collect();
    let map = format!("{{{}}}", many.iter().map(|(_, entry)| entry.as_str()).collect::<Vec<_>>().join(","));
    let mut parts = vec![operations, ("map", map.as_str())];
    parts.extend(many.iter().map(|(name, _)| (name.as_str(), "x")));
    on_both_alike!(error(&send_form(&world, form(&parts)).await), @"400 BAD_REQUEST At most 10 files are allowed in one request.");
    nothing_left(&world, "eleven files").await;
    world.check_invariants().await;
}

async fn a_forged_reference_to_a_file_reaches_none(engine: Engine) {
    let world = World::new(engine).await;
    let mark = |number: &str| format!("{}{number}", api::graphql::UPLOAD_MARK);
    let mut seen = Vec::new();
    for forged in
        [json!(mark("0")), json!(mark("18446744073709551615")), json!(mark("-1")), json!("0"), json!(0), json!({})]
    {
        let answer = world.answer(QUERY, json!({ "file": forged })).await;
        let refused = &answer["data"]["createJob"];
        let error = if refused.is_object() { &refused["userErrors"][0] } else { &answer["errors"][0] };
        assert!(refused["job"].is_null());
        let code = if refused.is_object() { &error["code"] } else { &error["extensions"]["code"] };
        assert!(error["message"].is_string());
        seen.push(format!("{forged}: {}", code.as_str().unwrap()));
    }
    let inline = QUERY.replace("($file: Upload!)", "").replace("$file", &json!(mark("0")).to_string());
    seen.push(world.data(&inline, json!({})).await["createJob"]["userErrors"][0]["code"].to_string());
    // Beside a file of the request's own, which is no table.
    let create = |file: &str| {
        format!("createJob(input: {{kind: ANNUAL, source: {{file: ${file}}}}}) {{ userErrors {{ code }} }}")
    };
    let query =
        format!("mutation($own: Upload!, $file: Upload!) {{ own: {} forged: {} }}", create("own"), create("file"));
    let operations = json!({ "query": query, "variables": { "own": null, "file": mark("1") } }).to_string();
    let parts = [("operations", &*operations), ("map", r#"{"0":["variables.own"]}"#), ("0; filename=a", "x")];
    let (status, answer) = send_form(&world, form(&parts)).await;
    seen.push(format!("{status} {answer}"));
    on_both_alike!(seen.join("\n"), @r##"
    "#joblink-upload:0": VALIDATION_FAILED
    "#joblink-upload:18446744073709551615": VALIDATION_FAILED
    "#joblink-upload:-1": BAD_USER_INPUT
    "0": BAD_USER_INPUT
    0: BAD_USER_INPUT
    {}: BAD_USER_INPUT
    "VALIDATION_FAILED"
    200 {"data":{"forged":{"userErrors":[{"code":"VALIDATION_FAILED"}]},"own":{"userErrors":[{"code":"INVALID_FILE"}]}}}
    "##);
    nothing_left(&world, "forged").await;
    world.check_invariants().await;
}

async fn without_the_preflight_header_nothing_is_received(engine: Engine) {
    let world = World::new(engine).await;
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let request = world.post().header("content-type", content_type).body(upload(&annual(3)));
    let response = request.send().await.unwrap();
    let answer = (response.status().as_u16(), response.json().await.unwrap());
    on_both_alike!(error(&answer), @"400 CSRF_BLOCKED A multipart request needs the header apollo-require-preflight, so that no other site can send it.");
    nothing_left(&world, "no preflight header").await;
}

async fn a_body_over_the_limit_is_refused_naming_the_limit(engine: Engine) {
    let limits = Limits { file_bytes: 100_000, body_bytes: 5_000, ..Limits::default() };
    let world = World::with(engine, Setup { limits, ..Setup::default() }).await;
    let chunked = |body: String| {
        let chunks: Vec<_> =
            body.into_bytes().chunks(10_000).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect();
        Body::wrap_stream(stream::iter(chunks).then(async |chunk| {
            tokio::task::yield_now().await;
            chunk
        }))
    };
    let long = " ".repeat(6_000);
    let three = form(&[
        ("operations", &operations()),
        ("map", r#"{"0":["variables.file"],"1":[],"2":[]}"#),
        ("0; filename=a", &"x".repeat(60_000)),
        ("1; filename=b", &"x".repeat(60_000)),
    ]);
    let mut seen = Vec::new();
    for (case, body) in [
        ("a file just over the limit", Body::from(upload(&"x".repeat(100_001)))),
        ("a body far over the limit, announced", Body::from(upload(&"x".repeat(20_000_000)))),
        ("a body far over the limit, in chunks", chunked(upload(&"x".repeat(20_000_000)))),
        ("two files over the limit together", Body::from(three)),
        ("operations over the limit", Body::from(form(&[("operations", &(operations() + &long))]))),
        ("map over the limit", Body::from(form(&[("operations", &operations()), ("map", &long)]))),
        ("what stands before the parts", chunked(long.repeat(500) + &upload(&annual(3)))),
    ] {
        seen.push(format!("{case}: {}", error(&send_form(&world, body).await)));
        nothing_left(&world, case).await;
    }
    let json = json!({ "query": QUERY, "variables": { "file": long } }).to_string();
    seen.push(format!("JSON: {}", error(&send(&world, "application/json", json).await)));
    let json = json!({ "query": QUERY, "variables": { "file": " ".repeat(20_000_000) } }).to_string();
    seen.push(format!("JSON far over the limit: {}", error(&send(&world, "application/json", json).await)));
    on_both_alike!(seen.join("\n"), @r"
    a file just over the limit: 413 PAYLOAD_TOO_LARGE The request is too large: at most 100000 bytes are allowed.
    a body far over the limit, announced: 413 PAYLOAD_TOO_LARGE The request is too large: at most 100000 bytes are allowed.
    a body far over the limit, in chunks: 413 PAYLOAD_TOO_LARGE The request is too large: at most 100000 bytes are allowed.
    two files over the limit together: 413 PAYLOAD_TOO_LARGE The request is too large: at most 100000 bytes are allowed.
    operations over the limit: 413 PAYLOAD_TOO_LARGE The request is too large: at most 5000 bytes are allowed.
    map over the limit: 413 PAYLOAD_TOO_LARGE The request is too large: at most 5000 bytes are allowed.
    what stands before the parts: 413 PAYLOAD_TOO_LARGE The request is too large: at most 100000 bytes are allowed.
    JSON: 413 PAYLOAD_TOO_LARGE The request is too large: at most 5000 bytes are allowed.
    JSON far over the limit: 413 PAYLOAD_TOO_LARGE The request is too large: at most 5000 bytes are allowed.
    ");
    world.check_invariants().await;
}

async fn a_file_up_to_the_limit_is_taken(engine: Engine) {
    let file = annual(1000);
    let limits = Limits { file_bytes: file.len() as u64, file_rows: 1000, ..Limits::default() };
    let world = World::with(engine, Setup { limits, ..Setup::default() }).await;
    let (status, answer) = send_form(&world, upload(&file)).await;
    assert_eq!((status, &answer["data"]["createJob"]["userErrors"]), (200, &json!([])));
    let id = job_id(&answer["data"]["createJob"]);
    assert_eq!(world.ended(&id).await, "completed");
    // The default limit is far above what servers take by themselves.
    let world = World::new(engine).await;
    let wide = lines([format!("A,{}\"{}\",1,S,2020,Q4,1,1,1,1,1", "", "x".repeat(60_000))]).repeat(150);
    assert!(wide.len() > 8_000_000);
    let id = world.upload("ANNUAL", "wide.csv", wide).await;
    assert_eq!(super::progress(&world, &id).await, ("FAILED".to_owned(), [299, 299, 0, 299]));
    world.check_invariants().await;
}

/// A file that two jobs of one request name goes to the first; the second is refused.
async fn a_file_makes_one_job_alone(engine: Engine) {
    let world = World::new(engine).await;
    let create =
        "createJob(input: {kind: ANNUAL, source: {file: $file}}) { job { id } userErrors { code message field } }";
    let query = format!("mutation($file: Upload!) {{ first: {create} second: {create} }}");
    let operations = json!({ "query": query, "variables": { "file": null } }).to_string();
    let parts = [("operations", &*operations), ("map", r#"{"0":["variables.file"]}"#), ("0; filename=a", &annual(3))];
    let (_, answer) = send_form(&world, form(&parts)).await;
    let id = job_id(&answer["data"]["first"]);
    on_both_alike!(answer["data"]["second"].to_string(), @r#"{"job":null,"userErrors":[{"code":"VALIDATION_FAILED","field":["input","source","file"],"message":"The file is not there any more: a job has taken it; send it again for another one."}]}"#);
    assert_eq!(world.ended(&id).await, "completed");
    assert_eq!(world.count("SELECT count(*) FROM bulk_upload_jobs").await, 1);
    world.check_invariants().await;
}
