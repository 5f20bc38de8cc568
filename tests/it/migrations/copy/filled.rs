//! A SQLite database with rows in every table, made by a server that was used.

use api::notifications::{Notifications, webhook::Webhook};
use chrono::TimeDelta;
use serde_json::json;
use tests::{Engine, Setup, World, people};

use crate::{
    deletion::{delete, file},
    migrations::program::run,
    retention,
};

/// Nobody listens there, so what is told stays.
const NOBODY: &str = "http://127.0.0.1:9/";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What texts must survive: the signs of lines and of `COPY`, quotes, other scripts, nothing at all.
const TEXTS: [&str; 5] =
    ["tab\there, line\nand\r\nline", r"\N", r"back\\slash \t \", "'quoted' \"twice\" Ünïcödé 🦀 \u{1}", ""];

/// The server has stopped; its database is open, and nobody writes to it.
pub async fn filled() -> World {
    let notifications = Notifications::new(Some(Webhook::new(NOBODY, SECRET).unwrap()), None);
    let mut world = World::with(Engine::Sqlite, Setup { notifications, ..Setup::default() }).await;
    api::files::mark::check(&world.app).await.unwrap();
    let user = world.local_user().await;
    let people = people(&world).await;
    let annual = include_str!("../../../fixtures/annual.csv");
    let quarterly = include_str!("../../../fixtures/quarterly.csv");
    world.upload("ANNUAL", "annual.csv", annual).await;
    world.upload("QUARTERLY", "quarterly.csv", quarterly).await;
    world.upload("ANNUAL", "bad.csv", format!("{}\nbroken,row\n", file(30))).await;
    for cascade in [true, false] {
        let job = world.upload("ANNUAL", "deleted.csv", file(5).replace(",S", ",T").replace("19", "20")).await;
        let deleted = delete(&world, &job, json!({ "cascade": cascade, "reason": TEXTS[0] })).await;
        assert_eq!(deleted["userErrors"], json!([]), "{deleted}");
    }
    let pending = world.adopted_job(user, None, "annual", "processing").await;
    let cancelled = world.adopted_job(user, None, "quarterly", "pending").await;
    let cancel = "mutation($id: ID!) { cancelJob(id: $id, notes: \"ü\\n\") { job { status } userErrors { code } } }";
    let cancel = world.data(cancel, json!({ "id": cancelled.to_string() })).await;
    assert_eq!(cancel["cancelJob"]["userErrors"], json!([]), "{cancel}");

    // Two files sent ahead, of which a job takes one.
    let mut uploads = Vec::new();
    for name in ["waits.csv", "taken.csv"] {
        let sent = world.http.post(format!("{}/uploads?name={name}", world.base())).header("content-type", "text/csv");
        let sent: serde_json::Value = sent.body(file(3)).send().await.unwrap().json().await.unwrap();
        uploads.push(sent["uploadId"].as_str().unwrap().to_owned());
    }
    let create = "mutation($upload: ID!) { createJob(input: {kind: ANNUAL, source: {uploadId: $upload}, \
                  idempotencyKey: \"it's a key\"}) { job { id } userErrors { code } } }";
    let created = world.data(create, json!({ "upload": uploads[1] })).await;
    world.ended(created["createJob"]["job"]["id"].as_str().unwrap()).await;

    let old = retention::ended(&world, "failed", 20).await;
    retention::with_files(&world, &old, &["input"]).await;
    retention::run(&world, api::retention::policy::Policy::default(), api::database::now()).await;
    world.purged().await;
    world.stop().await;

    // What the older program wrote, for the backfill to decide about.
    let adopted = world.adopted_job(people.anna.id, people.anna.organization, "annual", "completed").await;
    world.linked_predictions(adopted, "manifest", 3).await;
    world.run("UPDATE annual_predictions SET job_id = NULL, job_link = NULL WHERE job_link = 'manifest'").await;
    assert_eq!(run("migration", &world.url, &["backfill", "run"]).await.code, 0);
    let run_id = "(SELECT id FROM backfill_runs LIMIT 1)";
    let hex = |id: sea_orm::prelude::Uuid| format!("X'{}'", id.simple());
    world
        .run(&format!(
            "INSERT OR IGNORE INTO backfill_decisions (run_id, job_id, evidence, linked, unresolved, note)
             VALUES ({run_id}, {}, NULL, 0, 3, 'nothing')",
            hex(adopted)
        ))
        .await;
    let at = (api::database::now() - TimeDelta::hours(1)).to_rfc3339();
    world
        .run(&format!("INSERT INTO job_log (job_id, id, at, message) VALUES ({0}, {0}, '{at}', 'begun')", hex(pending)))
        .await;

    // Tenants, organizations and users refer to each other.
    let (anna, ben) = (hex(people.anna.id), hex(people.ben.id));
    let organization = hex(people.anna.organization.unwrap());
    let tenant = "X'00000000000040008000000000000001'";
    world
        .run(&format!(
            "INSERT INTO tenants (id, name, slug, is_active, created_by, created_at)
                 VALUES ({tenant}, 'Tenant', 'tenant', TRUE, {anna}, '0001-01-01 00:00:00.000001');
             UPDATE organizations SET created_by = {ben}, tenant_id = {tenant}, allow_global_data_access = FALSE,
                 join_created_at = '9999-12-31 23:59:59.999999' WHERE id = {organization};
             UPDATE users SET tenant_id = {tenant}, last_login = '2026-02-28 12:00:00.100000' WHERE id = {anna};
             INSERT INTO organization_member_whitelist (id, organization_id, email, added_by, status)
                 VALUES ({ben}, {organization}, 'somebody@example.com', {anna}, NULL)"
        ))
        .await;
    for (number, text) in TEXTS.iter().enumerate() {
        let text = text.replace('\'', "''");
        world
            .run(&format!(
                "UPDATE annual_predictions SET risk_level = '{number}', net_income_margin = {}, return_on_assets = {},
                     ebit_to_interest_expense = -99999999999.9999, probability = 0.0001
                     WHERE id = (SELECT id FROM annual_predictions ORDER BY id LIMIT 1 OFFSET {number});
                 INSERT INTO audit_log (id, at, action, outcome, detail)
                     VALUES (randomblob(16), '2026-01-01T00:00:00.{number}00001+00:00', 'sweep', 'done', '{text}')",
                [0.0, -0.5, 99_999_999_999.999_9, 123_456_789.01, 0.0001][number],
                [1.0, 12.34, -999_999.999_9, 0.1, 100_000_000.0][number],
            ))
            .await;
    }
    for table in migration::copy::tables::names() {
        assert_ne!(world.count(&format!("SELECT count(*) FROM {table}")).await, 0, "{table} is empty");
    }
    world
}
