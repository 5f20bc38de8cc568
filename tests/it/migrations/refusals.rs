//! What `migration` refuses, with exit code 3, by name and without changing anything.

use tests::Engine;

use super::{
    catalogue::same,
    site::{ADOPTED, Site},
};

tests::on_both!(
    fresh_refresh_and_reset_refuse_on_an_adopted_database,
    a_table_in_the_way_that_lacks_a_column_is_refused_by_name,
    nothing_is_lost_without_yes,
);

async fn fresh_refresh_and_reset_refuse_on_an_adopted_database(engine: Engine) {
    let site = Site::adopted(engine).await;
    let all = "organizations, users, organization_member_whitelist, companies, bulk_upload_jobs, annual_predictions, quarterly_predictions";
    for migrated in [false, true] {
        for command in ["fresh", "refresh", "reset"] {
            // Before the question: an answer to it could not help.
            for arguments in [&[command][..], &[command, "--yes"]] {
                assert_eq!(
                    site.refused(arguments).await,
                    format!(
                        "{command} would drop tables that Joblink did not make (tenants, {all}); \
                         use `migration down`, which drops only what Joblink made"
                    )
                );
            }
        }
        if !migrated {
            site.migrated(&["up"]).await;
        }
    }
}

async fn a_table_in_the_way_that_lacks_a_column_is_refused_by_name(engine: Engine) {
    for table in ADOPTED {
        let site = Site::empty(engine).await;
        site.run(&format!(
            "CREATE TABLE {table} (id varchar(36), name text); INSERT INTO {table} VALUES ('1', 'mine')"
        ))
        .await;
        let message = site.refused(&["up"]).await;
        let (start, end) = message.split_once("it lacks ").expect(&message);
        assert_eq!(start, format!("table {table} is not the one that Joblink adopts: "));
        assert!(end.ends_with("; rename it or use another database or schema"), "{message}");
        assert!(end.contains("created_at") || end.contains("added_at"), "{message}");
        // A table with all columns but one is none either.
        let site = Site::adopted(engine).await;
        let column = if table == "organization_member_whitelist" { "status" } else { "created_at" };
        if table == "bulk_upload_jobs" {
            site.run("DROP INDEX idx_bulk_job_created").await;
        }
        site.run(&format!("ALTER TABLE {table} DROP COLUMN {column}")).await;
        assert_eq!(
            site.refused(&["up"]).await,
            format!(
                "table {table} is not the one that Joblink adopts: it lacks {column}; \
                 rename it or use another database or schema"
            )
        );
    }
}

async fn nothing_is_lost_without_yes(engine: Engine) {
    let site = Site::made(engine).await;
    let (place, end) = (migration::place(&site.url), "; run it again with --yes to go on");
    let ledger = site.ledger().await;
    let [.., before, last] = &ledger[..] else { panic!("{ledger:?}") };
    let loss = format!(", with the columns and tables of each and what they hold, in {place}");
    assert_eq!(site.refused(&["down"]).await, format!("this takes back {last}{loss}{end}"));
    assert_eq!(site.refused(&["down", "-n", "2"]).await, format!("this takes back {last}, {before}{loss}{end}"));
    for command in ["fresh", "refresh", "reset"] {
        assert_eq!(
            site.refused(&[command]).await,
            format!("this drops every job and every prediction in {place}{end}")
        );
    }
}

#[tokio::test]
async fn ratios_are_not_narrowed_while_a_value_would_not_fit() {
    let site = Site::adopted(Engine::Postgres).await;
    site.migrated(&["up", "--num", "4"]).await;
    let narrow = site.schema().await;
    site.migrated(&["up", "--num", "1"]).await;
    site.run(
        "UPDATE annual_predictions SET return_on_assets = 100000000.0 WHERE risk_level = 'LOW';
         UPDATE annual_predictions SET net_income_margin = 'NaN' WHERE risk_level <> 'LOW'",
    )
    .await;
    let refusal = |table, rows| {
        format!("rows of {table} with a ratio of a million or more, which the narrower columns cannot hold: {rows}")
    };
    let annual = refusal("annual_predictions", 2);
    assert_eq!(site.refused(&["down", "--yes"]).await, annual);
    site.run("UPDATE quarterly_predictions SET sga_margin = -1000000 WHERE reporting_quarter = 'Q2'").await;
    let quarterly = refusal("quarterly_predictions", 1);
    assert_eq!(site.refused(&["down", "--yes"]).await, format!("{annual}; {quarterly}"));
    // A table that fits is not narrowed while the other one does not.
    site.run("UPDATE annual_predictions SET return_on_assets = -999999.9999 WHERE risk_level = 'LOW'").await;
    assert_eq!(site.refused(&["down", "--yes"]).await, quarterly);
    site.run("UPDATE quarterly_predictions SET sga_margin = 999999.9999").await;
    let columns = site.columns().await;
    let data = site.data_in(&columns).await;
    site.migrated(&["down", "--yes"]).await;
    same(&site.schema().await, &narrow, "narrow again");
    assert_eq!(site.data_in(&columns).await, data);
}

#[tokio::test]
async fn an_index_of_the_same_name_on_another_table_is_not_dropped() {
    let site = Site::adopted(Engine::Postgres).await;
    site.run("CREATE INDEX idx_annual_job ON companies (sector)").await;
    let ended = site.migration(&["up"]).await;
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.err.ends_with("migration: relation \"idx_annual_job\" already exists\n"), "{ended:?}");
    assert_eq!(
        site.strings("SELECT tablename::text FROM pg_indexes WHERE indexname = 'idx_annual_job'").await,
        ["companies"]
    );
}

#[tokio::test]
async fn views_that_read_a_column_to_be_widened_are_named() {
    let site = Site::adopted(Engine::Postgres).await;
    site.run(
        "CREATE VIEW margins AS SELECT company_id, net_income_margin FROM annual_predictions;
         CREATE VIEW years AS SELECT reporting_year, risk_level FROM annual_predictions;
         CREATE MATERIALIZED VIEW debts AS SELECT total_debt_to_ebitda FROM quarterly_predictions",
    )
    .await;
    let refusal = |table, view| {
        format!(
            "the type of ratios of {table} cannot change while views read them ({view}); \
             drop these views, run this again, and then make them anew"
        )
    };
    let (annual, quarterly) = (refusal("annual_predictions", "margins"), refusal("quarterly_predictions", "debts"));
    assert_eq!(site.refused(&["up"]).await, format!("{annual}; {quarterly}"));
    site.run("DROP VIEW margins; DROP MATERIALIZED VIEW debts").await;
    site.migrated(&["up"]).await;
    site.run("CREATE VIEW margins AS SELECT company_id, net_income_margin FROM annual_predictions").await;
    assert_eq!(site.refused(&["down", "--num", "99", "--yes"]).await, annual);
}

#[tokio::test]
async fn something_of_the_name_of_a_table_of_joblinks_own_is_named() {
    for thing in ["TABLE audit_log AS SELECT 1 AS id", "VIEW audit_log AS SELECT 1 AS id"] {
        let site = Site::adopted(Engine::Postgres).await;
        site.run(&format!("CREATE {thing}")).await;
        assert_eq!(
            site.refused(&["up"]).await,
            "audit_log is in the way of Joblink's own table of that name, because it lacks at, actor_id, \
             organization_id, action, target_id, outcome, code, detail, request_id; \
             rename it or use another database or schema"
        );
    }
}

#[tokio::test]
async fn ratios_of_another_type_are_not_rounded() {
    let site = Site::adopted(Engine::Postgres).await;
    site.run("ALTER TABLE quarterly_predictions ALTER COLUMN sga_margin TYPE numeric(15,6)").await;
    assert_eq!(
        site.refused(&["up"]).await,
        "ratios of quarterly_predictions are not numeric(10,4) (sga_margin numeric(15,6)), and to change them would \
         round them and rewrite the table; change their type yourself to numeric(20,4), then run this again"
    );
    site.run("ALTER TABLE quarterly_predictions ALTER COLUMN sga_margin TYPE numeric(20,4)").await;
    site.migrated(&["up"]).await;
}

#[tokio::test]
async fn no_table_is_made_in_front_of_one_that_is_there() {
    let site = Site::adopted(Engine::Postgres).await;
    let name = site.url.rsplit_once('/').unwrap().1;
    site.run(&format!("CREATE SCHEMA joe; ALTER DATABASE {name} SET search_path = joe, public")).await;
    assert_eq!(
        site.refused(&["up"]).await,
        "tables of an existing installation are in the schema public, but new ones would be made in the schema joe; \
         name the right one with --database-schema"
    );
    site.migrated(&["up", "--database-schema", "public"]).await;
    let ended = site.migration(&["up", "--database-schema", "nowhere"]).await;
    assert_eq!(
        (ended.code, ended.err.as_str()),
        (1, "migration: the database has no schema nowhere; create it, or name another one\n")
    );
}
