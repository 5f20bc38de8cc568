//! The GraphQL contract: what can be asked, by whom, in which form, and what every answer looks like.

mod adopted;
mod arguments;
mod attacks;
mod backfill_files;
pub mod backfill_runs;
mod contract;
mod documents;
mod edge;
mod execution;
mod failures;
mod filters;
mod http;
mod introspection;
mod judged;
mod known;
mod limits;
pub mod pages;
mod paging;
mod quoting;
mod reading;
mod scope;
mod statements;
pub mod tokens;
mod transport;
mod validation;

use chrono::NaiveDateTime;
use entity::{annual_prediction, company, job, quarterly_prediction};
use reqwest::StatusCode;
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, prelude::Uuid};
use serde_json::{Value, json};
use tests::World;

/// Stores rows as they are.
pub async fn store<E>(world: &World, rows: impl IntoIterator<Item = E::Model>)
where
    E: EntityTrait,
    E::Model: IntoActiveModel<E::ActiveModel>,
    E::ActiveModel: Send,
{
    let rows = rows.into_iter().map(|row| row.into_active_model().reset_all());
    E::insert_many(rows).exec_without_returning(world.app.db.reader()).await.unwrap();
}

/// A time that the database keeps to the last digit.
pub fn at(text: &str) -> NaiveDateTime {
    text.parse().unwrap()
}

/// A finished annual job of the older program.
pub fn new_job(user: Uuid, organization: Option<Uuid>) -> job::Model {
    let time = Some(at("2026-01-02T03:04:05"));
    job::Model {
        id: Uuid::now_v7(),
        organization_id: organization,
        user_id: user,
        job_type: "annual".to_owned(),
        status: Some("completed".to_owned()),
        original_filename: "adopted.csv".to_owned(),
        file_size: Some(1000),
        total_rows: None,
        processed_rows: Some(0),
        successful_rows: Some(0),
        failed_rows: Some(0),
        error_message: None,
        error_details: None,
        celery_task_id: None,
        created_at: time,
        started_at: time,
        completed_at: time,
        updated_at: time,
        origin: None,
        ..job::Model::default()
    }
}

/// A company of somebody.
pub fn new_company(user: Uuid, organization: Option<Uuid>, symbol: &str, name: &str) -> company::Model {
    company::Model {
        id: Uuid::now_v7(),
        symbol: symbol.to_owned(),
        name: name.to_owned(),
        market_cap: "1234567.5".parse().unwrap(),
        sector: "Sector".to_owned(),
        organization_id: organization,
        access_level: "personal".to_owned(),
        created_by: Some(user),
        created_at: None,
        updated_at: None,
    }
}

/// An annual prediction of a company, without a job.
pub fn new_annual(company: &company::Model) -> annual_prediction::Model {
    let time = Some(at("2026-01-02T03:04:05"));
    annual_prediction::Model {
        id: Uuid::now_v7(),
        company_id: company.id,
        organization_id: company.organization_id,
        access_level: "personal".to_owned(),
        reporting_year: "2020".to_owned(),
        reporting_quarter: None,
        long_term_debt_to_total_capital: None,
        total_debt_to_ebitda: None,
        net_income_margin: None,
        ebit_to_interest_expense: None,
        return_on_assets: None,
        probability: "0.0123".parse().unwrap(),
        risk_level: "LOW".to_owned(),
        confidence: "0.9754".parse().unwrap(),
        predicted_at: time,
        created_by: company.created_by,
        created_at: time,
        updated_at: time,
        job_id: None,
        job_link: None,
    }
}

/// A quarterly prediction of a company, without a job.
pub fn new_quarterly(company: &company::Model) -> quarterly_prediction::Model {
    let time = Some(at("2026-01-02T03:04:05"));
    quarterly_prediction::Model {
        id: Uuid::now_v7(),
        company_id: company.id,
        organization_id: company.organization_id,
        access_level: "personal".to_owned(),
        reporting_year: "2020".to_owned(),
        reporting_quarter: "Q2".to_owned(),
        total_debt_to_ebitda: None,
        sga_margin: None,
        long_term_debt_to_total_capital: None,
        return_on_capital: None,
        logistic_probability: Some("0.0123".parse().unwrap()),
        gbm_probability: None,
        ensemble_probability: Some("0.0123".parse().unwrap()),
        risk_level: "LOW".to_owned(),
        confidence: "0.9754".parse().unwrap(),
        predicted_at: time,
        created_by: company.created_by,
        created_at: time,
        updated_at: time,
        job_id: None,
        job_link: None,
    }
}

/// The ids of a list's nodes.
pub fn ids(list: &Value) -> Vec<Uuid> {
    let nodes = list["nodes"].as_array().unwrap_or_else(|| panic!("no nodes: {list}"));
    nodes.iter().map(|node| node["id"].as_str().unwrap().parse().unwrap()).collect()
}

/// An answer as it came: status, media type, text.
pub async fn raw(request: reqwest::RequestBuilder) -> (StatusCode, String, String) {
    let response = request.send().await.unwrap();
    let kind =
        response.headers().get("content-type").map_or_else(String::new, |kind| kind.to_str().unwrap().to_owned());
    (response.status(), kind, response.text().await.unwrap())
}

/// The data of an answer, as text in the order in which it was sent.
pub async fn data_text(world: &World, query: &str, variables: Value) -> String {
    let (_, _, text) = raw(world.post().json(&json!({ "query": query, "variables": variables }))).await;
    let data = text.strip_prefix("{\"data\":").unwrap_or_else(|| panic!("no data first: {text}"));
    let end = data.rfind(",\"errors\":").unwrap_or(data.len() - 1);
    data[..end].to_owned()
}

/// The only error of an answer.
pub fn only_error(answer: &Value) -> &Value {
    let errors = answer["errors"].as_array().unwrap_or_else(|| panic!("no errors: {answer}"));
    assert_eq!(errors.len(), 1, "{answer}");
    &errors[0]
}

/// The code of an answer's only error, whose message is one sentence without a trace of the program.
pub fn code(answer: &Value) -> &str {
    let error = only_error(answer);
    says_one_sentence(error);
    error["extensions"]["code"].as_str().unwrap_or_else(|| panic!("no code: {answer}"))
}

/// Checks that an error's message is for people, and that it bears the request's id.
pub fn says_one_sentence(error: &Value) {
    let message = error["message"].as_str().unwrap_or_else(|| panic!("no message: {error}"));
    assert!(!message.is_empty() && !message.contains('\n'), "{error}");
    let ends_well = (message.ends_with('.') && !message.ends_with("?.")) || message.ends_with("\"?");
    assert!(ends_well && !message.chars().next().unwrap().is_lowercase(), "no sentence: {error}");
    for trace in
        ["SELECT", "Error", "::", "Some(", "None", "{", " --> ", "unwrap", "panicked", "sqlx", "Failed to parse"]
    {
        assert!(!message.contains(trace), "the program shows: {error}");
    }
    assert!(error["extensions"]["requestId"].is_string(), "no request id: {error}");
}

/// The program `joblink`, as it was built beside the tests.
pub fn program(arguments: &[&str]) -> std::process::Command {
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().unwrap().parent().unwrap().join("joblink");
    assert!(program.exists(), "the program is not built: cargo build");
    let mut command = std::process::Command::new(program);
    command.args(arguments);
    for setting in ["DATABASE_URL", "JOBLINK_LISTEN", "JOBLINK_AUTH", "JOBLINK_JWT_SECRET", "JOBLINK_ARTIFACTS"] {
        command.env_remove(setting);
    }
    command
}
