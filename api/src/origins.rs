//! The sites whose pages may ask the server, beside its own.

use std::{str::FromStr, sync::Arc};

use axum::http::{HeaderValue, Uri};

/// Origins (RFC 6454), each named in full: there is no pattern that stands for several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(Arc<[HeaderValue]>);

impl Origins {
    /// Whether pages of this site may ask, by the header `Origin` of their browser.
    pub fn contains(&self, origin: &HeaderValue) -> bool {
        self.0.contains(origin)
    }

    /// All of them, as browsers write them.
    pub fn all(&self) -> &[HeaderValue] {
        &self.0
    }
}

impl FromStr for Origins {
    type Err = String;

    /// Reads a list with commas.
    fn from_str(text: &str) -> Result<Self, String> {
        text.split(',')
            .map(str::trim)
            .filter(|origin| !origin.is_empty())
            .map(origin)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// An origin as browsers write it: in lower case, without the port that the scheme has anyway, and without the slash that
/// comes along from an address bar.
fn origin(text: &str) -> Result<HeaderValue, String> {
    let wrong = || {
        format!(
            "{text:?} is no origin: give a scheme, a host and, if it is not the usual one, a port, and no path, such as https://jobs.example.com"
        )
    };
    let text = text.strip_suffix('/').unwrap_or(text);
    let (scheme, authority) = text.split_once("://").ok_or_else(wrong)?;
    let default = match scheme.to_ascii_lowercase().as_str() {
        "http" => ":80",
        "https" => ":443",
        _ => return Err(wrong()),
    };
    let uri: Uri = text.parse().map_err(|_| wrong())?;
    // Nothing before the host, after the port, or in the place of one.
    let host = uri.host().filter(|host| !host.is_empty() && !host.contains('*')).ok_or_else(wrong)?;
    let whole = uri.port_u16().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    if whole != authority {
        return Err(wrong());
    }
    let lower = text.to_ascii_lowercase();
    HeaderValue::from_str(lower.strip_suffix(default).unwrap_or(&lower)).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_read_as_browsers_write_them() {
        let read = |text: &str| text.parse::<Origins>();
        let origins = read("https://Jobs.example.com, http://localhost:5173/,https://a.example:443/,http://[::1]:80,");
        let wanted = ["https://jobs.example.com", "http://localhost:5173", "https://a.example", "http://[::1]"];
        assert_eq!(origins.expect("they are valid").all(), wanted.map(HeaderValue::from_static));
        assert_eq!(read(""), Ok(Origins::default()));
        for wrong in [
            "*",
            "null",
            "https://*",
            "https://*.example.com",
            "https://",
            "https:///",
            "https://a.example//",
            "https://a.example/x/",
            "https://a.example/x",
            "https://a.example?x",
            "https://me@a.example",
            "https://a.example:",
            "https://a.example:x",
            "https://a b",
            "a.example",
            "file://x",
            "wss://a.example",
            "http://a.example, *",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
