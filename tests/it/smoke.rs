//! A file in, its predictions seen, the job deleted with them.

use serde_json::json;
use tests::{Engine, World};

tests::on_both!(a_file_becomes_predictions_and_goes_with_its_job);

const FILE: &str = "company_symbol,company_name,market_cap,sector,reporting_year,reporting_quarter,long_term_debt_to_total_capital,total_debt_to_ebitda,net_income_margin,ebit_to_interest_expense,return_on_assets
ACME,Acme,1000000,Industrials,2020,Q4,10,1,5,10,3
ACME,Acme,1000000,Industrials,2021,Q4,10,,5,10,3
ACME,Acme,1000000,Industrials,2021,Q4,10,,5,10,3
";

async fn a_file_becomes_predictions_and_goes_with_its_job(engine: Engine) {
    let world = World::new(engine).await;
    let id = world.upload("ANNUAL", "acme.csv", FILE).await;
    world.check_invariants().await;

    let query = "query($id: ID!) { job(id: $id) { status progress { total processed succeeded failed }
        predictions { totalCount nodes { reportingYear company { symbol } linkSource job { id } } }
        rowErrors { nodes { line code } } } }";
    let job = &world.data(query, json!({ "id": id })).await["job"];
    assert_eq!(job["status"], "COMPLETED");
    assert_eq!(job["progress"], json!({ "total": 3, "processed": 3, "succeeded": 2, "failed": 1 }));
    assert_eq!(job["predictions"]["totalCount"], 2);
    assert_eq!(job["predictions"]["nodes"][1]["job"]["id"], json!(id));
    assert_eq!(job["rowErrors"]["nodes"], json!([{ "line": 4, "code": "DUPLICATE" }]));

    let delete = "mutation($id: ID!) { deleteJob(id: $id, deletePredictions: true, expectedPredictions: 2) {
        deletedJobId receipt { deletedAnnualPredictions artifacts { total } } userErrors { message } } }";
    let deleted = &world.data(delete, json!({ "id": id })).await["deleteJob"];
    assert_eq!(deleted["deletedJobId"], json!(id));
    assert_eq!(deleted["receipt"], json!({ "deletedAnnualPredictions": 2, "artifacts": { "total": 3 } }));
    world.purged().await;
    assert_eq!(world.app.store.keys().await.unwrap(), Vec::<String>::new());
    assert_eq!(world.count("SELECT count(*) FROM annual_predictions").await, 0);
    world.check_invariants().await;
}
