//! What a reader and a writer feel while `migration up` and `migration backfill run` work on the tables they use.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use sea_orm::sqlx::PgConnection;

use crate::{
    figures::{Sorted, limit, ms, print_table, thousands},
    past::{Copy, Past, run},
    tool::migration,
};

const ROWS: usize = 2_000_000;
/// How long the tables are used before and after.
const AROUND: Duration = Duration::from_secs(30);
/// How long what disturbs them is watched at the most; a run of the backfill is broken off then, which it survives.
const DURING: Duration = Duration::from_mins(4);
/// How often a reader and a writer do something.
const EVERY: Duration = Duration::from_millis(10);
/// How many times as long as before 99 % of the writes may take during a run of the backfill.
const MOST_TIMES: f64 = 2.0;

const WRITE: &str = "INSERT INTO annual_predictions (id, company_id, organization_id, access_level, reporting_year, probability, risk_level,
    confidence, predicted_at, created_by, created_at) SELECT gen_random_uuid(), c.id, c.organization_id, 'organization', '2030', 0.01, 'LOW', 0.98,
    now() AT TIME ZONE 'UTC', u.id, now() FROM companies c, users u WHERE c.id = md5('company1 0')::uuid AND u.id = md5('user0')::uuid";
const READ: &str =
    "SELECT * FROM annual_predictions WHERE organization_id = md5('organization1')::uuid ORDER BY id LIMIT 20";

/// Measures and prints; `false`: a figure is beyond its limit.
pub async fn measure(postgres: &str) -> Result<bool> {
    let mut kept = true;
    let mut rows = Vec::new();
    // The tables as an older program left them, then with Joblink's columns.
    for (what, migrated, arguments) in
        [("migration up", false, &["up"][..]), ("migration backfill run", true, &["backfill", "run", "--json"])]
    {
        let mut past = Past::make(postgres, ROWS, migrated).await?;
        eprintln!("using the tables before, during and after {what}");
        let copy = past.copy().await?;
        let folder = past.folder().to_str().context("a folder without a name")?;
        let mut arguments = arguments.to_vec();
        if migrated {
            arguments.extend(["--sources", folder]);
        }
        let [writes, reads] = measure_phases(&copy, &arguments).await?;
        for (who, phases) in [("writer", writes), ("reader", reads)] {
            let [before, during, after] = phases.map(|times| Sorted::of(times).quantile(0.99));
            let times = during / before;
            let limited = migrated && who == "writer";
            rows.push(vec![
                what.to_owned(),
                who.to_owned(),
                thousands(ROWS),
                ms(before),
                ms(during),
                ms(after),
                format!("{times:.2}"),
                if limited {
                    limit(&format!("{MOST_TIMES} times"), times <= MOST_TIMES, &mut kept)
                } else {
                    "none".to_owned()
                },
            ]);
        }
        past.drop_copy(copy).await?;
        past.drop().await?;
    }
    print_table(
        "99 % of the statements of others",
        &["during", "of a", "predictions", "before", "during", "after", "times", "limit"],
        &rows,
    );
    Ok(kept)
}

/// Times in milliseconds of a writer and of a reader: before, during, after.
async fn measure_phases(copy: &Copy, arguments: &[&str]) -> Result<[[Vec<f64>; 3]; 2]> {
    let [mut write_session, mut read_session] = [copy.connect().await?, copy.connect().await?];
    let (mut writes, mut reads): ([Vec<f64>; 3], [Vec<f64>; 3]) = Default::default();
    for phase in 0..3 {
        let others = async {
            tokio::join!(
                use_it(&mut write_session, WRITE, &mut writes[phase]),
                use_it(&mut read_session, READ, &mut reads[phase])
            )
        };
        if phase == 1 {
            tokio::select! {
                ended = migration(&copy.url, arguments) => { ended?; }
                () = tokio::time::sleep(DURING) => {}
                (write, read) = others => { write?; read?; }
            }
        } else {
            tokio::select! {
                () = tokio::time::sleep(AROUND) => {}
                (write, read) = others => { write?; read?; }
            }
        }
        // A statement that was broken off leaves its connection in an unknown state.
        [write_session, read_session] = [copy.connect().await?, copy.connect().await?];
    }
    Ok([writes, reads])
}

/// Runs a statement again and again, and notes how long each took. Does not end.
async fn use_it(db: &mut PgConnection, sql: &str, times: &mut Vec<f64>) -> Result<()> {
    let mut due = tokio::time::interval(EVERY);
    due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        due.tick().await;
        let began = Instant::now();
        run(db, sql).await?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
}
