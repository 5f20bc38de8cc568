//! Who calls, how often and how much at a time, at every entrance: looked up once, counted once, and told in headers.
//!
//! The headers are those of draft-ietf-httpapi-ratelimit-headers-10: `RateLimit-Policy` says what is allowed (`q`
//! requests in `w` seconds), `RateLimit` what of it is left (`r` requests for the next `t` seconds).

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::Response,
};

use sea_orm::prelude::Uuid;

use super::{Edge, access, rejection::Rejection, shares::Share};
use crate::auth::{
    Access, Viewer,
    rate::{Rate, Standing, Whose, customer},
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

/// Whose requests at work are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Holder {
    /// A user's, wherever they are.
    Viewer(Uuid),
    /// All from an address that nobody has signed in for.
    Address(IpAddr),
}

/// Who a request is of; handlers ask by [`access::caller`].
#[derive(Clone)]
pub struct Admitted {
    /// As in [`Admission`].
    pub caller: Result<Option<Viewer>, Rejection>,
    /// The request was counted on its address.
    pub is_address_charged: bool,
    /// What the request counts for among its caller's. A task that goes on without the caller takes it along.
    pub at_work: Option<Arc<Share<Holder>>>,
}

/// Looks up who calls and counts the request, before anything else is done for it.
pub async fn admit(State(edge): State<Edge>, mut request: Request, next: Next) -> Response {
    let origin = origin(&edge, &request);
    let admission = admission(&edge, request.headers().get(header::AUTHORIZATION), origin, false).await;
    let is_address_charged = admission.standing.is_some_and(|standing| standing.counted == Whose::Address);
    let admitted = Admitted::new(&edge, admission.caller, origin, is_address_charged);
    let at_work = admitted.at_work.clone();
    request.extensions_mut().insert(admitted);
    let mut response = next.run(request).await;
    drop(at_work);
    if let (Access::Token { limiter: Some(limiter), .. }, Some(standing)) = (&*edge.access, admission.standing) {
        tell(&mut response, limiter.rate(), standing);
    }
    response
}

impl Admitted {
    fn new(edge: &Edge, caller: Result<Option<Viewer>, Rejection>, origin: IpAddr, is_address_charged: bool) -> Self {
        let of = |viewer: &Option<Viewer>| match viewer {
            Some(viewer) => Holder::Viewer(viewer.user_id),
            None => Holder::Address(customer(origin)),
        };
        match caller.and_then(|viewer| Ok((begin(edge, of(&viewer))?, viewer))) {
            Ok((share, viewer)) => Self { caller: Ok(viewer), is_address_charged, at_work: Some(Arc::new(share)) },
            Err(rejection) => Self { caller: Err(rejection), is_address_charged, at_work: None },
        }
    }
}

/// Counts a request as at work until what is given is dropped. Rejected where its caller has enough.
pub fn begin(edge: &Edge, of: Holder) -> Result<Share<Holder>, Rejection> {
    edge.at_work.take(of).ok_or_else(|| {
        let most = edge.at_work.most();
        let message =
            format!("At most {most} of your requests may be at work at a time; send more when one has ended.");
        Rejection::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", message)
    })
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
    let mut may_verify = || {
        standing = count_address();
        !standing.is_some_and(|standing| standing.exceeded)
    };
    let known = if let Some(token) = authorization.and_then(access::bearer) {
        login.known(token, may_verify).await
    } else {
        may_verify();
        None
    };
    if let Some(refused) = standing.filter(|standing| standing.exceeded) {
        return Admission::refused(refused);
    }
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
        Whose::Viewer => "viewer",
        Whose::Address => "address",
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
