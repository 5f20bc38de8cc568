//! What an HTTP request is answered with.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{changes, negotiation::Media, run::Executed, sse};
use crate::server::{check::Unfit, observe::Seen, rejection};

/// What became of a request.
pub enum Answer {
    /// It was executed.
    Executed(Executed),
    /// Nothing was executed.
    Unfit(Unfit),
    /// A subscription, whose events come one after the other.
    Events(Body, Seen),
}

impl Answer {
    /// What is told of it.
    pub fn seen(&self) -> Seen {
        match self {
            Self::Events(_, seen) => seen.clone(),
            Self::Executed(executed) => executed.seen.clone(),
            Self::Unfit(unfit) => unfit.seen(),
        }
    }

    /// The answer in this form.
    pub fn response(self, media: Media) -> Response {
        let seen = self.seen();
        let changed = if let Self::Executed(executed) = &self { executed.changed } else { None };
        let mut response = self.in_form(media);
        if let Some(position) = changed {
            changes::tell(response.headers_mut(), position);
        }
        response.extensions_mut().insert(seen);
        response
    }

    fn in_form(self, media: Media) -> Response {
        match self {
            Self::Events(events, _) => respond(StatusCode::OK, Media::EventStream, events),
            Self::Executed(executed) if media == Media::EventStream => {
                respond(StatusCode::OK, media, sse::whole(&executed.body).into())
            }
            Self::Executed(executed) => respond(executed.status, media, executed.body.into()),
            Self::Unfit(unfit) => {
                let body = json!({ "errors": unfit.errors }).to_string();
                match media {
                    Media::GraphqlResponse => respond(unfit.status, media, body.into()),
                    Media::Json => respond(unfit.legacy_status, media, body.into()),
                    // What is wrong with a document is told in the stream: a browser shows its page nothing of an
                    // answer with another status.
                    Media::EventStream if unfit.legacy_status == StatusCode::OK => {
                        respond(StatusCode::OK, media, sse::whole(&body).into())
                    }
                    Media::EventStream => respond(unfit.status, Media::Json, body.into()),
                }
            }
        }
    }
}

fn respond(status: StatusCode, media: Media, body: Body) -> Response {
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media.content_type()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.append(header::VARY, HeaderValue::from_static("accept"));
    if media == Media::EventStream {
        // Some proxies would collect what comes bit by bit.
        headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    }
    rejection::set_headers(&mut response, status);
    response
}
