//! A collector of OpenTelemetry that takes traces by OTLP over HTTP, or hangs.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};
use prost::Message;
use tokio::net::TcpListener;

#[derive(Clone, Default)]
pub struct Collector {
    taken: Arc<Mutex<Vec<Bytes>>>,
    hangs: bool,
    address: Option<SocketAddr>,
}

impl Collector {
    /// One that takes what it is sent.
    pub async fn new() -> Self {
        Self::default().begin().await
    }

    /// One that never answers.
    pub async fn hanging() -> Self {
        Self { hangs: true, ..Self::default() }.begin().await
    }

    async fn begin(mut self) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.address = Some(listener.local_addr().unwrap());
        let routes = Router::new().route("/v1/traces", post(take)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        self
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address.unwrap())
    }

    /// How often it was sent something.
    pub fn asked(&self) -> usize {
        self.taken.lock().unwrap().len()
    }

    /// What it was sent, as it came.
    pub fn bytes(&self) -> Vec<u8> {
        self.taken.lock().unwrap().concat()
    }

    fn requests(&self) -> Vec<ExportTraceServiceRequest> {
        let taken = self.taken.lock().unwrap();
        taken.iter().map(|bytes| ExportTraceServiceRequest::decode(bytes.clone()).unwrap()).collect()
    }

    pub fn spans(&self) -> Vec<Span> {
        let resources = self.requests().into_iter().flat_map(|request| request.resource_spans);
        resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
    }

    /// Who sent it.
    pub fn resource(&self) -> BTreeMap<String, String> {
        attributes(&self.requests()[0].resource_spans[0].resource.as_ref().unwrap().attributes)
    }
}

async fn take(State(own): State<Collector>, headers: HeaderMap, body: Bytes) {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    own.taken.lock().unwrap().push(body);
    if own.hangs {
        std::future::pending::<()>().await;
    }
}

pub fn attributes(all: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |value: &KeyValue| match value.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("{other:?}"),
    };
    all.iter().map(|each| (each.key.clone(), text(each))).collect()
}
