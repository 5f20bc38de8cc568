//! Who calls and how often, at every entrance: looked up once, counted once, and told in headers.
//!
//! The headers are those of draft-ietf-httpapi-ratelimit-headers-10: `RateLimit-Policy` says what is allowed (`q`
//! requests in `w` seconds), `RateLimit` what of it is left (`r` requests for the next `t` seconds).

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::Response,
};

use super::{Edge, access, rejection::Rejection};
use crate::auth::{
    Access, Viewer,
    login::Recalled,
    rate::{Counted, Rate, Standing},
};

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A request at the door.
pub struct Admission {
    /// Who it is of, `None` without a valid login; or why nothing is done for it.
    pub caller: Result<Option<Viewer>, Rejection>,
    standing: Option<Standing>,
}

/// Who a request is of; handlers ask by [`access::caller`].
#[derive(Clone)]
pub struct Admitted {
    /// As in [`Admission`].
    pub caller: Result<Option<Viewer>, Rejection>,
    /// The request was counted on its address.
    pub is_address_charged: bool,
}

/// Looks up who calls and counts the request, before anything else is done for it.
pub async fn admit(State(edge): State<Edge>, mut request: Request, next: Next) -> Response {
    let origin = origin(&edge, &request);
    let admission = admission(&edge, request.headers().get(header::AUTHORIZATION), origin, false).await;
    let is_address_charged = admission.standing.is_some_and(|standing| standing.counted == Counted::Address);
    request.extensions_mut().insert(Admitted { caller: admission.caller, is_address_charged });
    let mut response = next.run(request).await;
    if let (Access::Token { limiter: Some(limiter), .. }, Some(standing)) = (&*edge.access, admission.standing) {
        tell(&mut response, limiter.rate(), standing);
    }
    response
}

/// Where a request comes from.
pub fn origin(edge: &Edge, request: &Request) -> IpAddr {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip());
    match &*edge.access {
        Access::Token { limiter: Some(limiter), .. } => limiter.origin(peer, forwarded(request.headers())),
        _ => peer,
    }
}

/// Where proxies say that a request comes from.
fn forwarded(headers: &HeaderMap) -> impl DoubleEndedIterator<Item = &str> {
    // What is no text is no address.
    headers.get_all(X_FORWARDED_FOR).iter().map(|value| value.to_str().unwrap_or_default())
}

/// Looks up who calls, and counts the request: of a user on the user, of all others, and where a token is seen for the
/// first time, on the address, unless that has been charged already. So guessing tokens is bounded too. A token that the
/// keys of before had verified is known: that they change is nobody's guess.
pub async fn admission(
    edge: &Edge,
    authorization: Option<&HeaderValue>,
    origin: IpAddr,
    is_address_charged: bool,
) -> Admission {
    let Access::Token { login, limiter } = &*edge.access else {
        return Admission { caller: Ok(Some(Viewer::local())), standing: None };
    };
    let limiter = limiter.as_deref();
    let count_address = || limiter.filter(|_| !is_address_charged).map(|limiter| limiter.count_address(origin));
    let mut standing = None;
    let token = authorization.and_then(access::bearer);
    let known = match token.map_or(Recalled::Unknown, |token| login.recall(token)) {
        Recalled::Good(known) => Some(known),
        Recalled::OutOfForce => None,
        Recalled::Unknown => {
            standing = count_address();
            match (standing.filter(|standing| standing.exceeded), token) {
                (Some(refused), _) => return Admission::refused(refused),
                (None, Some(token)) => login.verify(token).await,
                (None, None) => None,
            }
        }
    };
    let Some(known) = known else { return Admission { caller: Ok(None), standing } };
    let viewer = match login.viewer(edge.app.db.reader(), &known).await {
        Ok(Some(viewer)) => viewer,
        Ok(None) => return Admission { caller: Ok(None), standing: standing.or_else(count_address) },
        Err(error) => {
            tracing::error!("cannot look up the caller: {error}");
            return Admission { caller: Err(Rejection::database_busy()), standing };
        }
    };
    match limiter.map(|limiter| limiter.count_viewer(viewer.user_id)) {
        Some(refused) if refused.exceeded => Admission::refused(refused),
        standing => Admission { caller: Ok(Some(viewer)), standing },
    }
}

impl Admission {
    fn refused(standing: Standing) -> Self {
        let seconds = whole_seconds(standing.after);
        let unit = if seconds == 1 { "second" } else { "seconds" };
        let message = format!("Too many requests: try again in {seconds} {unit}.");
        let rejection = Rejection::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", message);
        Self { caller: Err(rejection), standing: Some(standing) }
    }
}

/// Rounded up, and at least one: who waits as long will be served.
fn whole_seconds(duration: Duration) -> u64 {
    (duration.as_secs() + u64::from(duration.subsec_nanos() > 0)).max(1)
}

fn tell(response: &mut Response, rate: &Rate, standing: Standing) {
    let name = match standing.counted {
        Counted::Viewer => "viewer",
        Counted::Address => "address",
    };
    let (burst, window) = (rate.burst.get(), rate.burst.get().div_ceil(rate.per_second.get()));
    let after = whole_seconds(standing.after);
    let headers = response.headers_mut();
    let mut set = |name, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    };
    set(RATE_LIMIT_POLICY, format!("\"{name}\";q={burst};w={window}"));
    set(RATE_LIMIT, format!("\"{name}\";r={};t={after}", standing.remaining));
    if standing.exceeded {
        set(header::RETRY_AFTER, after.to_string());
    }
}
