//! Runs: what they leave alone, how they end when they are killed, and how they are taken back.

use std::collections::BTreeMap;

use migration::backfill::{Pace, plan, run, runs, undo};
use sea_orm::prelude::Uuid;
use serde_json::Value as Json;
use tests::Engine;

use super::{execute, jobs, links, simulated, with_sources};
use crate::migrations::{
    program::start,
    site::{run as in_session, until},
};

tests::on_both!(
    links_and_releases_of_others_are_left_alone,
    a_released_row_keeps_its_whole_transaction_from_another_job,
    a_run_that_is_killed_goes_on_and_ends_as_if_it_had_not_been,
    a_second_run_refuses,
    undo_takes_back_what_the_run_made_and_nothing_else,
    everything_left_without_a_link_is_listed_with_its_reason,
    a_run_that_goes_on_with_other_files_takes_back_what_they_do_not_show,
    while_a_run_is_being_taken_back_no_other_begins,
    what_an_older_program_writes_meanwhile_is_left_to_a_later_run,
);

async fn links_and_releases_of_others_are_left_alone(engine: Engine) {
    let (site, past) = simulated(engine, 1).await;
    let settings = with_sources(past.sources.path());
    run(&site.db, &settings, Pace::default()).await.unwrap();
    let whole = links(&site).await;
    let run_id = runs(&site.db).await.unwrap()[0].id;
    undo(&site.db, run_id, false).await.unwrap();

    // Half of the links are there already, by other means, and some rows are released.
    let mut ids: Vec<Uuid> = whole.keys().copied().collect();
    ids.sort();
    let (linked, rest) = ids.split_at(ids.len() / 2);
    for id in linked {
        let sql = "UPDATE annual_predictions SET job_id = $1, job_link = 'upload' WHERE id = $2";
        execute(&site, sql, vec![whole[id].0.into(), (*id).into()]).await;
    }
    let released = &rest[..5];
    for id in released {
        let sql = "UPDATE annual_predictions SET job_link = 'released' WHERE id = $1";
        execute(&site, sql, vec![(*id).into()]).await;
    }
    let outcome = run(&site.db, &settings, Pace::default()).await.unwrap();
    assert_eq!(outcome.report.left_alone, (linked.len() + released.len()) as u64);
    let now = links(&site).await;
    for id in linked {
        assert_eq!(now[id], (whole[id].0, "upload".to_owned()));
    }
    for id in released {
        assert!(!now.contains_key(id), "a released row was linked");
    }
    assert!(now.iter().all(|(id, (job, _))| past.truth[id] == Some(*job)));
}

async fn a_released_row_keeps_its_whole_transaction_from_another_job(engine: Engine) {
    let (site, past) = simulated(engine, 2).await;
    let settings = with_sources(past.sources.path());
    let outcome = run(&site.db, &settings, Pace::default()).await.unwrap();
    let whole = links(&site).await;
    let (id, _) = whole.iter().next().unwrap();
    undo(&site.db, outcome.run, false).await.unwrap();
    execute(&site, "UPDATE annual_predictions SET job_link = 'released' WHERE id = $1", vec![(*id).into()]).await;
    run(&site.db, &settings, Pace::default()).await.unwrap();
    let linked_beside = "SELECT count(*) FROM annual_predictions a JOIN annual_predictions b \
        ON a.created_at = b.created_at AND a.created_by = b.created_by \
        WHERE a.job_link = 'released' AND b.job_id IS NOT NULL";
    assert_eq!(site.count(linked_beside).await, 0);
}

async fn a_run_that_is_killed_goes_on_and_ends_as_if_it_had_not_been(engine: Engine) {
    let (site, past) = simulated(engine, 4).await;
    let sources = past.sources.path().to_str().unwrap();
    let arguments = ["backfill", "run", "--sources", sources, "--batch-size", "20", "--json"];
    let planned = plan(&site.db, &with_sources(past.sources.path())).await.unwrap();
    let mut slow = arguments.to_vec();
    slow.extend(["--max-rows-per-second", "100"]);
    for share in 1..3 {
        let mut killed = start("migration", &site.url, &slow);
        until("some rows are linked", async || {
            let linked = site.count("SELECT count(*) FROM annual_predictions WHERE job_id IS NOT NULL").await;
            (linked >= share * 100).then_some(())
        })
        .await;
        killed.kill();
        let status = site.migrated(&["backfill", "status"]).await.out;
        assert!(status.contains(" UTC, last sign of life ") && status.ends_with(" s ago\n"), "{status}");
    }
    let ended = site.migrated(&arguments).await;
    let told: Json = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(told["resumed"], true);
    let mut expected = planned.json();
    for key in ["run", "resumed", "overtaken"] {
        expected[key] = told[key].clone();
    }
    assert_eq!(told, expected, "the whole is told, not what was left to do");
    let links = links(&site).await;
    assert_eq!(links.len() as u64, planned.total_linked());
    assert!(links.iter().all(|(id, (job, _))| past.truth[id] == Some(*job)));
    let runs = runs(&site.db).await.unwrap();
    assert_eq!(runs.iter().map(|run| run.status.as_str()).collect::<Vec<_>>(), ["completed"]);
    assert_eq!(site.count("SELECT count(DISTINCT backfill_run_id) FROM annual_predictions").await, 1);
    let left =
        site.count("SELECT count(*) FROM backfill_unresolved u WHERE u.run_id = (SELECT id FROM backfill_runs)").await;
    assert_eq!(left.unsigned_abs(), planned.total_unresolved());
    let decided = site.count("SELECT CAST(sum(linked) AS bigint) FROM backfill_decisions").await;
    assert_eq!(decided.unsigned_abs(), planned.total_linked());
}

#[tokio::test]
async fn while_others_use_the_database_batches_are_small() {
    let (site, past) = simulated(Engine::Postgres, 13).await;
    let sources = past.sources.path().to_str().unwrap();
    let other = site.session().await;
    let busy = tokio::spawn(async move { in_session(&other, "SELECT pg_sleep(600)").await });
    until("somebody else is at work", async || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND state = 'active' \
                   AND datname = current_database() AND pid <> pg_backend_pid()";
        (site.count(sql).await > 0).then_some(())
    })
    .await;
    // All rows that one transaction wrote last bear its number.
    let largest = "SELECT max(rows) FROM (SELECT count(*) AS rows FROM annual_predictions WHERE job_id IS NOT NULL \
                   GROUP BY xmin::text) AS batches";
    let ended = site.migrated(&["backfill", "run", "--sources", sources]).await;
    assert!(ended.err.contains("others use the database, so it goes slowly"), "{ended:?}");
    assert!((2..=20).contains(&site.count(largest).await));
    let run = runs(&site.db).await.unwrap()[0].id.to_string();
    site.migrated(&["backfill", "undo", &run, "--yes"]).await;
    let ended = site.migrated(&["backfill", "run", "--sources", sources, "--full-speed"]).await;
    assert!(!ended.err.contains("slowly"), "{ended:?}");
    assert!(site.count(largest).await > 20);
    busy.abort();
}

async fn a_second_run_refuses(engine: Engine) {
    let (site, past) = simulated(engine, 5).await;
    let sources = past.sources.path().to_str().unwrap();
    let arguments = ["backfill", "run", "--sources", sources, "--batch-size", "10", "--max-rows-per-second", "50"];
    let mut first = start("migration", &site.url, &arguments);
    until("it is at work", async || {
        (site.count("SELECT count(*) FROM annual_predictions WHERE job_id IS NOT NULL").await > 0).then_some(())
    })
    .await;
    let second = site.migration(&arguments).await;
    assert_eq!((second.code, second.out.as_str()), (3, ""), "{second:?}");
    let refusal = "migration: another backfill is running; see `migration backfill status`\n";
    assert!(second.err.ends_with(refusal), "{second:?}");
    first.kill();
    let other = site.migration(&["backfill", "run"]).await;
    assert_eq!(other.code, 3, "an interrupted run goes on with its own options alone: {other:?}");
}

async fn undo_takes_back_what_the_run_made_and_nothing_else(engine: Engine) {
    let (site, past) = simulated(engine, 6).await;
    let before = site.data_in(&site.columns().await).await;
    let outcome = run(&site.db, &with_sources(past.sources.path()), Pace::default()).await.unwrap();
    assert_ne!(site.data_in(&site.columns().await).await, before);
    let ended = site.migration(&["backfill", "undo", &outcome.run.to_string()]).await;
    assert_eq!(ended.code, 3, "it asks first: {ended:?}");
    let ended = site.migrated(&["backfill", "undo", &outcome.run.to_string(), "--yes"]).await;
    assert_eq!(ended.out, format!("{} links taken back\n", outcome.report.total_linked()));
    let log = site.strings("SELECT action || ': ' || detail FROM audit_log").await;
    let (linked, left) = (outcome.report.total_linked(), outcome.report.total_unresolved());
    assert_eq!(
        log,
        [
            format!("backfill_run: linked {linked} predictions, left {left} without a link"),
            format!("backfill_undo: took back {linked} links")
        ]
    );
    assert_eq!(site.data_in(&site.columns().await).await, before);

    // A job that goes after the run leaves its rows released, and no undo makes them look undecided.
    let again = run(&site.db, &with_sources(past.sources.path()), Pace::default()).await.unwrap();
    let links = links(&site).await;
    let job = links.values().next().unwrap().0;
    let released = links.values().filter(|(of, _)| *of == job).count() as u64;
    execute(&site, "DELETE FROM bulk_upload_jobs WHERE id = $1", vec![job.into()]).await;
    assert_eq!(undo(&site.db, again.run, false).await.unwrap(), links.len() as u64 - released);
    let kept =
        site.count("SELECT count(*) FROM annual_predictions WHERE job_id IS NULL AND job_link IS NOT NULL").await;
    assert_eq!(kept.unsigned_abs(), released);
}

async fn everything_left_without_a_link_is_listed_with_its_reason(engine: Engine) {
    let (site, past) = simulated(engine, 7).await;
    let (list, report) = (past.sources.path().join("list.csv"), past.sources.path().join("report.json"));
    let [sources, list_name, report_name] =
        [past.sources.path(), &list, &report].map(|path| path.to_str().unwrap().to_owned());
    let ended = site
        .migrated(&[
            "backfill",
            "run",
            "--sources",
            &sources,
            "--unresolved",
            &list_name,
            "--report",
            &report_name,
            "--json",
        ])
        .await;
    let unwritable = past.sources.path().join("missing/report.json");
    let refused = site.migration(&["backfill", "plan", "--report", unwritable.to_str().unwrap()]).await;
    assert_eq!(refused.err, format!("migration: cannot write {}: entity not found\n", unwritable.display()));
    let told: Json = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(std::fs::read_to_string(report).unwrap().trim(), ended.out.trim());
    let links = links(&site).await;
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    let mut listed = 0;
    for record in csv::Reader::from_path(list).unwrap().records() {
        let record = record.unwrap();
        let id: Uuid = record[1].parse().unwrap();
        assert!(!links.contains_key(&id) && past.truth.contains_key(&id));
        *reasons.entry(record[2].to_owned()).or_default() += 1;
        listed += 1;
    }
    assert_eq!(listed + links.len(), past.truth.len());
    assert_eq!(serde_json::to_value(reasons).unwrap(), told["unresolved"]);
    let status = site.migrated(&["backfill", "status", "--json"]).await;
    let status: Json = serde_json::from_str(&status.out).unwrap();
    assert_eq!(
        (status[0]["linked"].as_u64(), status[0]["unresolved"].as_u64()),
        (Some(links.len() as u64), Some(listed as u64))
    );
}

#[tokio::test]
async fn a_run_waits_while_more_and_more_sessions_wait_for_locks() {
    let (site, past) = simulated(Engine::Postgres, 11).await;
    let [holder, waiter] = [site.session().await, site.session().await];
    let sources = past.sources.path().to_str().unwrap();
    let mut backfill = start(
        "migration",
        &site.url,
        &["backfill", "run", "--sources", sources, "--batch-size", "5", "--max-rows-per-second", "50"],
    );
    until("it is at work", async || {
        (site.count("SELECT count(*) FROM annual_predictions WHERE job_id IS NOT NULL").await > 0).then_some(())
    })
    .await;
    in_session(&holder, "BEGIN; LOCK TABLE tenants IN ACCESS EXCLUSIVE MODE").await;
    let waiting = tokio::spawn(async move { in_session(&waiter, "SELECT count(*) FROM tenants").await });
    until("it waits for others", async || {
        assert_eq!(backfill.code(), None, "{}", backfill.err());
        backfill.err().contains("waiting for others: 1 session waits for locks").then_some(())
    })
    .await;
    in_session(&holder, "COMMIT").await;
    waiting.await.unwrap();
    let linked = site.count("SELECT count(*) FROM annual_predictions WHERE job_id IS NOT NULL").await;
    until("it goes on", async || {
        (site.count("SELECT count(*) FROM annual_predictions WHERE job_id IS NOT NULL").await > linked).then_some(())
    })
    .await;
}

async fn a_run_that_goes_on_with_other_files_takes_back_what_they_do_not_show(engine: Engine) {
    let (site, past) = simulated(engine, 12).await;
    let sources = past.sources.path().to_str().unwrap();
    let arguments = ["backfill", "run", "--sources", sources, "--batch-size", "20", "--json"];
    let mut killed = start("migration", &site.url, &[&arguments[..], &["--max-rows-per-second", "200"]].concat());
    until("many rows are linked", async || {
        (site.count("SELECT count(*) FROM annual_predictions WHERE job_id IS NOT NULL").await >= 400).then_some(())
    })
    .await;
    killed.kill();
    // The operator finds that some files were not those that the jobs read.
    for job in jobs(&site).await.keys().filter(|job| job.as_bytes()[15] % 2 == 0) {
        _ = std::fs::remove_file(past.sources.path().join(format!("{job}.csv")));
    }
    let told: Json = serde_json::from_str(&site.migrated(&arguments).await.out).unwrap();
    let links = links(&site).await;
    assert_eq!(told["linked"]["source_file"].as_u64(), Some(links.len() as u64), "{told}");
    assert!(links.values().all(|(job, _)| past.sources.path().join(format!("{job}.csv")).exists()));
    let left = site.count("SELECT count(*) FROM backfill_unresolved").await;
    assert_eq!(usize::try_from(left).unwrap() + links.len(), past.truth.len());
}

async fn while_a_run_is_being_taken_back_no_other_begins(engine: Engine) {
    let (site, past) = simulated(engine, 13).await;
    let settings = with_sources(past.sources.path());
    let outcome = run(&site.db, &settings, Pace::default()).await.unwrap();
    // As an undo that was cut off leaves it.
    site.run("UPDATE backfill_runs SET status = 'undoing'").await;
    let why = run(&site.db, &settings, Pace::default()).await.unwrap_err().to_string();
    let id = outcome.run;
    assert_eq!(
        why,
        format!("run {id} is being taken back, or that was cut off: end it with `migration backfill undo {id}`")
    );
    assert_eq!(undo(&site.db, id, false).await.unwrap(), outcome.report.total_linked());
    assert_eq!(runs(&site.db).await.unwrap()[0].status, "undone");
    assert_eq!(run(&site.db, &settings, Pace::default()).await.unwrap().report, outcome.report);
}

async fn what_an_older_program_writes_meanwhile_is_left_to_a_later_run(engine: Engine) {
    let (site, past) = simulated(engine, 15).await;
    let planned = plan(&site.db, &with_sources(past.sources.path())).await.unwrap();
    let sources = past.sources.path().to_str().unwrap();
    let arguments = ["backfill", "run", "--sources", sources, "--batch-size", "20", "--max-rows-per-second", "200"];
    let mut backfill = start("migration", &site.url, &arguments);
    until("some rows are linked", async || {
        (site.count("SELECT count(*) FROM annual_predictions WHERE job_id IS NOT NULL").await > 100).then_some(())
    })
    .await;
    // A worker stores the rows of a new job; its file is the copy of one that is known.
    let (job, copied) = (Uuid::now_v7(), past.truth.values().flatten().next().unwrap());
    std::fs::copy(past.sources.path().join(format!("{copied}.csv")), past.sources.path().join(format!("{job}.csv")))
        .ok();
    let now = chrono::Utc::now().naive_utc();
    let sql = "INSERT INTO bulk_upload_jobs (id, organization_id, user_id, job_type, status, original_filename, started_at) \
               SELECT $1, organization_id, user_id, job_type, 'processing', 'new.csv', $2 FROM bulk_upload_jobs WHERE id = $3";
    assert_eq!(execute(&site, sql, vec![job.into(), now.into(), (*copied).into()]).await, 1);
    let row = Uuid::now_v7();
    let sql = "INSERT INTO annual_predictions (id, company_id, organization_id, access_level, reporting_year, probability, \
               risk_level, confidence, predicted_at, created_by, created_at) \
               SELECT $1, company_id, organization_id, access_level, reporting_year, probability, risk_level, confidence, \
               $2, created_by, $2 FROM annual_predictions LIMIT 1";
    assert_eq!(execute(&site, sql, vec![row.into(), now.into()]).await, 1);
    assert_eq!(backfill.ended().await, 0, "{}", backfill.err());
    let links = links(&site).await;
    assert!(!links.contains_key(&row) && links.len() as u64 == planned.total_linked());
    assert_eq!(site.count("SELECT count(*) FROM backfill_unresolved").await.unsigned_abs(), planned.total_unresolved());
    // The later run lists it.
    let later = run(&site.db, &with_sources(past.sources.path()), Pace::default()).await.unwrap();
    assert_eq!(later.report.left_alone, planned.total_linked());
    assert_eq!(later.report.total_unresolved(), planned.total_unresolved() + 1);
}
