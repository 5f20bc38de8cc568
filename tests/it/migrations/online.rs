//! `up` on a PostgreSQL database in use: nobody waits longer than the lock timeout, whoever holds what for however long.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use migration::step::LOCK_TIMEOUT;
use sea_orm::DatabaseConnection;
use tests::Engine;
use tokio::task::JoinHandle;

use super::{
    catalogue::same,
    program::start,
    site::{Site, run, until},
};

/// What a busy machine may add to the lock timeout.
const ALLOWANCE: Duration = Duration::from_millis(500);
/// Something of an older program that goes on all the time.
const WRITES: &str = "
    INSERT INTO bulk_upload_jobs (id, user_id, job_type, status, original_filename)
    VALUES (gen_random_uuid(), '00000000-0000-4000-8000-000000000031', 'annual', 'pending', 'busy.csv');
    INSERT INTO annual_predictions (id, company_id, access_level, reporting_year, probability, risk_level, confidence)
    VALUES (gen_random_uuid(), '00000000-0000-4000-8000-000000000051', 'personal', '2020', 0.01, 'LOW', 0.98);
    INSERT INTO quarterly_predictions
        (id, company_id, access_level, reporting_year, reporting_quarter, risk_level, confidence)
    VALUES (gen_random_uuid(), '00000000-0000-4000-8000-000000000051', 'personal', '2020', 'Q1', 'LOW', 0.98)";
const READS: &str = "
    SELECT count(*) FROM annual_predictions; SELECT count(*) FROM quarterly_predictions;
    SELECT count(*) FROM bulk_upload_jobs";

/// Somebody who runs statements, one after the other, until it is stopped.
struct Busy {
    done: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    longest: JoinHandle<Duration>,
}

impl Busy {
    async fn start(site: &Site, statements: &'static str) -> Self {
        let (db, done, stop) = (site.session().await, Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let longest = tokio::spawn(work(db, statements, done.clone(), stop.clone()));
        Self { done, stop, longest }
    }

    /// Waits until it has done some more.
    async fn goes_on(&self) {
        let wanted = self.done.load(Ordering::Relaxed) + 30;
        until("others go on", async || (self.done.load(Ordering::Relaxed) >= wanted).then_some(())).await;
    }

    /// The longest that one of its statements took.
    async fn longest(self) -> Duration {
        self.stop.store(true, Ordering::Relaxed);
        self.longest.await.unwrap()
    }
}

async fn work(
    db: DatabaseConnection,
    statements: &'static str,
    done: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
) -> Duration {
    let mut longest = Duration::ZERO;
    while !stop.load(Ordering::Relaxed) {
        for statement in statements.split(';') {
            let began = Instant::now();
            run(&db, statement).await;
            longest = longest.max(began.elapsed());
            done.fetch_add(1, Ordering::Relaxed);
        }
    }
    longest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn up_waits_for_long_transactions_and_nobody_waits_for_up() {
    let site = Site::adopted(Engine::Postgres).await;
    let (reader, report, uploader) = (site.session().await, site.session().await, site.session().await);
    // Holds a lock on the table; holds an old snapshot; holds a lock on the table that is referred to.
    run(&reader, "BEGIN; SELECT count(*) FROM annual_predictions").await;
    run(&report, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM tenants").await;
    run(&uploader, &format!("BEGIN; {}", WRITES.split(';').next().unwrap())).await;
    let others = [Busy::start(&site, WRITES).await, Busy::start(&site, READS).await];
    for other in &others {
        other.goes_on().await;
    }

    let mut up = start("migration", &site.url, &["up"]);
    let held = "m0002_annual_job_id: others hold annual_predictions, trying again in ";
    until("up tries the column again", async || (up.err().matches(held).count() >= 3).then_some(())).await;
    assert_eq!(up.code(), None, "{}", up.err());
    run(&reader, "COMMIT").await;

    waits_for_snapshots(&site, "idx_annual_job").await;
    for other in &others {
        other.goes_on().await;
    }
    waits_for_snapshots(&site, "idx_annual_job").await;
    assert_eq!(up.code(), None, "{}", up.err());
    run(&report, "COMMIT").await;

    let held = "m0002_annual_job_id: others hold annual_predictions or bulk_upload_jobs, trying again in ";
    until("up tries the key again", async || (up.err().matches(held).count() >= 2).then_some(())).await;
    assert_eq!(up.code(), None, "{}", up.err());
    run(&uploader, "COMMIT").await;

    assert_eq!(up.ended().await, 0, "{}", up.err());
    for other in others {
        let longest = other.longest().await;
        assert!(longest < LOCK_TIMEOUT + ALLOWANCE, "somebody waited for {longest:?}\n{}", up.err());
    }
    same(&site.schema().await, &Site::made(Engine::Postgres).await.schema().await, "online");
    assert_eq!(site.count("SELECT count(*) FROM pg_index WHERE NOT indisvalid").await, 0);
}

/// Waits until the making of an index waits for older transactions.
pub async fn waits_for_snapshots(site: &Site, index: &str) {
    let waiting = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'virtualxid'
         AND query LIKE 'CREATE INDEX CONCURRENTLY {index} %'"
    );
    until("the index waits for older transactions", async || (site.count(&waiting).await == 1).then_some(())).await;
}
