//! Spans on their way out: a collector that is away is told of once in a while, and is no reason for more.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use opentelemetry_otlp::SpanExporter as Otlp;
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SpanData, SpanExporter},
};

use super::send::Failure;

/// How often at most it is said that spans cannot be sent.
const SAID_EVERY: Duration = Duration::from_mins(1);
/// What the database says of a failed statement, which may quote values.
const NOT_SENT: &str = "exception.message";

/// Sends spans, and lets go of those that cannot be sent.
#[derive(Debug)]
pub struct Patient {
    exporter: Otlp,
    /// Where they go, as it is shown.
    place: String,
    failure: Failure,
    trouble: Mutex<Trouble>,
}

#[derive(Debug, Default)]
struct Trouble {
    /// When it was said last, since spans could be sent.
    said: Option<Instant>,
    /// Spans that were let go of since then.
    lost: usize,
}

impl Patient {
    /// Around an exporter to a `place`, whose client tells of its failures.
    pub fn new(exporter: Otlp, place: String, failure: Failure) -> Self {
        Self { exporter, place, failure, trouble: Mutex::default() }
    }

    fn tell(&self, sent: bool, spans: usize) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let place = &self.place;
        if sent {
            if trouble.said.is_some() {
                tracing::info!("traces are sent to {place} again");
                *trouble = Trouble::default();
            }
            return;
        }
        trouble.lost += spans;
        if trouble.said.is_none_or(|at| at.elapsed() >= SAID_EVERY) {
            let lost = std::mem::take(&mut trouble.lost);
            tracing::warn!(
                "traces cannot be sent to {place}: {}; spans lost since this was said last: {lost}",
                self.failure
            );
            trouble.said = Some(Instant::now());
        }
    }
}

impl SpanExporter for Patient {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        for span in &mut batch {
            span.attributes.retain(|attribute| attribute.key.as_str() != NOT_SENT);
        }
        let spans = batch.len();
        let sent = self.exporter.export(batch).await;
        self.tell(sent.is_ok(), spans);
        // What is lost is lost; the library would say so once for each batch.
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
