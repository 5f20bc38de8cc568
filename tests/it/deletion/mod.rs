//! Deleting jobs: all or nothing, once, with a receipt, and whatever else happens at the same time.

mod forced;
mod look_alikes;
mod many;
mod purge;
mod races;
mod refusals;
mod single;

use serde_json::{Value, json};
use tests::World;

/// A small file of a few companies and years: `rows` rows that can all be stored.
pub fn file(rows: usize) -> String {
    let header = "company_symbol,company_name,market_cap,sector,reporting_year,reporting_quarter,long_term_debt_to_total_capital,total_debt_to_ebitda,net_income_margin,ebit_to_interest_expense,return_on_assets\n";
    let row =
        |row: usize| format!("S{},Company {0},1000000,Industrials,{},Q4,10,1,5,10,3\n", row / 50, 1950 + row % 50);
    header.to_owned() + &(0..rows).map(row).collect::<String>()
}

pub const DELETE: &str = "mutation($id: ID!, $cascade: Boolean, $force: Boolean, $reason: String, $expected: Int) {
    deleteJob(id: $id, deletePredictions: $cascade, force: $force, reason: $reason, expectedPredictions: $expected) {
        deletedJobId
        receipt { id jobId jobStatus force deletePredictions deletedAnnualPredictions deletedQuarterlyPredictions
            releasedPredictions reason }
        job { id status }
        userErrors { code message field }
    } }";

/// Deletes a job as the built-in user and gives the payload.
pub async fn delete(world: &World, id: &str, arguments: Value) -> Value {
    world.data(DELETE, variables(id, arguments)).await["deleteJob"].take()
}

/// The variables of [`DELETE`].
pub fn variables(id: &str, arguments: Value) -> Value {
    let mut variables = arguments;
    variables["id"] = json!(id);
    variables
}

/// The code and message of a payload's only refusal.
pub fn refusal(payload: &Value) -> (&str, &str) {
    let errors = payload["userErrors"].as_array().unwrap();
    assert_eq!(errors.len(), 1, "{payload}");
    assert_eq!(payload["deletedJobId"], Value::Null, "{payload}");
    (errors[0]["code"].as_str().unwrap(), errors[0]["message"].as_str().unwrap())
}
