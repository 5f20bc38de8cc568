//! In which form a caller wants its answer (RFC 9110, 12.5.1; GraphQL over HTTP, "Media Types").

use std::cmp::Ordering;

use axum::http::{HeaderMap, header};

/// A form in which an answer can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// GraphQL over HTTP: invalid requests are not answered with 200.
    GraphqlResponse,
    /// The older one, for who does not name the other.
    Json,
    /// GraphQL over SSE, for who names it.
    EventStream,
}

impl Media {
    const ALL: [Self; 3] = [Self::GraphqlResponse, Self::Json, Self::EventStream];

    const fn name(self) -> (&'static str, &'static str) {
        match self {
            Self::GraphqlResponse => ("application", "graphql-response+json"),
            Self::Json => ("application", "json"),
            Self::EventStream => ("text", "event-stream"),
        }
    }

    /// The value of `Content-Type`.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
            Self::EventStream => "text/event-stream; charset=utf-8",
        }
    }
}

/// What a caller takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The form that it likes best.
    pub best: Media,
    /// Whether it takes a stream of events, however much it likes it.
    pub events: bool,
}

/// What a caller takes by its `Accept`; `None` where nothing fits. Without the header, or where nothing of it can be
/// read, that is JSON.
pub fn accepted(headers: &HeaderMap) -> Option<Accepted> {
    let texts = headers.get_all(header::ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
    let ranges: Vec<Range> = texts.flat_map(|text| text.split(',')).filter_map(Range::read).collect();
    if ranges.is_empty() {
        return Some(Accepted { best: Media::Json, events: false });
    }
    let liked = Media::ALL.into_iter().filter_map(|media| Some((media, liking(media, &ranges)?)));
    // Of equals the earlier, which is the newer; but who names neither gets the older.
    let best = liked.reduce(|best, other| match best.1.cmp(&other.1) {
        Ordering::Less => other,
        Ordering::Equal if !best.1.named && other.0 == Media::Json => other,
        _ => best,
    });
    let events = liking(Media::EventStream, &ranges).is_some();
    best.map(|(best, _)| Accepted { best, events })
}

/// How much a form is liked: first by its weight in thousandths, then by whether it was named.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Liking {
    weight: u16,
    named: bool,
}

/// `None` where the form is not taken. The range that says most about a form decides.
fn liking(media: Media, ranges: &[Range]) -> Option<Liking> {
    let (ty, subtype) = media.name();
    let fits = |range: &&Range| match (&*range.ty, &*range.subtype) {
        // Who takes whatever comes does not expect it to go on for ever.
        (_, "*") if media == Media::EventStream => false,
        ("*", "*") => true,
        (its, "*") => its == ty,
        (its, sub) => its == ty && sub == subtype,
    };
    let range = ranges.iter().filter(fits).max_by_key(|range| (range.subtype != "*", range.ty != "*", range.weight))?;
    let liking = Liking { weight: range.weight, named: range.subtype != "*" };
    // Events only where nothing else is liked as much.
    let liking = Liking { named: liking.named && media != Media::EventStream, ..liking };
    (range.weight > 0).then_some(liking)
}

/// One entry of the header.
struct Range {
    ty: String,
    subtype: String,
    /// In thousandths.
    weight: u16,
}

impl Range {
    /// `None` for what is none, or wants another encoding than UTF-8.
    fn read(entry: &str) -> Option<Self> {
        let mut parts = entry.split(';').map(str::trim);
        let name = parts.next()?.to_ascii_lowercase();
        // Some old clients write a lonely star.
        let (ty, subtype) = if name == "*" { ("*", "*") } else { name.split_once('/')? };
        if ty.is_empty() || subtype.is_empty() || (ty == "*" && subtype != "*") {
            return None;
        }
        let mut weight = 1000;
        for parameter in parts {
            let Some((name, value)) = parameter.split_once('=') else { continue };
            match name.trim().to_ascii_lowercase().as_str() {
                "q" => weight = thousandths(value.trim())?,
                "charset" if !value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8") => weight = 0,
                _ => {}
            }
        }
        Some(Self { ty: ty.to_owned(), subtype: subtype.to_owned(), weight })
    }
}

/// A weight between 0 and 1 (RFC 9110, 12.4.2).
fn thousandths(text: &str) -> Option<u16> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if text.is_empty() || !digits(rest) || rest.len() > 3 {
        return None;
    }
    let part: u16 = format!("{rest:0<3}").parse().ok()?;
    match whole {
        "0" | "" => Some(part),
        "1" if part == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Media::*, *};

    #[test]
    fn the_form_is_the_one_that_the_caller_likes_best() {
        for (accept, best, events) in [
            (None, Some(Json), false),
            (Some(""), Some(Json), false),
            (Some("nonsense"), Some(Json), false),
            (Some("*/*"), Some(Json), false),
            (Some("*; q=.2"), Some(Json), false),
            (Some("application/*"), Some(Json), false),
            (Some("application/json"), Some(Json), false),
            (Some("Application/JSON; Charset=UTF-8"), Some(Json), false),
            (Some("application/graphql-response+json"), Some(GraphqlResponse), false),
            (Some("application/graphql-response+json; charset=utf-8"), Some(GraphqlResponse), false),
            (Some("application/json, application/graphql-response+json"), Some(GraphqlResponse), false),
            (Some("application/graphql-response+json,application/json;q=0.9"), Some(GraphqlResponse), false),
            (Some("application/graphql-response+json;q=0.5, application/json;q=0.9"), Some(Json), false),
            (Some("application/graphql-response+json;q=0, */*"), Some(Json), false),
            (Some("application/json;q=0, */*"), Some(GraphqlResponse), false),
            (Some("application/graphql-response+json, */*"), Some(GraphqlResponse), false),
            (Some("application/graphql-response+json;q=0.1, */*;q=0.5"), Some(Json), false),
            (Some("text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8"), Some(Json), false),
            (Some("text/event-stream"), Some(EventStream), true),
            (Some("text/event-stream, */*"), Some(Json), true),
            (Some("text/event-stream, application/json;q=0.5"), Some(EventStream), true),
            (Some("text/event-stream;q=0, application/json"), Some(Json), false),
            // urql.
            (
                Some(
                    "application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed",
                ),
                Some(GraphqlResponse),
                true,
            ),
            (Some("text/event-stream, multipart/mixed"), Some(EventStream), true),
            (Some("text/html"), None, false),
            (Some("text/*"), None, false),
            (Some("*/*;q=0"), None, false),
            (Some("application/json;q=0.000"), None, false),
            (Some("application/json; charset=utf-16"), None, false),
            (Some("application/xml, nonsense"), None, false),
            // What is no weight is no entry.
            (Some("application/json;q=2, application/graphql-response+json;q=0.1"), Some(GraphqlResponse), false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, accept.parse().expect("a header"));
            }
            assert_eq!(accepted(&headers), best.map(|best| Accepted { best, events }), "{accept:?}");
        }
    }

    #[test]
    fn several_headers_are_one_list() {
        let mut headers = HeaderMap::new();
        headers.append(header::ACCEPT, "application/json;q=0.5".parse().expect("a header"));
        headers.append(header::ACCEPT, "application/graphql-response+json".parse().expect("a header"));
        assert_eq!(accepted(&headers), Some(Accepted { best: GraphqlResponse, events: false }));
    }
}
