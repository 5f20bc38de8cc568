//! `joblink serve --demo`: a sample file through the real upload path.

use axum::{body::Body, http::Request};
use entity::job;
use sea_orm::{EntityTrait, PaginatorTrait};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use super::{Exit, serve::say};
use crate::{app::App, auth::Access, server};

/// Figures of companies that do not exist.
const SAMPLE: &str = include_str!("../../data/sample.csv");
const BOUNDARY: &str = "joblink-demo";

/// Sends the sample file, as a client would, if the database holds no job yet.
pub async fn load(app: &App, access: Access) -> Result<(), Exit> {
    let failed = |error: &dyn std::fmt::Display| Exit::failed("cannot load the sample", error);
    let jobs = job::Entity::find().count(app.db.reader()).await.map_err(|error| failed(&error))?;
    if jobs > 0 {
        say(format_args!("Sample    not loaded: the database holds jobs already"));
        return Ok(());
    }
    if !matches!(access, Access::Local) {
        return Err(Exit::Refused("--demo goes with --auth local alone".to_owned()));
    }
    let operations = r#"{"query":"mutation($file: Upload!){createJob(input:{kind:ANNUAL,source:{file:$file}}){userErrors{message}}}","variables":{"file":null}}"#;
    let body = format!(
        "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"operations\"\r\n\r\n{operations}\r\n\
         --{BOUNDARY}\r\ncontent-disposition: form-data; name=\"map\"\r\n\r\n{{\"0\":[\"variables.file\"]}}\r\n\
         --{BOUNDARY}\r\ncontent-disposition: form-data; name=\"0\"; filename=\"sample.csv\"\r\n\r\n{SAMPLE}\r\n\
         --{BOUNDARY}--\r\n"
    );
    let request = Request::post("/graphql")
        .header("host", "localhost")
        .header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"))
        .header("apollo-require-preflight", "1")
        .body(Body::from(body))
        .map_err(|error| failed(&error))?;
    let routes = server::routes(
        app.clone(),
        access.into(),
        TaskTracker::new(),
        CancellationToken::new(),
        CancellationToken::new(),
    );
    let response = routes.oneshot(request).await.map_err(|error| failed(&error))?;
    let body = axum::body::to_bytes(response.into_body(), 1_000_000).await.map_err(|error| failed(&error))?;
    let answer: serde_json::Value = serde_json::from_slice(&body).map_err(|error| failed(&error))?;
    if answer["data"]["createJob"]["userErrors"].as_array().is_some_and(Vec::is_empty) {
        say(format_args!("Sample    sample.csv is a job now; its predictions are a moment away"));
        Ok(())
    } else {
        Err(failed(&answer))
    }
}
