//! GraphQL over WebSocket, by the protocol `graphql-transport-ws`
//! (<https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md>).
//!
//! The library's own handler knows none of its close codes but 4429, has no limit of operations, and executes what was
//! not checked here, so this is ours.

mod connection;
mod message;
mod operation;

use axum::{
    extract::{
        Request, State,
        ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::header,
    response::Response,
};
use tracing::{Instrument, Span};

use self::message::Close;
use super::{Edge, access, graphql, own_pages, rate, request_span::RequestId};
use crate::metrics::Counted;

/// The one protocol that is spoken.
const PROTOCOL: &str = "graphql-transport-ws";
/// An older one, which is not: its clients are let in alone to be told so, as browsers show their pages nothing of a
/// connection that is not opened.
const OLDER: &str = "graphql-ws";

/// Opens a WebSocket where one is asked for; answers any other request as the rest.
pub async fn open(
    State(edge): State<Edge>,
    id: RequestId,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    request: Request,
) -> Response {
    let Ok(upgrade) = upgrade else { return graphql::answer(State(edge), id, request).await };
    let headers = request.headers();
    if let Err(rejection) = access::caller(&request) {
        return rejection.response(id.as_str());
    }
    if let Err(rejection) = own_pages::only_these(&edge, headers, request.uri()) {
        return rejection.response(id.as_str());
    }
    let place = match edge.streams.take() {
        Ok(place) => place,
        Err(rejection) => return rejection.response(id.as_str()),
    };
    // What a client may send at once is as much as over HTTP.
    let limit = edge.app.limits.body_bytes;
    let upgrade = upgrade.protocols([PROTOCOL, OLDER]).max_message_size(limit).max_frame_size(limit);
    let spoken = upgrade.selected_protocol().is_some_and(|protocol| protocol == PROTOCOL);
    let authorization = headers.get(header::AUTHORIZATION).cloned();
    let origin = rate::origin(&edge, &request);
    let is_address_charged = access::is_address_charged(&request);
    // Counted from here on, so that a server that stops waits for it.
    let counted = edge.requests.token();
    let span = Span::current();
    upgrade.on_upgrade(async move |socket| {
        let _open = Counted::one(&edge.app.metrics.sockets);
        let serving = async {
            if spoken {
                connection::serve(edge.clone(), authorization, origin, is_address_charged, socket).await;
            } else {
                connection::close(socket, Close::unknown_protocol()).await;
            }
        };
        serving.instrument(span).await;
        drop((counted, place));
    })
}
