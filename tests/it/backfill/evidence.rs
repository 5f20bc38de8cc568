//! Where the evidence comes from: the operator's list, files by their names or in the artifact store, receipts.

use migration::backfill::{Pace, Settings, plan, run};
use sea_orm::{ConnectionTrait, Statement, prelude::Uuid};
use tests::Engine;

use super::{execute, jobs, links, simulated, with_sources};
use crate::migrations::site::Site;

tests::on_both!(
    the_operators_list_decides_and_never_across_owners,
    the_operators_list_may_name_company_and_period,
    files_are_found_by_id_by_name_and_in_the_artifact_store,
    a_receipt_keeps_the_rows_of_its_job_from_a_neighbour,
    a_job_that_hung_for_months_takes_nothing_from_those_of_that_time,
);

async fn the_operators_list_decides_and_never_across_owners(engine: Engine) {
    let (site, past) = simulated(engine, 3).await;
    let jobs = jobs(&site).await;
    let (mine, job) = past.truth.iter().find_map(|(id, job)| job.map(|job| (*id, job))).unwrap();
    let (user, organization) = jobs[&job];
    let (other, _) = jobs.iter().find(|(_, owner)| owner.0 != user && owner.1 != organization).unwrap();
    let (stranger, _) = past.truth.iter().find(|(id, truth)| **id != mine && **truth == Some(job)).unwrap();
    let file = past.sources.path().join("manifest.csv");
    std::fs::write(&file, format!("prediction_id,job_id\n{mine},{job}\n{stranger},{other}\n")).unwrap();
    let settings = Settings { manifest: Some(file), ..Settings::default() };
    let outcome = run(&site.db, &settings, Pace::default()).await.unwrap();
    assert_eq!(links(&site).await, [(mine, (job, "manifest".to_owned()))].into());
    assert_eq!(outcome.report.unresolved["contradicted"], 1);
    assert_eq!(outcome.report.listed, 2);
    assert!(outcome.report.text("linked").contains("your list names 2 predictions: 1 by it; the rest are"));
}

async fn the_operators_list_may_name_company_and_period(engine: Engine) {
    let (site, past) = simulated(engine, 8).await;
    let rows = predictions(&site).await;
    // The only prediction of its owner about that company and year, made by a job after which the owner began another.
    let of = |row: &Named| (row.owner, row.symbol.clone(), row.year.clone());
    let mut found = None;
    for row in rows.iter().filter(|row| past.truth[&row.id].is_some()) {
        if rows.iter().filter(|other| of(other) == of(row)).count() == 1
            && let Some(later) = job_begun_after(&site, row).await
        {
            found = Some((row, later));
            break;
        }
    }
    let (row, later) = found.unwrap();
    let job = past.truth[&row.id].unwrap();
    let list = |lines: &[String]| {
        let file = past.sources.path().join("periods.csv");
        let text = format!("company_symbol,reporting_year,reporting_quarter,job_id\n{}\n", lines.join("\n"));
        std::fs::write(&file, text).unwrap();
        Settings { manifest: Some(file), ..Settings::default() }
    };
    let (symbol, year) = (row.symbol.to_lowercase(), &row.year);
    // Whoever only lists it did not make it; nor did a job that nobody knows, or one for a company that nobody has.
    let nobody = Uuid::now_v7();
    let idle =
        [format!("{symbol},{year},Q4,{later}"), format!("NONE,{year},Q4,{job}"), format!("{symbol},{year},,{nobody}")];
    assert_eq!(plan(&site.db, &list(&idle)).await.unwrap().total_linked(), 0);

    let settings = list(&[&idle[..], &[format!("{symbol},{year},Q4,{job}")]].concat());
    run(&site.db, &settings, Pace::default()).await.unwrap();
    assert_eq!(links(&site).await, [(row.id, (job, "manifest".to_owned()))].into());

    let sql = "INSERT INTO annual_predictions (id, company_id, organization_id, access_level, reporting_year, \
               reporting_quarter, probability, risk_level, confidence, predicted_at, created_by, created_at) \
               SELECT $1, company_id, organization_id, access_level, reporting_year, reporting_quarter, probability, \
               risk_level, confidence, predicted_at, created_by, created_at FROM annual_predictions WHERE id = $2";
    assert_eq!(execute(&site, sql, vec![Uuid::now_v7().into(), row.id.into()]).await, 1);
    let error = plan(&site.db, &settings).await.unwrap_err().to_string();
    assert!(error.contains("line 5: 2 predictions of "), "{error}");
    assert!(error.ends_with(" can be meant; name one by its prediction_id"), "{error}");
}

async fn a_job_that_hung_for_months_takes_nothing_from_those_of_that_time(engine: Engine) {
    let (site, past) = simulated(engine, 9).await;
    let settings = with_sources(past.sources.path());
    let without = plan(&site.db, &settings).await.unwrap().total_linked();
    // One for each user: somebody cancelled it at last.
    let hung = "INSERT INTO bulk_upload_jobs (id, organization_id, user_id, job_type, status, original_filename, total_rows, \
                processed_rows, successful_rows, failed_rows, created_at, started_at, completed_at, updated_at) \
                VALUES ($1, $2, $3, 'annual', 'cancelled', 'hung.csv', 7777, 0, 0, 0, $4, $4, $5, $5)";
    let owners: std::collections::BTreeSet<_> = jobs(&site).await.into_values().collect();
    let [from, to] =
        ["2025-03-01T00:00:00", "2025-09-01T00:00:00"].map(|at| at.parse::<chrono::NaiveDateTime>().unwrap());
    for (user, organization) in &owners {
        let values = vec![Uuid::now_v7().into(), (*organization).into(), (*user).into(), from.into(), to.into()];
        execute(&site, hung, values).await;
    }
    let outcome = run(&site.db, &settings, Pace::default()).await.unwrap();
    assert_eq!(outcome.report.total_linked(), without);
    assert!(links(&site).await.iter().all(|(id, (job, _))| past.truth[id] == Some(*job)));
}

/// A job of the same owner that began after a prediction was made.
async fn job_begun_after(site: &Site, row: &Named) -> Option<Uuid> {
    let sql = "SELECT id FROM bulk_upload_jobs WHERE user_id = $1 \
               AND started_at > (SELECT predicted_at FROM annual_predictions WHERE id = $2) LIMIT 1";
    let values = [row.owner.into(), row.id.into()];
    let statement = Statement::from_sql_and_values(site.db.get_database_backend(), sql, values);
    site.db.query_one_raw(statement).await.unwrap().map(|found| found.try_get_by_index(0).unwrap())
}

/// A prediction as an operator would name it.
struct Named {
    id: Uuid,
    owner: Uuid,
    symbol: String,
    year: String,
}

async fn predictions(site: &Site) -> Vec<Named> {
    let sql = "SELECT p.id, p.created_by, c.symbol, p.reporting_year FROM annual_predictions p \
               JOIN companies c ON c.id = p.company_id ORDER BY p.id";
    let rows = site.db.query_all_raw(Statement::from_string(site.db.get_database_backend(), sql)).await.unwrap();
    let named = |row: &sea_orm::QueryResult| Named {
        id: row.try_get_by_index(0).unwrap(),
        owner: row.try_get_by_index(1).unwrap(),
        symbol: row.try_get_by_index(2).unwrap(),
        year: row.try_get_by_index(3).unwrap(),
    };
    rows.iter().map(named).collect()
}

async fn files_are_found_by_id_by_name_and_in_the_artifact_store(engine: Engine) {
    let (site, past) = simulated(engine, 9).await;
    let by_id = plan(&site.db, &with_sources(past.sources.path())).await.unwrap();
    assert!(by_id.total_linked() > 500, "{by_id:?}");
    let (names, store) = (tempfile::TempDir::new().unwrap(), tempfile::TempDir::new().unwrap());
    for job in jobs(&site).await.keys() {
        let Ok(file) = std::fs::read(past.sources.path().join(format!("{job}.csv"))) else { continue };
        let sql = "SELECT original_filename FROM bulk_upload_jobs WHERE id = $1";
        let statement = Statement::from_sql_and_values(site.db.get_database_backend(), sql, [(*job).into()]);
        let name: String = site.db.query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap();
        std::fs::write(names.path().join(name), &file).unwrap();
        let folder = store.path().join(format!("jobs/{job}/input"));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(Uuid::now_v7().to_string()), &file).unwrap();
    }
    assert_eq!(plan(&site.db, &with_sources(names.path())).await.unwrap(), by_id);
    let artifacts = Some(store.path().to_str().unwrap().to_owned());
    let settings = Settings { artifacts, ..Settings::default() };
    assert_eq!(plan(&site.db, &settings).await.unwrap(), by_id);
    assert_eq!(run(&site.db, &settings, Pace::default()).await.unwrap().report, by_id);
}

async fn a_receipt_keeps_the_rows_of_its_job_from_a_neighbour(engine: Engine) {
    let (site, past) = simulated(engine, 10).await;
    let settings = Settings { accept_time_window: true, ..Settings::default() };
    let before = plan(&site.db, &settings).await.unwrap();
    let gone: Vec<Uuid> =
        before.decisions.values().filter(|decision| decision.linked > 0).map(|decision| decision.job).take(4).collect();
    assert_eq!(gone.len(), 4);
    let world =
        tests::World::with(engine, tests::Setup { url: Some(site.url.clone()), ..tests::Setup::default() }).await;
    for job in &gone {
        let query = format!("mutation {{ deleteJob(id: \"{job}\") {{ deletedJobId userErrors {{ message }} }} }}");
        let data = world.data(&query, serde_json::json!({})).await;
        assert_eq!(data["deleteJob"]["deletedJobId"], job.to_string(), "{data}");
    }
    run(&site.db, &settings, Pace::default()).await.unwrap();
    let links = links(&site).await;
    for (id, (job, _)) in &links {
        assert!(past.truth[id].is_none_or(|made| !gone.contains(&made)), "a row of a deleted job went to {job}");
    }
    assert!(!links.is_empty());
}

#[tokio::test]
async fn a_ratio_that_is_no_number_is_left_and_stops_nothing() {
    let (site, past) = simulated(Engine::Postgres, 14).await;
    let settings = with_sources(past.sources.path());
    let linked = plan(&site.db, &settings).await.unwrap().total_linked();
    site.run("UPDATE annual_predictions SET net_income_margin = 'NaN' WHERE net_income_margin IS NOT NULL").await;
    let planned = plan(&site.db, &settings).await.unwrap();
    assert!(planned.total_linked() < linked);
}
