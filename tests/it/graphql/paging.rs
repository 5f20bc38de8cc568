//! Lists by pages: whatever the rows and the pages, the pages put together are the whole list, in order, without a row
//! twice or lost, forwards and backwards, and the same on both databases.

use entity::job;
use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError, TestRunner},
};
use sea_orm::{EntityTrait, prelude::Uuid};
use serde_json::{Value, json};
use tests::{Engine, World};

use super::{at, new_job, store};

tests::on_both!(pages_put_together_are_the_whole_list);

/// What a job is ordered by; few values, so that many jobs tie.
#[derive(Clone, Debug)]
struct Row {
    id: u128,
    created: Option<u8>,
    finished: Option<u8>,
    name: &'static str,
    status: Option<&'static str>,
}

/// A page: sizes and the places of the rows whose cursors bound it.
#[derive(Clone, Debug)]
struct Asked {
    first: Option<usize>,
    last: Option<usize>,
    after: Option<prop::sample::Index>,
    before: Option<prop::sample::Index>,
}

fn row() -> impl Strategy<Value = Row> {
    let time = || prop::option::weighted(0.7, 0..4_u8);
    let names = prop::sample::select(vec!["a.csv", "B.csv", "b.csv", "_", "Z z", "ä.csv", "a", "", "10", "9"]);
    let status = prop::option::weighted(0.8, prop::sample::select(vec!["completed", "failed", "paused", "pending"]));
    (any::<u128>(), time(), time(), names, status).prop_map(|(id, created, finished, name, status)| Row {
        id,
        created,
        finished,
        name,
        status,
    })
}

fn asked() -> impl Strategy<Value = Asked> {
    let size = prop_oneof![
        Just((None, None)),
        (0..9_usize).prop_map(|size| (Some(size), None)),
        (0..9_usize).prop_map(|size| (None, Some(size)))
    ];
    let place = || prop::option::of(any::<prop::sample::Index>());
    (size, place(), place()).prop_map(|((first, last), after, before)| Asked { first, last, after, before })
}

/// The rows in the order that the contract promises: by key, nulls as the largest, then by id.
fn ordered(rows: &[Row], field: &str, descending: bool) -> Vec<Uuid> {
    let mut rows: Vec<&Row> = rows.iter().collect();
    let key = |row: &Row| match field {
        "CREATED_AT" => row.created.map(|time| time.to_string()),
        "FINISHED_AT" => row.finished.map(|time| time.to_string()),
        "FILE_NAME" => Some(row.name.to_owned()),
        _ => row.status.map(ToOwned::to_owned),
    };
    rows.sort_by_key(|row| (key(row).is_none(), key(row), row.id));
    if descending {
        rows.reverse();
    }
    rows.into_iter().map(|row| Uuid::from_u128(row.id)).collect()
}

const QUERY: &str = "query($o: JobOrder, $first: Int, $last: Int, $after: String, $before: String) {
    jobs(orderBy: $o, first: $first, last: $last, after: $after, before: $before) {
        totalCount nodes { id } edges { cursor node { id } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";

async fn page(world: &World, variables: &Value) -> Value {
    let list = world.data(QUERY, variables.clone()).await["jobs"].take();
    // The three ways in which a page names its rows agree.
    let edges = list["edges"].as_array().unwrap();
    assert_eq!(json!(edges.iter().map(|edge| &edge["node"]).collect::<Vec<_>>()), list["nodes"]);
    assert_eq!(edges.first().map_or(&Value::Null, |edge| &edge["cursor"]), &list["pageInfo"]["startCursor"]);
    assert_eq!(edges.last().map_or(&Value::Null, |edge| &edge["cursor"]), &list["pageInfo"]["endCursor"]);
    list
}

/// All pages of a size, one after the other, in one direction.
async fn walk(world: &World, order: &Value, size: usize, forwards: bool) -> Vec<(Uuid, Value)> {
    let (sized, more, end, go) = if forwards {
        ("first", "hasNextPage", "endCursor", "after")
    } else {
        ("last", "hasPreviousPage", "startCursor", "before")
    };
    let (mut seen, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let page = page(world, &json!({ "o": order, sized: size, go: cursor })).await;
        let edges = page["edges"].as_array().unwrap().iter();
        let rows: Vec<_> = edges.map(|edge| (id(&edge["node"]), edge["cursor"].clone())).collect();
        seen = if forwards { [seen, rows].concat() } else { [rows, seen].concat() };
        if page["pageInfo"][more] == json!(false) {
            return seen;
        }
        cursor = page["pageInfo"][end].clone();
        assert!(seen.len() < 10_000, "the pages never end");
    }
}

fn id(node: &Value) -> Uuid {
    node["id"].as_str().unwrap().parse().unwrap()
}

async fn holds(world: &World, rows: &[Row], pages: &[Asked], size: usize) {
    let user = world.local_user().await;
    job::Entity::delete_many().exec(world.app.db.reader()).await.unwrap();
    let time = |hour: Option<u8>| hour.map(|hour| at(&format!("2026-01-01T0{hour}:00:00.000001")));
    let stored = rows.iter().map(|row| job::Model {
        id: Uuid::from_u128(row.id),
        created_at: time(row.created),
        completed_at: time(row.finished),
        original_filename: row.name.to_owned(),
        status: row.status.map(ToOwned::to_owned),
        ..new_job(user, None)
    });
    store::<job::Entity>(world, stored).await;
    for field in ["CREATED_AT", "FINISHED_AT", "FILE_NAME", "STATUS"] {
        for direction in ["ASC", "DESC"] {
            let order = json!({ "field": field, "direction": direction });
            let whole = ordered(rows, field, direction == "DESC");
            let forwards = walk(world, &order, size, true).await;
            let ids: Vec<Uuid> = forwards.iter().map(|(id, _)| *id).collect();
            assert_eq!(ids, whole, "{order} forwards by {size}");
            assert_eq!(walk(world, &order, size, false).await, forwards, "{order} backwards by {size}");
            for asked in pages {
                holds_for(world, &order, &forwards, asked).await;
            }
        }
    }
}

/// Compares one page with the same part of the whole list.
async fn holds_for(world: &World, order: &Value, whole: &[(Uuid, Value)], asked: &Asked) {
    let place = |index: &Option<prop::sample::Index>| index.as_ref().map(|index| index.index(whole.len()));
    let (after, before) = (place(&asked.after), place(&asked.before));
    let cursor = |place: Option<usize>| place.map(|place| &whole[place].1);
    let variables = json!({ "o": order, "first": asked.first, "last": asked.last, "after": cursor(after), "before": cursor(before) });
    let found = page(world, &variables).await;
    let (from, to) = (after.map_or(0, |place| place + 1), before.unwrap_or(whole.len()));
    let between = if from < to { &whole[from..to] } else { &[] };
    let backwards = asked.last.is_some() || (asked.first.is_none() && before.is_some() && after.is_none());
    let size = asked.first.or(asked.last).unwrap_or(20).min(between.len());
    let expected = if backwards { &between[between.len() - size..] } else { &between[..size] };
    let ids: Vec<Uuid> = found["nodes"].as_array().unwrap().iter().map(id).collect();
    assert_eq!(ids, expected.iter().map(|(id, _)| *id).collect::<Vec<_>>(), "{variables}");
    let more = between.len() > size;
    let (next, previous) = if backwards { (before.is_some(), more) } else { (more, after.is_some()) };
    assert_eq!(found["pageInfo"]["hasNextPage"], json!(next), "{variables}");
    assert_eq!(found["pageInfo"]["hasPreviousPage"], json!(previous), "{variables}");
    assert_eq!(found["totalCount"], whole.len(), "{variables}");
}

async fn pages_put_together_are_the_whole_list(engine: Engine) {
    let world = World::new(engine).await;
    let cases = if std::env::var_os("JOBLINK_TEST_LONG").is_some() { 100 } else { 4 };
    let rows = prop::collection::vec(row(), 1..30).prop_filter("ids are unique", |rows| {
        rows.iter().map(|row| row.id).collect::<std::collections::HashSet<_>>().len() == rows.len()
    });
    let strategy = (rows, prop::collection::vec(asked(), 6), 1..8_usize);
    let runtime = tokio::runtime::Handle::current();
    let run = move || {
        let mut runner =
            TestRunner::new(Config { cases, failure_persistence: None, max_shrink_iters: 50, ..Config::default() });
        runner.run(&strategy, |(rows, pages, size)| {
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                runtime.block_on(holds(&world, &rows, &pages, size));
            }));
            outcome.map_err(|_| TestCaseError::fail("see the panic above"))
        })
    };
    tokio::task::spawn_blocking(run).await.unwrap().unwrap();
}
