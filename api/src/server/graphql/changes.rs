//! Up to where a caller has changed something: told to the caller in a cookie, so that another server, too, reads where that
//! shows. It opens nothing to anybody; whoever changes it reads from the primary, or what is a little older.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::database::Position;

const COOKIE: &str = "joblink-changed";
/// How long it is kept, in seconds: longer than a standby that is read from may be behind.
const KEPT_FOR: u32 = 600;

/// What the caller was told.
pub fn told(headers: &HeaderMap) -> Option<Position> {
    let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE)?.1.parse().ok()
}

/// Tells the caller.
pub fn tell(headers: &mut HeaderMap, position: Position) {
    let cookie = format!("{COOKIE}={position}; Path=/; Max-Age={KEPT_FOR}; HttpOnly; SameSite=Lax");
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        headers.append(header::SET_COOKIE, cookie);
    }
}
